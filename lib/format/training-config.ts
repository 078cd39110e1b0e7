import { isMap } from "../base/realm.js";
import { PyObject, Tuple } from "../values/values.js";
import type { Fields } from "./fields.js";

/**
 * Converts the training settings, a dict of any content, to plain objects with the file's keys. An
 * Enum member becomes its value. A dict stays a Map if a key is not a string. Other values stay as
 * they are. Cyclic values stay cyclic.
 *
 * @throws SdaError ERR_SDA_SCHEMA: the value is not a dict with keys that are strings
 */
export function parseTrainingConfig(top: Fields, key: string): Record<string, unknown> {
  const value = top.get(key);
  const plain = isMap(value) ? toPlain(value, new Map()) : undefined;
  if (plain === undefined || isMap(plain)) throw top.error(key, "a dict with str keys");
  return plain as Record<string, unknown>;
}

function toPlain(value: unknown, done: Map<unknown, unknown>): unknown {
  const known = done.get(value);
  if (known !== undefined) return known;
  if (value instanceof PyObject) return isEnumMember(value) ? value.args[0] : value;
  if (isMap(value)) {
    const named = [...value.keys()].every((key) => typeof key === "string");
    if (!named) {
      const copy = new Map<unknown, unknown>();
      done.set(value, copy);
      for (const [key, item] of value) copy.set(key, toPlain(item, done));
      return copy;
    }
    const copy: Record<string, unknown> = {};
    done.set(value, copy);
    for (const [key, item] of value) setOwn(copy, key as string, toPlain(item, done));
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
  // An assignment to `__proto__` would call the setter of Object.prototype.
  Object.defineProperty(object, key, {
    value,
    enumerable: true,
    writable: true,
    configurable: true,
  });
}

/** Python pickles an Enum member as a call of its class with its value, without a state. */
function isEnumMember(value: PyObject): boolean {
  return value.args.length === 1 && value.state == null;
}
