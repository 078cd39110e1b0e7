import { PyObject, Tuple } from "../values/values.js";
import type { Fields } from "./fields.js";

/**
 * The free-form training settings as plain objects: keys stay as the file has them, an Enum member appears as its
 * value, everything else is kept. A dict with keys that are not all strings stays a Map. Values that contain
 * themselves come out so, too.
 */
export function parseTrainingConfig(top: Fields, key: string): Record<string, unknown> {
  const value = top.get(key);
  const plain = value instanceof Map ? toPlain(value, new Map()) : undefined;
  if (plain === undefined || plain instanceof Map) throw top.error(key, "a dict with str keys");
  return plain as Record<string, unknown>;
}

function toPlain(value: unknown, done: Map<unknown, unknown>): unknown {
  const known = done.get(value);
  if (known !== undefined) return known;
  if (value instanceof PyObject) return isEnumMember(value) ? value.args[0] : value;
  if (value instanceof Map) {
    const named = [...value.keys()].every((key) => typeof key === "string");
    if (!named) {
      const copy = new Map<unknown, unknown>();
      done.set(value, copy);
      for (const [key, item] of value) copy.set(key, toPlain(item, done));
      return copy;
    }
    const copy: Record<string, unknown> = {};
    done.set(value, copy);
    for (const [key, item] of value) setOwn(copy, key, toPlain(item, done));
    return copy;
  }
  if (Array.isArray(value)) {
    const copy: unknown[] = value instanceof Tuple ? new Tuple() : [];
    done.set(value, copy);
    for (const item of value) copy.push(toPlain(item, done));
    return copy;
  }
  return value;
}

function setOwn(object: Record<string, unknown>, key: string, value: unknown): void {
  if (key !== "__proto__") {
    object[key] = value;
    return;
  }
  // An assignment would run the setter that objects have under this name.
  Object.defineProperty(object, key, {
    value,
    enumerable: true,
    writable: true,
    configurable: true,
  });
}

/** Python pickles an Enum member as a call of its class with its value, and gives it no further state. */
function isEnumMember(value: PyObject): boolean {
  return value.args.length === 1 && value.state == null;
}
