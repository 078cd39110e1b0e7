/**
 * Values that are read and thrown away, such as a model's settings, in few pieces: a program of numbers with all
 * small arrays behind it, and one text that all strings are cut from. To make each value by a call of its own would
 * take longer than to read the file. Written by `native/addon/marshal/compact.cc`.
 */
import { NdArray } from "./values.js";

export const OP = {
  null: 0,
  true: 1,
  false: 2,
  /** value */
  number: 3,
  /** start, length */
  text: 4,
  /** length; then its items */
  list: 5,
  /** entries; then keys and values in turn */
  map: 6,
  /** the how manieth list or map */
  same: 7,
  /** index in `values` */
  value: 8,
  /** double precision (0 or 1), Fortran order (0 or 1), where (in eight bytes), dimensions; then the sizes */
  array: 9,
} as const;

/** @param program its first number is where the arrays begin */
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
    // Memory of its own: who transfers one array must not take the others along.
    return double
      ? new NdArray("float64", shape, program.slice(start, start + count), fortranOrder)
      : new NdArray("float32", shape, singles.slice(2 * start, 2 * start + count), fortranOrder);
  };

  return read();
}
