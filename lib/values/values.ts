/**
 * The JavaScript values that stand for the content of a torch.save file. All of them are plain
 * data: reading constructs no class and calls no function that the file names.
 */

import { constants } from "node:buffer";
import { ownArrays } from "../base/realm.js";
import {
  mark,
  rememberArray,
  rememberMap,
  rememberPairs,
  rememberSet,
  rememberState,
  type Slots,
} from "./provenance.js";

/** The element types. The names are PyTorch's without the prefix "torch.". */
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

/** The arrays that hold the elements of a tensor; see `Tensor`. */
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
 * A tensor. Its elements are row-major and contiguous, whatever its strides in the file are.
 *
 * `data` has one element per element of the tensor where JavaScript has an array of that type.
 * Other types are held as their bits: float16, bfloat16 and complex32 in a `Uint16Array`, 8-bit
 * floats and bool in a `Uint8Array`. A complex number takes two elements, its real and its
 * imaginary part. Tensors that share a storage in the file share one `ArrayBuffer`. A tensor that
 * is read with `weights: false` has empty `data`.
 *
 * The constructor checks nothing. Functions that take a tensor check it.
 *
 * @example
 * ```js
 * const latents = new Tensor("float32", [2, 3], Float32Array.of(1, 2, 3, 4, 5, 6));
 * const [rows, columns] = latents.shape;
 * console.log(latents.data[1 * columns + 2]); // 6, the last element of the second row
 * ```
 */
export class Tensor {
  readonly dtype: DType;
  /** The size of each dimension; [] for a scalar */
  readonly shape: number[];
  readonly data: TypedArray;

  constructor(dtype: DType, shape: number[], data: TypedArray) {
    this.dtype = dtype;
    this.shape = shape;
    this.data = data;
  }
}

/**
 * A numpy array. `data` is row-major like that of any tensor. `fortranOrder` states the order of
 * the elements in the file, so that `save` writes the same order.
 *
 * @example
 * ```js
 * const bounds = new NdArray("float64", [3], Float64Array.of(-1, 0, 1));
 * await save({ bounds }, "bounds.pt");
 * console.log((await load("bounds.pt")).get("bounds") instanceof NdArray); // true
 * ```
 */
export class NdArray extends Tensor {
  readonly fortranOrder: boolean;

  constructor(dtype: DType, shape: number[], data: TypedArray, fortranOrder = false) {
    super(dtype, shape, data);
    this.fortranOrder = fortranOrder;
  }
}

/**
 * A Python tuple. Methods that return a new array (`map`, `slice`, …) return a plain `Array`.
 *
 * @example
 * ```js
 * const shape = Tuple.of(128, 94);
 * await save({ shape }, "shape.pt"); // a plain Array would become a list
 * console.log((await load("shape.pt")).get("shape") instanceof Tuple); // true
 * ```
 */
export class Tuple<T = unknown> extends Array<T> {
  /** The class of the arrays that `map`, `slice` and others return. */
  static override get [Symbol.species](): ArrayConstructor {
    return Array;
  }
}

/**
 * A Python `collections.OrderedDict` and the attributes that are set on it. A state dict is one,
 * with the attribute `_metadata`.
 *
 * @example
 * ```js
 * const bias = new Tensor("float32", [2], Float32Array.of(0, 1));
 * const stateDict = new OrderedDict([["bias", bias]]);
 * stateDict.attributes = new Map([["_metadata", new OrderedDict()]]);
 * await save(stateDict, "bias.pt");
 * ```
 */
export class OrderedDict<K = unknown, V = unknown> extends Map<K, V> {
  /** Name → value; null: no attributes */
  attributes: Map<unknown, unknown> | null = null;
}

/**
 * A Python complex number.
 *
 * @example
 * ```js
 * const { re, im } = new Complex(0, 1);
 * console.log(`${re} + ${im}i`); // 0 + 1i
 * ```
 */
export class Complex {
  readonly re: number;
  readonly im: number;

  constructor(re: number, im: number) {
    this.re = re;
    this.im = im;
  }
}

/**
 * A class or another global that the file refers to without calling it, such as `torch.float32` or
 * `builtins.list`.
 *
 * @example
 * ```js
 * await save({ dtype: new PyGlobal("torch", "float32") }, "settings.pt");
 * const settings = await load("settings.pt");
 * console.log(settings.get("dtype").name); // float32
 * ```
 */
export class PyGlobal {
  readonly module: string;
  readonly name: string;

  constructor(module: string, name: string) {
    this.module = module;
    this.name = name;
  }
}

/**
 * Describes a Python object: the name of its class, the arguments of its construction and the state
 * set on it afterwards. The class itself is never loaded or called.
 *
 * @example
 * ```js
 * const checkpoint = await load("checkpoint.pt");
 * for (const [setting, value] of checkpoint.get("training_config")) {
 *   if (value instanceof PyObject) console.log(setting, value.name, value.args[0]);
 * }
 * ```
 */
export class PyObject {
  readonly module: string;
  readonly name: string;
  args: unknown[];
  /** true: Python makes the object with `cls.__new__(cls, *args)`; false: by calling the class */
  allocated = false;
  /** Keyword arguments of the construction; null: none */
  kwargs: Map<unknown, unknown> | null = null;
  /** The argument of `__setstate__`, or the `__dict__`; null: none */
  state: unknown;
  /** Items appended to the object, if its class derives from list */
  items: unknown[] = [];
  /** Entries set on the object, if its class derives from dict */
  entries: [unknown, unknown][] = [];

  constructor(module: string, name: string, args: unknown[] = new Tuple(), state: unknown = null) {
    this.module = module;
    this.name = name;
    this.args = args;
    this.state = state;
  }
}

/**
 * The functions that the addons call to make values. They make a container empty and fill it later,
 * because a container in a pickle may contain itself.
 */
export const factories = {
  /** The bytes of the largest possible ArrayBuffer; a larger tensor is an error. */
  maxBufferBytes: constants.MAX_LENGTH,
  tensor: (dtype: DType, shape: number[], data: TypedArray): Tensor =>
    new Tensor(dtype, shape, ownArrays(data)),
  ndArray: (dtype: DType, shape: number[], data: TypedArray, fortranOrder: boolean): NdArray =>
    new NdArray(dtype, shape, ownArrays(data), fortranOrder),
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
  /** Stores the kinds of some items of an array, or the kind of an object's state (index 0). */
  remember(target: unknown[] | PyObject, slots: Slots): void {
    if (target instanceof PyObject) rememberState(target, slots[0] as number);
    else rememberArray(target, slots);
  },
  mark,
} as const;

export type ValueFactories = typeof factories;
