/**
 * The JavaScript side of what a torch.save file holds. Everything here is data: no class of the
 * file is ever constructed, no function of it called.
 */

import { constants } from "node:buffer";
import {
  mark,
  rememberArray,
  rememberMap,
  rememberPairs,
  rememberSet,
  rememberState,
} from "./provenance.js";

/** Element types, by PyTorch's names without "torch." in front. */
export type DType =
  | "bool"
  | "uint8"
  | "int8"
  | "int16"
  | "int32"
  | "int64"
  | "uint16"
  | "uint32"
  | "uint64"
  | "float16"
  | "bfloat16"
  | "float32"
  | "float64"
  | "complex32"
  | "complex64"
  | "complex128"
  | "float8_e4m3fn"
  | "float8_e5m2"
  | "float8_e4m3fnuz"
  | "float8_e5m2fnuz"
  | "float8_e8m0fnu";

/** What holds the elements of a tensor. */
export type TypedArray =
  | Int8Array
  | Uint8Array
  | Int16Array
  | Uint16Array
  | Int32Array
  | Uint32Array
  | BigInt64Array
  | BigUint64Array
  | Float32Array
  | Float64Array;

/**
 * A tensor: row-major and contiguous, whatever its strides were in the file.
 *
 * `data` has one element per entry for the types that JavaScript has. The others come as their
 * bits: float16, bfloat16 and complex32 as `Uint16Array`, 8-bit floats and bool as `Uint8Array`;
 * complex numbers are interleaved real and imaginary parts. Tensors that shared a storage in the
 * file share one `ArrayBuffer`. Read with `weights: false`, `data` is empty.
 *
 * The constructor checks nothing; what takes a tensor does.
 */
export class Tensor {
  readonly dtype: DType;
  readonly shape: number[];
  readonly data: TypedArray;

  constructor(dtype: DType, shape: number[], data: TypedArray) {
    this.dtype = dtype;
    this.shape = shape;
    this.data = data;
  }
}

/** A numpy array: a Tensor that remembers that it was one, and in which order it was stored. */
export class NdArray extends Tensor {
  readonly fortranOrder: boolean;

  constructor(dtype: DType, shape: number[], data: TypedArray, fortranOrder = false) {
    super(dtype, shape, data);
    this.fortranOrder = fortranOrder;
  }
}

/** A Python tuple. Methods that make new arrays (`map`, `slice`, …) make plain ones. */
export class Tuple<T = unknown> extends Array<T> {
  /** Arrays made of a tuple are plain ones. */
  static override get [Symbol.species](): ArrayConstructor {
    return Array;
  }
}

/** A `collections.OrderedDict`, with the attributes that were set on it (`_metadata` of a state dict). */
export class OrderedDict<K = unknown, V = unknown> extends Map<K, V> {
  /** Name → value; null when it has none */
  attributes: Map<unknown, unknown> | null = null;
}

/** A Python complex number. */
export class Complex {
  readonly re: number;
  readonly im: number;

  constructor(re: number, im: number) {
    this.re = re;
    this.im = im;
  }
}

/** A class or other global that the file refers to without calling it (`torch.float32`, `builtins.list`). */
export class PyGlobal {
  readonly module: string;
  readonly name: string;

  constructor(module: string, name: string) {
    this.module = module;
    this.name = name;
  }
}

/**
 * An object of a class that is known by name only: the class, the arguments it was made with and
 * the state set on it afterwards. Never constructed.
 */
export class PyObject {
  readonly module: string;
  readonly name: string;
  args: unknown[];
  /** true: by `cls.__new__(cls, *args)`; false: by calling the class */
  allocated = false;
  kwargs: Map<unknown, unknown> | null = null;
  state: unknown;
  /** Items appended to it, if it is a list of some kind. */
  items: unknown[] = [];
  /** Entries set on it, if it is a dict of some kind. */
  entries: [unknown, unknown][] = [];

  constructor(module: string, name: string, args: unknown[] = new Tuple(), state: unknown = null) {
    this.module = module;
    this.name = name;
    this.args = args;
    this.state = state;
  }
}

/**
 * What the addons call to make values. Containers are made empty and filled later, because a
 * pickle may hold a container that contains itself.
 */
export const factories = {
  /** Larger tensors cannot be held: 4 GiB on Node 20, beyond any memory later. */
  maxBufferBytes: constants.MAX_LENGTH,
  tensor: (dtype: DType, shape: number[], data: TypedArray): Tensor =>
    new Tensor(dtype, shape, data),
  ndArray: (dtype: DType, shape: number[], data: TypedArray, fortranOrder: boolean): NdArray =>
    new NdArray(dtype, shape, data, fortranOrder),
  complex: (re: number, im: number): Complex => new Complex(re, im),
  global: (module: string, name: string): PyGlobal => new PyGlobal(module, name),
  object(module: string, name: string, allocated: boolean): PyObject {
    const object = new PyObject(module, name);
    object.allocated = allocated;
    return object;
  },
  tuple: (): Tuple => new Tuple(),
  set: (): Set<unknown> => new Set(),
  map: (): Map<unknown, unknown> => new Map(),
  orderedDict: (): OrderedDict => new OrderedDict(),
  fillSet(set: Set<unknown>, items: unknown[]): void {
    for (const item of items) set.add(item);
    rememberSet(set, items);
  },
  fillMap(
    map: Map<unknown, unknown>,
    flat: unknown[],
    attributes: Map<unknown, unknown> | null,
  ): void {
    for (let i = 0; i < flat.length; i += 2) map.set(flat[i], flat[i + 1]);
    rememberMap(map, flat);
    if (map instanceof OrderedDict) map.attributes = attributes;
  },
  fillObject(
    object: PyObject,
    args: unknown[],
    kwargs: Map<unknown, unknown> | null,
    state: unknown,
    items: unknown[],
    flat: unknown[],
  ): void {
    object.args = args;
    object.kwargs = kwargs;
    object.state = state;
    object.items = items;
    for (let i = 0; i < flat.length; i += 2) object.entries.push([flat[i], flat[i + 1]]);
    rememberPairs(object.entries, flat);
  },
  /** How the values at some indices of an array came, or (index 0) the state of an object. */
  remember(target: unknown[] | PyObject, slots: Float64Array): void {
    if (target instanceof PyObject) rememberState(target, slots[0] as number);
    else rememberArray(target, slots);
  },
  mark,
} as const;

export type ValueFactories = typeof factories;
