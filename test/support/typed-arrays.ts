/**
 * Makes `toEqual` fast for typed arrays. Vitest compares them element by element, which takes
 * seconds for the weights of a small model. Arrays with different bytes are still left to it.
 */
import { expect } from "vitest";

type TypedArray = Exclude<NodeJS.ArrayBufferView, DataView>;

const bytes = ({ buffer, byteOffset, byteLength }: TypedArray) =>
  Buffer.from(buffer, byteOffset, byteLength);

const isTyped = (value: unknown): value is TypedArray =>
  ArrayBuffer.isView(value) && !(value instanceof DataView);

expect.addEqualityTesters([
  (a: unknown, b: unknown) =>
    isTyped(a) && isTyped(b) && a.constructor === b.constructor && bytes(a).equals(bytes(b))
      ? true
      : undefined,
]);
