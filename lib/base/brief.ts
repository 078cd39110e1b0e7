/** Short forms of values, for error messages and for `details`. */

/** How much of a value `brief` keeps. */
export interface BriefLimits {
  /** Characters of a text */
  text: number;
  /** Items of an array, properties of an object */
  items: number;
  /** Arrays and objects inside each other */
  depth: number;
}

/** The limits for a wrong argument in an error's `details`. */
export const VALUE_LIMITS: BriefLimits = { text: 200, items: 16, depth: 2 };

/** Describes a value in a few words for an error message: `"pads"`, `an array of 3`, `a Buffer`. */
export function show(value: unknown): string {
  if (typeof value === "string") return JSON.stringify(cut(value, VALUE_LIMITS.text));
  if (typeof value === "bigint") return `${cut(String(value), VALUE_LIMITS.text)}n`;
  if (Array.isArray(value)) return `an array of ${value.length}`;
  if (typeof value === "object" && value !== null) {
    const name = nameOf(value);
    return `${/^[AEIOUaeiou]/.test(name) ? "an" : "a"} ${name}`;
  }
  return typeof value === "function" || typeof value === "symbol"
    ? `a ${typeof value}`
    : String(value);
}

/**
 * Makes a small copy of a value that `JSON.stringify` accepts. Long texts are cut. Plain arrays and
 * objects keep their first items. Every other value is replaced by its description from `show`.
 */
export function brief(value: unknown, limits = VALUE_LIMITS): unknown {
  if (typeof value === "string") return cut(value, limits.text);
  if (typeof value === "number" || typeof value === "boolean" || value == null) return value;
  const isList = Array.isArray(value);
  if ((!isList && !isPlain(value)) || limits.depth === 0) return show(value);
  const inner = { ...limits, depth: limits.depth - 1 };
  if (isList) {
    const items = value.slice(0, limits.items).map((item) => brief(item, inner));
    return value.length > items.length ? [...items, more(value.length - items.length)] : items;
  }
  // Read the descriptors, so that no getter runs. A property with a getter becomes undefined.
  const properties = Object.entries(Object.getOwnPropertyDescriptors(value));
  const kept = properties
    .slice(0, limits.items)
    .map(([key, property]) => [cut(key, limits.text), brief(property.value, inner)]);
  if (properties.length > kept.length) kept.push(["…", more(properties.length - kept.length)]);
  return Object.fromEntries(kept);
}

function isPlain(value: unknown): value is object {
  if (typeof value !== "object" || value === null) return false;
  return Object.getPrototypeOf(value) === null || nameOf(value) === "Object";
}

function nameOf(value: object): string {
  const name: unknown = value.constructor?.name;
  return typeof name === "string" && name !== "" ? cut(name, VALUE_LIMITS.text) : "object";
}

function cut(text: string, longest: number): string {
  return text.length > longest ? `${text.slice(0, longest)}… (${text.length} characters)` : text;
}

function more(count: number): string {
  return `… ${count} more`;
}
