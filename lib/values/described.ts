/**
 * Values of torch and numpy that are more than a dense tensor: sparse, quantized and nested
 * tensors, tensors without data, and numpy arrays of texts, objects, dates and structures. Each is
 * a `PyObject` that describes the call with which Python makes it, so `save` writes it as it was,
 * with getters that say what the call means.
 */
import { isMap } from "../base/realm.js";
import { count, elementsOf, gathered, rowMajor } from "./strided.js";
import { itemsPerElement } from "./tensor-data.js";
import { type DType, PyGlobal, PyObject, Tensor, type TypedArray } from "./values.js";

/** A value of the file that is not as torch or numpy write it. */
function malformed(what: string): TypeError {
  return new TypeError(`this ${what} is not as the library writes it`);
}

function tensorOf(value: unknown, what: string): Tensor {
  if (value instanceof Tensor) return value;
  throw malformed(what);
}

function numbersOf(value: unknown, what: string): number[] {
  if (Array.isArray(value) && value.every((item) => typeof item === "number")) return [...value];
  throw malformed(what);
}

function nameOf(value: unknown): string {
  return value instanceof PyGlobal ? value.name : "";
}

/**
 * A sparse tensor: its non-zero elements and their indices.
 *
 * @example
 * ```js
 * const layout = new PyObject("torch.serialization", "_get_layout", Tuple.of("torch.sparse_coo"));
 * const indices = new Tensor("int64", [2, 1], BigInt64Array.of(0n, 1n));
 * const values = new Tensor("float32", [1], Float32Array.of(5));
 * const parts = Tuple.of(layout, Tuple.of(indices, values, Tuple.of(2, 2), true));
 * await save(new SparseTensor("torch._utils", "_rebuild_sparse_tensor", parts), "graph.pt");
 * console.log((await load("graph.pt")).shape); // [ 2, 2 ]
 * ```
 */
export class SparseTensor extends PyObject {
  /** "sparse_coo", "sparse_csr", "sparse_csc", "sparse_bsr" or "sparse_bsc" */
  get layout(): string {
    const [layout] = this.args;
    const text = layout instanceof PyObject ? layout.args[0] : nameOf(layout);
    return String(text).replace(/^torch\./, "");
  }

  get #parts(): unknown[] {
    const parts = this.args[1];
    if (!Array.isArray(parts) || parts.length < 3) throw malformed("sparse tensor");
    return parts;
  }

  get #isCoo(): boolean {
    return this.layout === "sparse_coo";
  }

  /** Of the elements */
  get dtype(): DType {
    return this.values.dtype;
  }

  /** The size of each dimension */
  get shape(): number[] {
    return numbersOf(this.#parts[this.#isCoo ? 2 : 3], "sparse tensor");
  }

  /** Of "sparse_coo": int64, [sparse dimensions, non-zero elements]; null for other layouts */
  get indices(): Tensor | null {
    return this.#isCoo ? tensorOf(this.#parts[0], "sparse tensor") : null;
  }

  /** Where each compressed row or column begins in `plainIndices`; null for "sparse_coo" */
  get compressedIndices(): Tensor | null {
    return this.#isCoo ? null : tensorOf(this.#parts[0], "sparse tensor");
  }

  /** The column or row of each element; null for "sparse_coo" */
  get plainIndices(): Tensor | null {
    return this.#isCoo ? null : tensorOf(this.#parts[1], "sparse tensor");
  }

  /** The elements, or the blocks of "sparse_bsr" and "sparse_bsc" */
  get values(): Tensor {
    return tensorOf(this.#parts[this.#isCoo ? 1 : 2], "sparse tensor");
  }

  /** Of "sparse_coo": whether no index comes twice; null: the file does not say */
  get isCoalesced(): boolean | null {
    const flag = this.#isCoo ? this.#parts[3] : true;
    return typeof flag === "boolean" ? flag : null;
  }
}

/**
 * A quantized tensor: element i is `scale · (data[i] − zeroPoint)`.
 *
 * @example
 * ```js
 * const numbers = new Tensor("qint8", [2], Int8Array.of(1, 3));
 * const quantizer = Tuple.of(new PyGlobal("torch", "per_tensor_affine"), 0.5, 1);
 * const place = [0, Tuple.of(2), Tuple.of(1)]; // offset, shape, strides
 * const parts = Tuple.of(numbers, ...place, quantizer, false, new OrderedDict());
 * const weight = new QuantizedTensor("torch._utils", "_rebuild_qtensor", parts);
 * console.log(weight.dequantize().data[1]); // 1, which is 0.5 · (3 − 1)
 * ```
 */
export class QuantizedTensor extends PyObject {
  get #storage(): Tensor {
    return tensorOf(this.args[0], "quantized tensor");
  }

  get #quantizer(): unknown[] {
    const quantizer = this.args[4];
    if (!Array.isArray(quantizer) || quantizer.length < 3) throw malformed("quantized tensor");
    return quantizer;
  }

  /** "qint8", "quint8", "qint32", "quint4x2" or "quint2x4" */
  get dtype(): DType {
    return this.#storage.dtype;
  }

  /** The size of each dimension */
  get shape(): number[] {
    return numbersOf(this.args[2], "quantized tensor");
  }

  /** "per_tensor_affine", "per_channel_affine", … */
  get scheme(): string {
    return nameOf(this.#quantizer[0]);
  }

  /** One scale, or one for each index of `axis` */
  get scales(): number[] {
    return numbers(this.#quantizer[1]);
  }

  /** One zero point, or one for each index of `axis` */
  get zeroPoints(): number[] {
    return numbers(this.#quantizer[2]);
  }

  /** The dimension whose indices have scales of their own; null: the tensor has one scale */
  get axis(): number | null {
    const axis = this.#quantizer[3];
    return typeof axis === "number" ? axis : null;
  }

  /** The numbers as they are stored, row-major; the bytes for dtypes of several to a byte */
  get data(): TypedArray {
    const storage = this.#storage;
    const packed = /^quint[24]x/.test(storage.dtype);
    const [offset, strides] = [this.args[1], numbersOf(this.args[3], "quantized tensor")];
    if (packed || typeof offset !== "number") return storage.data;
    return gathered(storage.data, offset, this.shape, strides);
  }

  /** @returns the float32 tensor that this one stands for */
  dequantize(): Tensor {
    const { shape, data, scales, zeroPoints, axis } = this;
    if (data.length !== count(shape)) {
      throw new TypeError(`a tensor of ${this.dtype} can't be dequantized here`);
    }
    const inner = axis === null ? 1 : count(shape.slice(axis + 1));
    const size = axis === null ? 1 : (shape[axis] as number);
    const values = Float32Array.from(data as Int32Array, (value, i) => {
      const channel = axis === null ? 0 : Math.floor(i / inner) % size;
      return (scales[channel] as number) * (value - (zeroPoints[channel] as number));
    });
    return new Tensor("float32", shape, values);
  }
}

function numbers(value: unknown): number[] {
  if (typeof value === "number") return [value];
  return Array.from(tensorOf(value, "quantized tensor").data as Float64Array, Number);
}

/**
 * Tensors of different shapes in one buffer, as `torch.nested` has them.
 *
 * @example
 * ```js
 * const of = (...values) => new Tensor("int64", [values.length], BigInt64Array.from(values));
 * const row = ({ data }) => new Tensor("int64", [2, 1], data);
 * const buffer = new Tensor("float32", [3], Float32Array.of(1, 2, 3));
 * const parts = Tuple.of(buffer, row(of(1n, 2n)), row(of(1n, 1n)), of(0n, 1n));
 * const nested = new NestedTensor("torch._utils", "_rebuild_nested_tensor", parts);
 * console.log(nested.tensors[1].shape); // [ 2 ]
 * ```
 */
export class NestedTensor extends PyObject {
  /** Of the elements */
  get dtype(): DType {
    return tensorOf(this.args[0], "nested tensor").dtype;
  }

  /** The tensors; row-major copies */
  get tensors(): Tensor[] {
    const [buffer, sizes, strides, offsets] = this.args.map((part) =>
      tensorOf(part, "nested tensor"),
    ) as [Tensor, Tensor, Tensor, Tensor];
    const [total, dimensions] = sizes.shape as [number, number];
    const row = (tensor: Tensor, i: number) =>
      Array.from(tensor.data.slice(i * dimensions, (i + 1) * dimensions) as Float64Array, Number);
    return Array.from({ length: total }, (_, i) => {
      const shape = row(sizes, i);
      const data = gathered(buffer.data, Number(offsets.data[i]), shape, row(strides, i));
      return new Tensor(buffer.dtype, shape, data);
    });
  }
}

/**
 * Tensors that differ in one dimension, as `torch.nested` has them with `layout=torch.jagged`.
 *
 * @example
 * ```js
 * const parts = new Map([
 *   ["values", new Tensor("float32", [5], Float32Array.of(1, 2, 3, 4, 5))],
 *   ["offsets", new Tensor("int64", [3], BigInt64Array.of(0n, 2n, 5n))],
 * ]);
 * const module = "torch.nested._internal.nested_tensor";
 * const how = [new PyGlobal(module, "_rebuild_njt"), new PyGlobal(module, "NestedTensor")];
 * const args = Tuple.of(...how, Tuple.of(parts), new Map());
 * const jagged = new JaggedTensor("torch._tensor", "_rebuild_from_type_v2", args);
 * console.log(jagged.tensors.map(({ data }) => data.length)); // [ 2, 3 ]
 * ```
 */
export class JaggedTensor extends PyObject {
  /** Of the elements */
  get dtype(): DType {
    return this.values.dtype;
  }

  /** All tensors after one another along the dimension in which they differ */
  get values(): Tensor {
    return tensorOf(jaggedPart(this, "values"), "jagged tensor");
  }

  /** int64, [tensors + 1]: where each tensor begins in `values`, and the end */
  get offsets(): Tensor {
    return tensorOf(jaggedPart(this, "offsets"), "jagged tensor");
  }

  /** int64, [tensors]: the length of each tensor; null: each reaches to the next */
  get lengths(): Tensor | null {
    const lengths = jaggedPart(this, "lengths");
    return lengths === null ? null : tensorOf(lengths, "jagged tensor");
  }

  /** The dimension in which the tensors differ, counted in one of them from 0 */
  get raggedDimension(): number {
    const dimension = jaggedPart(this, "_ragged_idx");
    return typeof dimension === "number" ? dimension - 1 : 0;
  }

  /** The tensors; row-major copies */
  get tensors(): Tensor[] {
    const { values, raggedDimension: ragged, lengths } = this;
    if (!(values.shape.length > ragged)) throw malformed("jagged tensor");
    const starts = Array.from(this.offsets.data as Float64Array, Number);
    const sizes = lengths && Array.from(lengths.data as Float64Array, Number);
    const strides = values.shape.map((_, d) => count(values.shape.slice(d + 1)));
    return starts.slice(0, -1).map((start, i) => {
      const size = sizes ? sizes[i] : (starts[i + 1] as number) - start;
      const isInside = size !== undefined && size >= 0 && start >= 0;
      if (!isInside || start + size > (values.shape[ragged] as number)) {
        throw malformed("jagged tensor");
      }
      const shape = values.shape.with(ragged, size);
      const first = start * (strides[ragged] as number);
      const parts = itemsPerElement(values.dtype);
      return new Tensor(values.dtype, shape, elementsOf(values.data, first, shape, strides, parts));
    });
  }
}

/** No private method: `settle` makes such an object of one that is made already. */
function jaggedPart({ args }: JaggedTensor, name: string): unknown {
  const parts = Array.isArray(args[2]) ? args[2][0] : undefined;
  if (!isMap(parts)) throw malformed("jagged tensor");
  return parts.get(name) ?? null;
}

/**
 * A tensor without data, as the device "meta" has them.
 *
 * @example
 * ```js
 * const parts = Tuple.of(new PyGlobal("torch", "float32"), Tuple.of(2, 3), Tuple.of(3, 1), false);
 * const meta = new MetaTensor("torch._utils", "_rebuild_meta_tensor_no_storage", parts);
 * console.log(meta.dtype, meta.shape); // float32 [ 2, 3 ]
 * ```
 */
export class MetaTensor extends PyObject {
  /** Of the elements */
  get dtype(): DType {
    return nameOf(this.args[0]) as DType;
  }

  /** The size of each dimension */
  get shape(): number[] {
    return numbersOf(this.args[1], "meta tensor");
  }
}

/** What a numpy dtype says of its elements. */
interface NumpyType {
  /** As numpy shows it: "<U2", "|O", "<M8[D]", "|V12" */
  name: string;
  code: string;
  isBigEndian: boolean;
  itemSize: number;
  /** Of a structure: name, type and place of each field */
  fields: [name: string, type: NumpyType, offset: number][];
}

/**
 * A numpy array whose elements no typed array holds: texts, bytes, objects, dates, structures, long
 * doubles; or an array of a subclass such as `numpy.matrix` or a masked array.
 *
 * @example
 * ```js
 * const state = Tuple.of(3, "|", null, null, null, 4, 1, 0);
 * const dtype = new PyObject("numpy", "dtype", Tuple.of("S4", false, true), state);
 * const empty = Tuple.of(new PyGlobal("numpy", "ndarray"), Tuple.of(0), Uint8Array.of(98));
 * const content = Tuple.of(1, Tuple.of(2), dtype, false, Buffer.from("rainwind"));
 * const labels = new NumpyArray("numpy.core.multiarray", "_reconstruct", empty, content);
 * console.log(labels.dtype, String(Buffer.from(labels.toArray()[1]))); // |S4 wind
 * ```
 */
export class NumpyArray extends PyObject {
  get #state(): [shape: unknown, dtype: unknown, fortran: unknown, raw: unknown] {
    if (this.name === "_frombuffer") {
      const [raw, dtype, shape, order] = this.args;
      return [shape, dtype, order === "F", raw];
    }
    // (version, shape, dtype, is Fortran, content, …); recarray and others wrap it.
    const state = this.state;
    if (!Array.isArray(state) || state.length < 5) throw malformed("numpy array");
    return [state[1], state[2], state[3], state[4]];
  }

  /** "numpy.ndarray", or the subclass */
  get className(): string {
    const [cls] = this.args;
    return cls instanceof PyGlobal ? `${cls.module}.${cls.name}` : "numpy.ndarray";
  }

  /** As numpy shows it: "<U2", "|S5", "|O", "<M8[D]", "|V12" */
  get dtype(): string {
    return numpyType(this.#state[1]).name;
  }

  /** The size of each dimension */
  get shape(): number[] {
    return numbersOf(this.#state[0], "numpy array");
  }

  /**
   * The elements in row-major order: texts as strings, bytes as `Uint8Array`, dates and spans of
   * time as `bigint` in the dtype's unit, structures as objects, numbers as numbers.
   */
  toArray(): unknown[] {
    const [, dtype, fortran, raw] = this.#state;
    const { shape } = this;
    const type = numpyType(dtype);
    const all = Array.isArray(raw) ? raw : elements(type, bytesOf(raw), count(shape));
    if (all.length !== count(shape)) throw malformed("numpy array");
    if (fortran !== true || shape.length < 2) return [...all];
    const places = rowMajor(Int32Array.from(all.keys()), shape, 1) as Int32Array;
    return Array.from(places, (place) => all[place]);
  }
}

/**
 * A numpy scalar that JavaScript has no number for: a text, bytes, a date, a structure.
 *
 * @example
 * ```js
 * const state = Tuple.of(3, "|", null, null, null, 4, 1, 0);
 * const dtype = new PyObject("numpy", "dtype", Tuple.of("S4", false, true), state);
 * const parts = Tuple.of(dtype, Buffer.from("rain"));
 * const name = new NumpyScalar("numpy.core.multiarray", "scalar", parts);
 * console.log(String(Buffer.from(name.value))); // rain
 * ```
 */
export class NumpyScalar extends PyObject {
  /** As numpy shows it: "<U2", "|S5", "|V12" */
  get dtype(): string {
    return numpyType(this.args[0]).name;
  }

  /** As an element of `NumpyArray.toArray` */
  get value(): unknown {
    const raw = this.args[1];
    const type = numpyType(this.args[0]);
    return type.code === "O" ? raw : elements(type, bytesOf(raw), 1)[0];
  }
}

function bytesOf(raw: unknown): Uint8Array {
  if (raw instanceof Uint8Array) return raw;
  if (typeof raw === "string") return Buffer.from(raw, "latin1");
  throw malformed("numpy array");
}

const LITTLE = "<";

/** Reads a numpy dtype: a `PyObject` of numpy.dtype with its state, or a global such as float32. */
function numpyType(value: unknown): NumpyType {
  if (value instanceof PyGlobal) {
    const size = Number(/\d+$/.exec(value.name)?.[0] ?? 8) / 8;
    const letter = value.name.startsWith("complex")
      ? "c"
      : value.name === "bool"
        ? "b"
        : (value.name[0] as string);
    const itemSize = letter === "b" ? 1 : size;
    const code = `${letter}${itemSize}`;
    return { name: `${LITTLE}${code}`, code: letter, isBigEndian: false, itemSize, fields: [] };
  }
  if (!(value instanceof PyObject) || typeof value.args[0] !== "string") {
    throw malformed("numpy dtype");
  }
  const [text] = value.args as [string];
  const state = Array.isArray(value.state) ? (value.state as unknown[]) : [];
  const order = typeof state[1] === "string" ? state[1] : "|";
  const code = /[A-Za-z]/.exec(text)?.[0] ?? "V";
  const given = Number(/\d+/.exec(text)?.[0] ?? 0);
  // The size of a text or of a structure stands in the state.
  const size = typeof state[5] === "number" && state[5] > 0 ? state[5] : given;
  const itemSize = code === "U" ? (state[5] === undefined ? 4 * given : size) : size;
  const shown = code === "U" ? itemSize / 4 : code === "O" ? "" : itemSize;
  const metadata = state[8];
  const unit = (code === "M" || code === "m") && Array.isArray(metadata) ? unitOf(metadata) : "";
  const names = state[3];
  const table = state[4];
  const fields: NumpyType["fields"] = [];
  if (Array.isArray(names) && isMap(table)) {
    for (const name of names) {
      const entry = table.get(name);
      if (!Array.isArray(entry)) throw malformed("numpy dtype");
      fields.push([String(name), numpyType(entry[0]), Number(entry[1])]);
    }
  }
  return {
    name: `${order}${code}${shown}${unit}`,
    code,
    isBigEndian: order === ">",
    itemSize,
    fields,
  };
}

/** "[D]" of the metadata that follows a date's dtype: (…, (unit, number, 1, 1)). */
function unitOf(metadata: unknown[]): string {
  const parts = metadata.at(-1);
  if (!Array.isArray(parts)) return "";
  const [unit, number] = parts;
  const text = unit instanceof Uint8Array ? Buffer.from(unit).toString("latin1") : String(unit);
  return number === 1 ? `[${text}]` : `[${number}${text}]`;
}

function elements(type: NumpyType, bytes: Uint8Array, total: number): unknown[] {
  const { itemSize } = type;
  if (bytes.length !== total * itemSize) throw malformed("numpy array");
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return Array.from({ length: total }, (_, i) => element(type, view, i * itemSize));
}

function element(type: NumpyType, view: DataView, at: number): unknown {
  const { code, itemSize, isBigEndian, fields } = type;
  const little = !isBigEndian;
  const bytes = () => new Uint8Array(view.buffer, view.byteOffset + at, itemSize).slice();
  switch (code) {
    case "U": {
      let text = "";
      for (let i = 0; i < itemSize; i += 4) {
        const point = view.getUint32(at + i, little);
        text += point > 0x10ffff ? "\ufffd" : String.fromCodePoint(point);
      }
      return text.replace(/\0+$/, "");
    }
    case "S":
    case "a": {
      const all = bytes();
      let end = all.length;
      while (end > 0 && all[end - 1] === 0) end--;
      return all.slice(0, end);
    }
    case "M":
    case "m":
      return view.getBigInt64(at, little);
    case "V":
      if (fields.length === 0) return bytes();
      return Object.fromEntries(
        fields.map(([name, own, offset]) => [name, element(own, view, at + offset)]),
      );
    case "b":
      return itemSize === 1 && view.getUint8(at) !== 0;
    case "f":
      if (itemSize === 8) return view.getFloat64(at, little);
      if (itemSize === 4) return view.getFloat32(at, little);
      return itemSize === 16 ? longDouble(view, at, little) : bytes();
    case "i":
    case "u":
      return integer(code === "i", itemSize, view, at, little);
    default:
      return bytes();
  }
}

function integer(signed: boolean, size: number, view: DataView, at: number, little: boolean) {
  const bits = BigInt(size * 8);
  let value = 0n;
  for (let i = 0; i < size; i++) {
    const byte = view.getUint8(at + (little ? size - 1 - i : i));
    value = (value << 8n) | BigInt(byte);
  }
  if (signed) value = BigInt.asIntN(Number(bits), value);
  return size === 8 && !Number.isSafeInteger(Number(value)) ? value : Number(value);
}

/** An x87 number of 80 bits, rounded to a double. */
function longDouble(view: DataView, at: number, little: boolean): number {
  const mantissa = view.getBigUint64(little ? at : at + 8, little);
  const head = view.getUint16(little ? at + 8 : at + 6, little);
  const exponent = head & 0x7fff;
  const sign = head & 0x8000 ? -1 : 1;
  if (exponent === 0x7fff) {
    return mantissa << 1n === 0n || mantissa === 1n << 63n
      ? sign * Number.POSITIVE_INFINITY
      : Number.NaN;
  }
  // In two steps, so that the power of two does not leave the range before the number does.
  const power = exponent - 16383 - 63;
  const half = Math.trunc(power / 2);
  return sign * Number(mantissa) * 2 ** half * 2 ** (power - half);
}

/**
 * A TorchScript program: its objects, constants and code. The code is text; nothing runs it.
 *
 * @example
 * ```js
 * const constants = Tuple.of(new Tensor("float32", [1], Float32Array.of(2)));
 * const parts = [["module", new PyObject("__torch__", "Net")], ["constants", constants]];
 * const program = new ScriptModule("torch.jit", "ScriptModule", new Tuple(), new Map(parts));
 * console.log(program.root.name, stateDict(program).get("CONSTANTS.c0").data[0]); // Net 2
 * ```
 */
export class ScriptModule extends PyObject {
  #part(name: string): unknown {
    return isMap(this.state) ? this.state.get(name) : undefined;
  }

  /** The outermost module; `state` has its attributes, which are modules, tensors and others */
  get root(): PyObject {
    const root = this.#part("module");
    if (root instanceof PyObject) return root;
    throw malformed("TorchScript program");
  }

  /** What the code names `CONSTANTS.c0`, `CONSTANTS.c1` and so on */
  get constants(): unknown[] {
    const constants = this.#part("constants");
    return Array.isArray(constants) ? constants : [];
  }

  /** The text of each file of code by its path in the archive, below `code/` */
  get code(): Map<string, string> {
    const code = this.#part("code");
    return isMap(code) ? (code as Map<string, string>) : new Map();
  }
}

/** The classes by the globals whose calls they describe. */
const DESCRIBED: ReadonlyMap<string, typeof PyObject> = new Map<string, typeof PyObject>([
  ["torch._utils._rebuild_sparse_tensor", SparseTensor],
  ["torch._utils._rebuild_qtensor", QuantizedTensor],
  ["torch.jit.ScriptModule", ScriptModule],
  ["torch._utils._rebuild_nested_tensor", NestedTensor],
  ["torch._utils._rebuild_meta_tensor_no_storage", MetaTensor],
  ...["core", "_core"].flatMap((core): [string, typeof PyObject][] => [
    [`numpy.${core}.multiarray._reconstruct`, NumpyArray],
    [`numpy.${core}.numeric._frombuffer`, NumpyArray],
    [`numpy.${core}.multiarray.scalar`, NumpyScalar],
  ]),
  ["numpy.ma.core._mareconstruct", NumpyArray],
  ["numpy.ma._mareconstruct", NumpyArray],
]);

/** Gives an object that is filled the class that its arguments ask for. */
export function settle(object: PyObject): void {
  const type = Array.isArray(object.args) ? object.args[1] : undefined;
  const isJagged = type instanceof PyGlobal && `${type.module}.${type.name}` === NESTED;
  if (object.name === "_rebuild_from_type_v2" && object.module === "torch._tensor" && isJagged) {
    Object.setPrototypeOf(object, JaggedTensor.prototype);
  }
}

const NESTED = "torch.nested._internal.nested_tensor.NestedTensor";

/** Makes the object that describes a call. Its class may be settled once it is filled. */
export function describedObject(module: string, name: string, allocated: boolean): PyObject {
  const object = new (DESCRIBED.get(`${module}.${name}`) ?? PyObject)(module, name);
  object.allocated = allocated;
  return object;
}
