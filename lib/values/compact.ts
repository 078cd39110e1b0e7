/**
 * Decodes the compact form of values such as a model's settings: a program of numbers, followed by
 * the elements of all small arrays, and one text that holds all strings.
 * `native/addon/marshal/compact.cc` writes this form, because one native call per value would take
 * longer than reading the file.
 */
import { NdArray } from "./values.js";

/** The operations of a program. The comments name the numbers that follow each operation. */
export const OP = {
  null: 0,
  true: 1,
  false: 2,
  /** the number itself */
  number: 3,
  /** start and length in the text */
  text: 4,
  /** length; then the operations of each item */
  list: 5,
  /** number of entries; then the operations of each key and its value in turn */
  map: 6,
  /** index of an earlier list or map, counted from 0 in the order of their starts */
  same: 7,
  /** index in `values` */
  value: 8,
  /**
   * double precision (0 or 1), Fortran order (0 or 1), offset in the arrays in units of eight
   * bytes, number of dimensions; then the size of each dimension
   */
  array: 9,
} as const;

/**
 * Decodes one value.
 *
 * @param program its first number is the index at which the array elements begin; the operations
 *   follow
 * @param text holds all strings
 * @param values values that native code made one by one; `OP.value` refers to them
 */
export function readCompact(program: Float64Array, text: string, values: unknown[]): unknown {
  const singles = new Float32Array(program.buffer);
  const arrays = program[0] as number;
  const made: unknown[] = [];
  let at = 1;
  const number = () => program[at++] as number;

  const read = (): unknown => {
    switch (number()) {
      case OP.null:
        return null;
      case OP.true:
        return true;
      case OP.false:
        return false;
      case OP.number:
        return number();
      case OP.text: {
        const start = number();
        return text.slice(start, start + number());
      }
      case OP.list: {
        const list: unknown[] = [];
        made.push(list);
        for (let left = number(); left > 0; left--) list.push(read());
        return list;
      }
      case OP.map: {
        const map = new Map<unknown, unknown>();
        made.push(map);
        for (let left = number(); left > 0; left--) {
          const key = read();
          map.set(key, read());
        }
        return map;
      }
      case OP.same:
        return made[number()];
      case OP.value:
        return values[number()];
      case OP.array:
        return readArray();
      default:
        throw new Error("compact.ts and compact.cc disagree");
    }
  };

  const readArray = (): NdArray => {
    const double = number() === 1;
    const fortranOrder = number() === 1;
    const start = arrays + number();
    const shape: number[] = [];
    let count = 1;
    for (let left = number(); left > 0; left--) {
      const size = number();
      shape.push(size);
      count *= size;
    }
    // Copy: each array owns its memory, so that transferring one does not detach the others.
    return double
      ? new NdArray("float64", shape, program.slice(start, start + count), fortranOrder)
      : new NdArray("float32", shape, singles.slice(2 * start, 2 * start + count), fortranOrder);
  };

  return read();
}
