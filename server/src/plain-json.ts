/** Values of a checkpoint as JSON has them: for people to read, and not to be read back. */
const MAX_DEPTH = 32;

export function plainJson(value: unknown, depth = 0): unknown {
  if (typeof value === "bigint")
    return Number.isSafeInteger(Number(value)) ? Number(value) : String(value);
  if (typeof value !== "object" || value === null) return value ?? null;
  if (depth > MAX_DEPTH) return "…";
  const inner = (item: unknown) => plainJson(item, depth + 1);
  if (Array.isArray(value)) return value.map(inner);
  if (value instanceof Set) return Array.from(value, inner);
  if (value instanceof Map) {
    return Object.fromEntries(Array.from(value, ([key, item]) => [String(key), inner(item)]));
  }
  if (ArrayBuffer.isView(value)) return `${value.byteLength} bytes`;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, inner(item)]));
}
