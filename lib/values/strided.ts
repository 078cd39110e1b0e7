/** Elements of tensors that are not row-major in memory. */
import { constants } from "node:buffer";
import { SdaError } from "../base/errors.js";
import type { DType, TypedArray } from "./dtype.js";
import { arrayFor, bytesPerElement, itemsPerElement } from "./tensor-data.js";

/** Elements of `shape`. */
export function count(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1);
}

/**
 * The items at `offset` and strides, in row-major order. `strides` are in items of the array.
 *
 * @throws RangeError: there is no memory for so many
 */
export function gathered(
  all: TypedArray,
  offset: number,
  shape: readonly number[],
  strides: readonly number[],
): TypedArray {
  const made = new (all.constructor as Int32ArrayConstructor)(count(shape)) as Int32Array;
  const from = all as Int32Array;
  const last = shape.length - 1;
  const columns = last < 0 ? 1 : (shape[last] as number);
  const step = last < 0 ? 0 : (strides[last] as number);
  const index = new Array<number>(Math.max(last, 0)).fill(0);
  let start = offset;
  for (let i = 0; i < made.length; ) {
    for (let at = start, end = i + columns; i < end; i++, at += step) made[i] = from[at] as number;
    for (let d = last - 1; d >= 0; d--) {
      start += strides[d] as number;
      index[d] = (index[d] as number) + 1;
      if ((index[d] as number) < (shape[d] as number)) break;
      start -= (strides[d] as number) * (shape[d] as number);
      index[d] = 0;
    }
  }
  return made;
}

/**
 * Fortran-ordered elements in row-major order.
 *
 * @param parts items of the array per element: 2 for complex numbers
 */
export function rowMajor(all: TypedArray, shape: readonly number[], parts: number): TypedArray {
  let stride = 1;
  const strides = shape.map((size) => {
    const own = stride;
    stride *= size;
    return own;
  });
  return elementsOf(all, 0, shape, strides, parts);
}

/**
 * The elements at `offset` and strides, both in elements, in row-major order.
 *
 * @param parts items of the array per element: 2 for complex numbers
 */
export function elementsOf(
  all: TypedArray,
  offset: number,
  shape: readonly number[],
  strides: readonly number[],
  parts: number,
): TypedArray {
  const inItems = strides.map((stride) => stride * parts);
  const joined =
    parts === 1
      ? joinedDimensions(shape, strides)
      : joinedDimensions([...shape, parts], [...inItems, 1]);
  return gathered(all, offset * parts, joined.shape, joined.strides);
}

/** Drops dimensions of size 1 and joins neighbours that one stride passes through. */
function joinedDimensions(shape: readonly number[], strides: readonly number[]) {
  const joined = { shape: [] as number[], strides: [] as number[] };
  for (let d = shape.length - 1; d >= 0; d--) {
    const [size, stride] = [shape[d] as number, strides[d] as number];
    if (size === 1) continue;
    const [inner, step] = [joined.shape[0], joined.strides[0]];
    if (inner !== undefined && step !== undefined && stride === step * inner) {
      joined.shape[0] = inner * size;
    } else {
      joined.shape.unshift(size);
      joined.strides.unshift(stride);
    }
  }
  return joined;
}

/** A tensor may be expanded to so many bytes. */
const MOST_EXPANDED_BYTES = 2 ** 30;

/**
 * Gives a tensor its elements when they are first read, and keeps them.
 *
 * @param buffer of the storage
 * @param offset in elements, as the strides
 */
export function defineStrided(
  tensor: { dtype: DType; shape: readonly number[] },
  buffer: ArrayBuffer,
  offset: number,
  strides: readonly number[],
): void {
  const { dtype } = tensor;
  const shape = [...tensor.shape];
  defineData(tensor, () => {
    if (buffer.byteLength === 0) return arrayFor(dtype, new ArrayBuffer(0)); // transferred
    const all = arrayFor(dtype, buffer, Math.floor(buffer.byteLength / bytesPerElement(dtype)));
    const bytes = count(shape) * bytesPerElement(dtype);
    // A tensor of one element may be expanded to any size; a transposed one is as its storage.
    if (bytes > Math.max(buffer.byteLength, MOST_EXPANDED_BYTES)) throw tooLarge(bytes);
    return elementsOf(all, offset, shape, strides, itemsPerElement(dtype));
  });
}

/** Refuses to give the elements of a tensor, which are more than an `ArrayBuffer` holds. */
export function defineTooLarge(tensor: object, bytes: number): void {
  defineData(tensor, () => {
    throw tooLarge(bytes);
  });
}

function tooLarge(bytes: number): SdaError {
  const limit = constants.MAX_LENGTH;
  const problem = `a tensor of ${bytes} bytes is too large for one array in this Node`;
  return new SdaError("ERR_SDA_LIMIT", problem, { bytes, limit });
}

function defineData(tensor: object, read: () => TypedArray): void {
  Object.defineProperty(tensor, "data", {
    configurable: true,
    enumerable: true,
    get() {
      const data = read();
      const kept = { value: data, enumerable: true, configurable: true, writable: true };
      Object.defineProperty(this, "data", kept);
      return data;
    },
  });
}
