/** The typed array that holds the elements of each dtype. */

import { show } from "../base/brief.js";
import { isArrayBuffer } from "../base/realm.js";
import type { DType, TypedArray } from "./dtype.js";

/** The array's class, its elements per element of the tensor, and whether numpy has the dtype. */
const LAYOUTS: Record<DType, [array: string, perElement: number, numpy: boolean]> = {
  bool: ["Uint8Array", 1, true],
  uint8: ["Uint8Array", 1, true],
  int8: ["Int8Array", 1, true],
  int16: ["Int16Array", 1, true],
  int32: ["Int32Array", 1, true],
  int64: ["BigInt64Array", 1, true],
  uint16: ["Uint16Array", 1, true],
  uint32: ["Uint32Array", 1, true],
  uint64: ["BigUint64Array", 1, true],
  float16: ["Uint16Array", 1, true],
  bfloat16: ["Uint16Array", 1, false],
  float32: ["Float32Array", 1, true],
  float64: ["Float64Array", 1, true],
  complex32: ["Uint16Array", 2, false],
  complex64: ["Float32Array", 2, true],
  complex128: ["Float64Array", 2, true],
  float8_e4m3fn: ["Uint8Array", 1, false],
  float8_e5m2: ["Uint8Array", 1, false],
  float8_e4m3fnuz: ["Uint8Array", 1, false],
  float8_e5m2fnuz: ["Uint8Array", 1, false],
  float8_e8m0fnu: ["Uint8Array", 1, false],
  qint8: ["Int8Array", 1, false],
  quint8: ["Uint8Array", 1, false],
  qint32: ["Int32Array", 1, false],
  quint4x2: ["Uint8Array", 1, false],
  quint2x4: ["Uint8Array", 1, false],
  bits8: ["Uint8Array", 1, false],
  bits16: ["Uint16Array", 1, false],
  bits1x8: ["Uint8Array", 1, false],
  bits2x4: ["Uint8Array", 1, false],
  bits4x2: ["Uint8Array", 1, false],
  float4_e2m1fn_x2: ["Uint8Array", 1, false],
};

/** In the order of their numbers in C++ */
export const DTYPES = Object.keys(LAYOUTS) as DType[];

export const MAX_DIMENSIONS = 1024;

const ARRAYS = {
  Uint8Array,
  Int8Array,
  Int16Array,
  Uint16Array,
  Int32Array,
  Uint32Array,
  BigInt64Array,
  BigUint64Array,
  Float32Array,
  Float64Array,
} as const;

/**
 * The array that holds a tensor's elements.
 *
 * @param elements of the tensor; default: as many as the buffer has, and no byte is left
 * @param offset of the first element in the buffer, in bytes
 */
export function arrayFor(
  dtype: DType,
  buffer: ArrayBuffer,
  elements?: number,
  offset = 0,
): TypedArray {
  const [name, perElement] = LAYOUTS[dtype];
  const length = elements === undefined ? undefined : elements * perElement;
  return new ARRAYS[name as keyof typeof ARRAYS](buffer, offset, length);
}

/** Items of the array per element of the tensor: 2 for complex numbers. */
export function itemsPerElement(dtype: DType): number {
  return LAYOUTS[dtype][1];
}

export function bytesPerElement(dtype: DType): number {
  const [array, perElement] = LAYOUTS[dtype];
  return ARRAYS[array as keyof typeof ARRAYS].BYTES_PER_ELEMENT * perElement;
}

export function isDType(name: unknown): name is DType {
  return typeof name === "string" && Object.hasOwn(LAYOUTS, name);
}

export function isNumpyType(dtype: DType): boolean {
  return LAYOUTS[dtype][2];
}

/** @returns why these parts make no tensor that can be saved; null if there is no problem */
export function checkTensorData(dtype: unknown, shape: unknown, data: unknown): string | null {
  if (!isDType(dtype)) {
    return `unknown dtype ${show(dtype)}`;
  }
  const [array, perElement] = LAYOUTS[dtype];
  const isShape =
    Array.isArray(shape) &&
    shape.length <= MAX_DIMENSIONS &&
    shape.every((size) => Number.isSafeInteger(size) && size >= 0);
  if (!isShape) return `a tensor's shape must be an array of whole numbers, got ${show(shape)}`;
  // The tag also fits a Buffer, and arrays of another realm; `instanceof` does not.
  if (Object.prototype.toString.call(data) !== `[object ${array}]`) {
    return `a tensor of ${dtype} holds its elements in a ${array}, got ${show(data)}`;
  }
  const { buffer, length } = data as Uint8Array;
  const numel = (shape as number[]).reduce((product, size) => product * size, perElement);
  if (length !== numel) {
    const why = length === 0 ? " (read without weights, or transferred to another thread?)" : "";
    return `a tensor of shape [${(shape as number[]).join(", ")}] has ${numel} elements of ${array}, got ${length}${why}`;
  }
  // Another thread could change shared memory, and any code shrink this buffer, during the write.
  if (!isArrayBuffer(buffer)) return "shared memory can't be saved; copy it first";
  if ("resizable" in buffer && buffer.resizable) {
    return "a resizable ArrayBuffer can't be saved; copy it first";
  }
  return null;
}
