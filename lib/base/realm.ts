/**
 * Tells values by their brand instead of by `instanceof`. Jest and Vitest's vm pools run code in a
 * vm context, which has its own `Map`, `Float32Array` and `Error`, while Node and the addons make
 * those of the main context. `instanceof` is only right for the classes of this package.
 */
import { types } from "node:util";

export const { isArrayBuffer, isFloat32Array, isSet, isUint8Array } = types;

export function isMap(value: unknown): value is Map<unknown, unknown> {
  return types.isMap(value);
}

export function isError(value: unknown): value is Error {
  return value instanceof Error || types.isNativeError(value);
}

export function isUrl(value: unknown): value is URL {
  if (value instanceof URL) return true;
  return tagOf(value) === "[object URL]" && typeof (value as URL).href === "string";
}

/** Also accepts the signals of other implementations, such as jsdom's. */
export function isAbortSignal(value: unknown): value is AbortSignal {
  if (value instanceof AbortSignal) return true;
  if (tagOf(value) !== "[object AbortSignal]") return false;
  const { aborted, addEventListener, throwIfAborted } = value as AbortSignal;
  return typeof aborted === "boolean" && [addEventListener, throwIfAborted].every(isFunction);
}

const ARRAYS = {
  Int8Array,
  Uint8Array,
  Uint8ClampedArray,
  Int16Array,
  Uint16Array,
  Int32Array,
  Uint32Array,
  Float32Array,
  Float64Array,
  BigInt64Array,
  BigUint64Array,
};

/**
 * The same values in a typed array of this realm, which shares the memory. A result of an addon has
 * its typed arrays in the result itself, in a list or in a field; these are replaced in it.
 */
export function ownArrays<T>(value: T, depth = 2): T {
  if (typeof value !== "object" || value === null) return value;
  if (ArrayBuffer.isView(value)) return ownArray(value);
  if (depth === 0) return value;
  if (Array.isArray(value)) {
    const isForeign = ArrayBuffer.isView(value[0]) && ownArray(value[0]) !== value[0];
    return isForeign ? (Array.from(value, ownArray) as T) : value;
  }
  if (tagOf(value) !== "[object Object]") return value;
  for (const name of Object.keys(value)) {
    // What makes its value when it is read makes it of this realm.
    const field = Object.getOwnPropertyDescriptor(value, name)?.value as unknown;
    const owned = ownArrays(field, depth - 1);
    if (owned !== field) (value as Record<string, unknown>)[name] = owned;
  }
  return value;
}

function ownArray<T>(value: T): T {
  const tag = (value as { [Symbol.toStringTag]?: string })[Symbol.toStringTag];
  const Own = ARRAYS[tag as keyof typeof ARRAYS];
  if (Own === undefined || value instanceof Own) return value;
  const { buffer, byteOffset, length } = value as unknown as Uint8Array<ArrayBuffer>;
  return new Own(buffer, byteOffset, length) as T;
}

function tagOf(value: unknown): string {
  return Object.prototype.toString.call(value);
}

function isFunction(value: unknown): boolean {
  return typeof value === "function";
}
