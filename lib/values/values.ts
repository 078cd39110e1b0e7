/**
 * The JavaScript values that stand for the content of a torch.save file. All of them are plain
 * data: reading constructs no class and calls no function that the file names.
 */

import type { DType, TypedArray } from "./dtype.js";

export type { DType, TypedArray };

/**
 * A tensor. Its elements are row-major and contiguous, whatever its strides in the file are.
 *
 * `data` has one element per element of the tensor where JavaScript has an array of that type.
 * Other types are held as their bits: float16, bfloat16 and complex32 in a `Uint16Array`, 8-bit
 * floats and bool in a `Uint8Array`. A complex number takes two elements, its real and its
 * imaginary part. Tensors that share a storage in the file share one `ArrayBuffer`. A tensor that
 * is read with `weights: false` has empty `data`. The `data` of a transposed, sliced or expanded
 * tensor of a file is made when it is first read. Where a tensor has more bytes than this Node's
 * `ArrayBuffer` holds (4 GiB in Node 20), reading its `data` throws ERR_SDA_LIMIT.
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
  /**
   * What Python has set on the tensor or parameter, by name: a `torch.nn.Buffer` has `persistent`
   * and `_is_buffer`. Missing or null: nothing
   */
  declare attributes?: Map<string, unknown> | null;

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
 * const weights = new OrderedDict([["bias", bias]]);
 * weights.attributes = new Map([["_metadata", new OrderedDict()]]);
 * await save(weights, "bias.pt");
 * ```
 */
export class OrderedDict<K = unknown, V = unknown> extends Map<K, V> {
  /** Name → value; null: no attributes */
  attributes: Map<unknown, unknown> | null = null;
}

/**
 * A Python `collections.Counter`: how often each key was counted.
 *
 * @example
 * ```js
 * await save({ words: new Counter([["rain", 3]]) }, "words.pt");
 * console.log((await load("words.pt")).get("words") instanceof Counter); // true
 * ```
 */
export class Counter<K = unknown> extends Map<K, number | bigint> {}

/**
 * A Python `collections.defaultdict`.
 *
 * @example
 * ```js
 * const lists = new DefaultDict([["a", [1]]]);
 * lists.factory = new PyGlobal("builtins", "list");
 * await save(lists, "lists.pt");
 * ```
 */
export class DefaultDict<K = unknown, V = unknown> extends Map<K, V> {
  /** What Python calls for a missing key, such as builtins.list; null: nothing */
  factory: unknown = null;
}

/**
 * A Python `collections.deque`. Methods that return a new array return a plain `Array`.
 *
 * @example
 * ```js
 * const losses = Deque.of(0.5, 0.25);
 * losses.maxlen = 100;
 * await save({ losses }, "losses.pt");
 * ```
 */
export class Deque<T = unknown> extends Array<T> {
  /** The greatest length; null: none */
  maxlen: number | null = null;

  static override of<T>(...items: T[]): Deque<T> {
    return Deque.from(items) as Deque<T>;
  }

  /** The class of the arrays that `map`, `slice` and others return. */
  static override get [Symbol.species](): ArrayConstructor {
    return Array;
  }
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
  /**
   * What makes the object where that is not the global `module`.`name` but the result of another
   * call, which is described here; null: the global
   */
  callee: unknown = null;

  constructor(module: string, name: string, args: unknown[] = new Tuple(), state: unknown = null) {
    this.module = module;
    this.name = name;
    this.args = args;
    this.state = state;
  }
}
