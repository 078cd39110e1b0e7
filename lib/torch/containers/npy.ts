/**
 * numpy's .npy files and .npz archives of them. The form:
 * https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
 */
import { SdaError } from "../../base/errors.js";
import { NumpyArray } from "../../values/described.js";
import { count, rowMajor } from "../../values/strided.js";
import { arrayFor, bytesPerElement } from "../../values/tensor-data.js";
import { type DType, NdArray, PyGlobal, PyObject, Tuple } from "../../values/values.js";

/** The dtypes of numbers, by numpy's letter and size. */
const NUMBERS = new Map<string, DType>([
  ["b1", "bool"],
  ["i1", "int8"],
  ["i2", "int16"],
  ["i4", "int32"],
  ["i8", "int64"],
  ["u1", "uint8"],
  ["u2", "uint16"],
  ["u4", "uint32"],
  ["u8", "uint64"],
  ["f2", "float16"],
  ["f4", "float32"],
  ["f8", "float64"],
  ["c8", "complex64"],
  ["c16", "complex128"],
]);

const MAGIC = "\x93NUMPY";
const MOST_HEADER_BYTES = 2 ** 20;
const MOST_DEPTH = 32;
/** As numpy's own limit since version 2 */
const MOST_DIMENSIONS = 64;

const isCount = (value: unknown) => Number.isSafeInteger(value) && (value as number) >= 0;

/** The header of a .npy file. */
export interface NpyHeader {
  /** As numpy's dtype.descr */
  descr: unknown;
  fortranOrder: boolean;
  shape: number[];
  /** Where the elements begin, in bytes */
  start: number;
}

/** How many bytes hold the header of any usual .npy file. */
export const NPY_HEADER_BYTES = 4096;

/** @param name for errors */
export function readNpyHeader(bytes: Uint8Array, name: string): NpyHeader {
  const data = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const bad = (what: string) => corrupt(name, what);
  if (data.length < 12 || data.toString("latin1", 0, 6) !== MAGIC) throw bad("no .npy file");
  const version = data[6] as number;
  if (version < 1 || version > 3) {
    const problem = `${name}: version ${version} of the .npy format`;
    throw new SdaError("ERR_SDA_VERSION", problem, { path: name });
  }
  const length = version === 1 ? data.readUInt16LE(8) : data.readUInt32LE(8);
  const from = version === 1 ? 10 : 12;
  if (length > MOST_HEADER_BYTES || from + length > data.length) throw bad("its header is cut off");
  const text = data.toString(version === 3 ? "utf8" : "latin1", from, from + length);
  const header = new PythonLiteral(text, bad).read();
  if (!(header instanceof Map)) throw bad("its header is no dict");
  const descr = header.get("descr");
  const fortranOrder = header.get("fortran_order");
  const shape = header.get("shape");
  const isShape = Array.isArray(shape) && shape.length <= MOST_DIMENSIONS && shape.every(isCount);
  if (typeof fortranOrder !== "boolean" || !isShape) throw bad("its header is malformed");
  return { descr, fortranOrder, shape, start: from + length };
}

/** The dtype as `inspect` names it, and the bytes of all elements; null: objects, in a pickle. */
export function npyLayout({ descr, shape }: NpyHeader, name: string) {
  const numel = count(shape);
  if (typeof descr === "string" && /^[|<>=]?O\d*$/.test(descr)) return { dtype: "|O", bytes: null };
  const number = numberOf(descr);
  const itemSize = number ? bytesPerElement(number.dtype) : dtypeOf(descr, name, 0).size;
  const bytes = numel * itemSize;
  if (!Number.isSafeInteger(bytes)) throw corrupt(name, "a shape with too many elements");
  return { dtype: number?.dtype ?? String(descr), bytes };
}

/**
 * An array of these elements.
 *
 * @param elements of an array that holds no objects
 * @returns an `NdArray` of numbers, a `NumpyArray` of others
 */
export function npyArray(header: NpyHeader, elements: Uint8Array, name: string): unknown {
  const { descr, fortranOrder, shape } = header;
  const number = numberOf(descr);
  if (!number) {
    const made = tuple(new PyGlobal("numpy", "ndarray"), tuple(0), Buffer.from("b"));
    const { dtype } = dtypeOf(descr, name, 0);
    const state = tuple(1, tuple(...shape), dtype, fortranOrder, elements);
    return new NumpyArray("numpy.core.multiarray", "_reconstruct", made, state);
  }
  // Copied: the elements then have a buffer of their own, at its start.
  const own = new Uint8Array(elements);
  if (number.isBigEndian) swapBytes(own, number.scalarBytes);
  const data = arrayFor(number.dtype, own.buffer);
  const reorders = fortranOrder && shape.length > 1;
  const parts = number.dtype.startsWith("complex") ? 2 : 1;
  const ordered = reorders ? rowMajor(data, shape, parts) : data;
  return new NdArray(number.dtype, shape, ordered, fortranOrder);
}

function numberOf(descr: unknown) {
  const found = typeof descr === "string" ? /^([|<>=]?)([biufc]\d+)$/.exec(descr) : null;
  const dtype = found && NUMBERS.get(found[2] as string);
  if (!found || !dtype) return undefined;
  const scalarBytes = bytesPerElement(dtype) / (dtype.startsWith("complex") ? 2 : 1);
  return { dtype, isBigEndian: found[1] === ">", scalarBytes };
}

function swapBytes(bytes: Uint8Array, width: number): void {
  if (width === 1) return;
  for (let at = 0; at < bytes.length; at += width) bytes.subarray(at, at + width).reverse();
}

const tuple = (...items: unknown[]): Tuple => Tuple.from(items) as Tuple;

/** numpy's dtype of texts, dates or structures, as a pickle describes it. */
function dtypeOf(descr: unknown, name: string, depth: number): { dtype: PyObject; size: number } {
  const bad = () => corrupt(name, "a dtype that numpy does not write");
  if (depth > MOST_DEPTH) throw bad();
  if (typeof descr === "string") {
    const found = /^([|<>=]?)([A-Za-z])(\d*)(\[\w+\])?$/.exec(descr);
    if (!found) throw bad();
    const [, order = "|", letter = "", digits = "", unit] = found;
    const size = Number(digits) * (letter === "U" ? 4 : 1) || (unit ? 8 : 0);
    const unitState = unit ? dateUnit(unit) : [];
    const state = tuple(
      unit ? 4 : 3,
      order || "|",
      null,
      null,
      null,
      size,
      letter === "U" ? 4 : 1,
      0,
      ...unitState,
    );
    return {
      dtype: new PyObject("numpy", "dtype", tuple(`${letter}${digits}`, false, true), state),
      size,
    };
  }
  if (!Array.isArray(descr)) throw bad();
  const names: string[] = [];
  const fields = new Map<string, Tuple>();
  let size = 0;
  for (const entry of descr) {
    if (!Array.isArray(entry) || entry.length < 2 || entry.length > 3) throw bad();
    const [label, type, shape] = entry as [unknown, unknown, unknown];
    const title = Array.isArray(label) ? label[1] : label;
    if (typeof title !== "string") throw bad();
    const inner = dtypeOf(type, name, depth + 1);
    const sizes = Array.isArray(shape) ? shape : [];
    if (sizes.length > MOST_DIMENSIONS || !sizes.every(isCount)) throw bad();
    const numel = sizes.reduce((n: number, d) => n * Number(d), 1);
    const bytes = inner.size * numel;
    if (!Number.isSafeInteger(bytes)) throw bad();
    // numpy pads structures by fields without a name.
    if (title !== "") {
      const code = new PyObject("numpy", "dtype", tuple(`V${bytes}`, false, true));
      names.push(title);
      fields.set(title, tuple(numel === 1 && shape === undefined ? inner.dtype : code, size));
    }
    size += bytes;
  }
  const state = tuple(3, "|", null, tuple(...names), fields, size, 1, 16);
  return { dtype: new PyObject("numpy", "dtype", tuple(`V${size}`, false, true), state), size };
}

function dateUnit(text: string): [Tuple] {
  const [, count, unit] = /^\[(\d*)(\w+)\]$/.exec(text) ?? [];
  const parts = tuple(Buffer.from(unit ?? "generic"), Number(count || 1), 1, 1);
  return [tuple(new Map(), parts)];
}

function corrupt(name: string, problem: string): SdaError {
  return new SdaError("ERR_SDA_CORRUPT", `${name}: ${problem}`, { path: name });
}

/** Reads a literal of Python: dicts, tuples, lists, strings, whole numbers, True, False, None. */
class PythonLiteral {
  readonly #text: string;
  readonly #bad: (what: string) => SdaError;
  #at = 0;

  constructor(text: string, bad: (what: string) => SdaError) {
    this.#text = text;
    this.#bad = bad;
  }

  read(): unknown {
    const value = this.#value(0);
    if (this.#take(/\s*/y) !== undefined && this.#at !== this.#text.length) throw this.#wrong();
    return value;
  }

  #value(depth: number): unknown {
    if (depth > MOST_DEPTH) throw this.#wrong();
    if (this.#take(/\s*\{/y) !== undefined) {
      const map = new Map<unknown, unknown>();
      for (const [key, value] of this.#items("\\}", depth, true)) map.set(key, value);
      return map;
    }
    if (this.#take(/\s*[([]/y) !== undefined) {
      return [...this.#items("[)\\]]", depth, false)].map(([item]) => item);
    }
    const word = this.#take(/\s*(?:True|False|None|-?\d+L?|'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")/y);
    if (word === undefined) throw this.#wrong();
    const plain = word.trim();
    if (plain === "True" || plain === "False") return plain === "True";
    if (plain === "None") return null;
    if (/^['"]/.test(plain)) return plain.slice(1, -1).replace(/\\(.)/g, "$1");
    return Number(plain.replace(/L$/, ""));
  }

  *#items(end: string, depth: number, pairs: boolean): Generator<[unknown, unknown]> {
    const close = new RegExp(`\\s*${end}`, "y");
    while (this.#take(close) === undefined) {
      const item = this.#value(depth + 1);
      if (pairs && this.#take(/\s*:/y) === undefined) throw this.#wrong();
      yield [item, pairs ? this.#value(depth + 1) : undefined];
      if (this.#take(/\s*,/y) !== undefined) continue;
      if (this.#take(close) === undefined) throw this.#wrong();
      return;
    }
  }

  #take(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#text);
    if (!found) return undefined;
    this.#at = pattern.lastIndex;
    return found[0];
  }

  #wrong(): SdaError {
    return this.#bad("its header is no literal of Python");
  }
}
