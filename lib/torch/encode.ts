/**
 * Encodes JavaScript values as a plan for the native writer. A plan is a program of a stack
 * machine: a list of codes, and two lists with the numbers and the values that the codes take in
 * order. A value that cannot be saved is refused here; the error gives the path of keys to it.
 */

import { show } from "../base/brief.js";
import { SdaError } from "../base/errors.js";
import { isMap, isSet, isUint8Array } from "../base/realm.js";
import type { SavePlan } from "../native/types.js";
import {
  arrayKinds,
  MARK,
  mapKinds,
  marksOf,
  SLOT_FLOAT,
  SLOT_NUMPY_SCALAR,
  SLOT_VERSION,
  setKind,
  stateKind,
  viewOf,
} from "../values/provenance.js";
import { checkTensorData, isNumpyType } from "../values/tensor-data.js";
import {
  Complex,
  Counter,
  DefaultDict,
  Deque,
  NdArray,
  OrderedDict,
  PyGlobal,
  PyObject,
  Tensor,
  Tuple,
} from "../values/values.js";
import { isPlain, PythonKeys } from "./python-keys.js";

/** The greatest depth of nested containers. The reader has the same limit. */
export const MAX_DEPTH = 1600;

/** The codes, in the order of native/addon/marshal/plan_codes.def, which documents each of them. */
export enum Code {
  None,
  True,
  False,
  Int,
  Float,
  Str,
  BigInt,
  Bytes,
  ByteArray,
  Complex,
  NumpyScalar,
  Version,
  List,
  Tuple,
  Size,
  Dict,
  OrderedDict,
  Counter,
  DefaultDict,
  Deque,
  Set,
  FrozenSet,
  Fill,
  Floats,
  Attributes,
  Global,
  Object,
  ObjectParts,
  Tensor,
  View,
  NdArray,
  Storage,
  Ref,
  Carry,
  CarryAll,
  Amend,
}

/**
 * Stands for the value under `key` in the source file's top-level dict. The native writer copies
 * that value, or saves `fallback` if the dict has no such key.
 */
export class Carried {
  readonly key: string;
  readonly fallback: unknown;
  constructor(key: string, fallback?: unknown) {
    this.key = key;
    this.fallback = fallback;
  }
}

/**
 * Stands for a copy of a dict of the source file with changed entries. Changed keys keep their
 * places, and new keys follow at the end. If `base` is null, the dict is the file's top-level dict.
 */
export class Amended {
  readonly base: Carried | null;
  readonly changes: ReadonlyMap<string, unknown>;
  constructor(base: Carried | null, changes: ReadonlyMap<string, unknown>) {
    this.base = base;
    this.changes = changes;
  }
}

/** Stands for the arguments of a call, which an array holds. */
class Arguments {
  readonly args: unknown[];
  constructor(args: unknown[]) {
    this.args = args;
  }
}

/** What a value had when it was read and does not have in the file that `save` has written. */
export interface NotKept {
  /** The path to the value, such as `value["weights"][0]` */
  at: string;
  /**
   * "device": the tensor was not on the CPU, and is written as a tensor of the CPU. "hooks": the
   * tensor had backward hooks. "conjugate": the tensor was a conjugate or negative view, and its
   * elements are written. "sharing": the tensor viewed a storage with strides, and its elements
   * differ from that storage now, so it gets a storage of its own. "byteOrder": the numpy array or
   * dtype was big-endian, and is written little-endian. "size": a torch.Size has other items than
   * ints, and is written as a tuple.
   */
  what: "device" | "hooks" | "conjugate" | "sharing" | "byteOrder" | "size";
}

/** A plan, and what it does not keep. */
export interface Encoded extends SavePlan {
  notKept: NotKept[];
  /** The paths of the tensors of which `Code.View` was encoded */
  views: string[];
}

/** @throws SdaError ERR_SDA_ARGUMENT (`details.at` is the path to the value), ERR_SDA_LIMIT */
export function encode(value: unknown): Encoded {
  return new Encoder().encode(value);
}

/** A value that an object holds. */
interface Child {
  value: unknown;
  /** The value's kind from provenance.ts; 0: the type that JavaScript shows */
  kind: number;
  /** What leads to the value in its object; HERE: it is a key itself */
  key: unknown;
}

/** Stands for no step in the path: errors name a dict's key by the path to the dict. */
const HERE = Symbol("here");

/**
 * Encodes an object. It yields each value inside the object, and continues when that value has been
 * encoded. So the stack of open objects is an array, and deep values cannot overflow JavaScript's.
 */
type Steps = Generator<Child, void, void>;

class Encoder {
  readonly #codes: number[] = [];
  readonly #numbers: number[] = [];
  readonly #values: unknown[] = [];
  /** Each encoded object and its number, for `Code.Ref` */
  readonly #made = new Map<object, number>();
  /** The keys that lead to the current value */
  readonly #path: unknown[] = [];
  readonly #keys = new PythonKeys();
  readonly #notKept: NotKept[] = [];
  readonly #views: string[] = [];

  encode(value: unknown): Encoded {
    this.#run({ value, kind: 0, key: HERE });
    return {
      codes: new Uint32Array(this.#codes),
      numbers: new Float64Array(this.#numbers),
      values: this.#values,
      notKept: this.#notKept,
      views: this.#views,
    };
  }

  #run(root: Child): void {
    const open: { steps: Steps; child: Child }[] = [];
    let child: Child | undefined = root;
    for (;;) {
      if (child !== undefined) {
        if (child.key !== HERE) this.#path.push(child.key);
        const steps = this.#value(child);
        if (steps !== null) {
          if (open.length > MAX_DEPTH) throw tooDeep();
          open.push({ steps, child });
        } else if (child.key !== HERE) this.#path.pop();
      }
      const inner = open.at(-1);
      if (inner === undefined) return;
      const { done, value } = inner.steps.next();
      child = done ? undefined : value;
      if (done) {
        open.pop();
        if (inner.child.key !== HERE) this.#path.pop();
      }
    }
  }

  /** Encodes a value. Of an object that holds others, it returns the steps of encoding it. */
  #value({ value, kind }: Child): Steps | null {
    let steps: Steps | null = null;
    switch (typeof value) {
      case "string":
        this.#codes.push(Code.Str);
        this.#values.push(value);
        break;
      case "number":
        this.#codes.push(isFloat(value, kind) ? Code.Float : Code.Int);
        this.#numbers.push(value);
        break;
      case "bigint":
        this.#codes.push(Code.BigInt);
        this.#values.push(value);
        break;
      case "boolean":
        this.#codes.push(value ? Code.True : Code.False);
        break;
      case "object":
        if (value === null) this.#codes.push(Code.None);
        else steps = this.#object(value);
        break;
      default:
        throw this.#refuse(`${show(value)} can't be saved`);
    }
    if (kind === SLOT_VERSION) this.#codes.push(Code.Version);
    else if (kind >= SLOT_NUMPY_SCALAR)
      this.#codes.push(Code.NumpyScalar, kind - SLOT_NUMPY_SCALAR);
    return steps;
  }

  #object(value: object): Steps | null {
    const known = this.#made.get(value);
    if (known !== undefined) {
      this.#codes.push(Code.Ref, known);
      return null;
    }
    if (value instanceof Tensor) return this.#tensor(value);
    if (isMap(value)) return this.#map(value);
    if (Array.isArray(value)) return this.#array(value);
    if (isUint8Array(value)) return this.#bytes(value);
    if (isSet(value)) return this.#set(value);
    if (value instanceof Complex) {
      this.#codes.push(Code.Complex);
      this.#numbers.push(value.re, value.im);
      return null;
    }
    if (value instanceof PyObject) return this.#pyObject(value);
    if (value instanceof PyGlobal) {
      this.#make(value, Code.Global);
      if (marksOf(value) & MARK.bigEndian) this.#lose("byteOrder");
      this.#values.push(this.#name(value.module), this.#name(value.name));
      return null;
    }
    if (value instanceof Arguments) return this.#arguments(value);
    if (value instanceof Carried) return this.#carried(value);
    if (value instanceof Amended) return this.#amended(value);
    if (isPlain(value)) return this.#plain(value);
    throw this.#refuse(`${show(value)} can't be saved`);
  }

  /** Starts an object and gives it the next number. */
  #make(value: object, code: Code): void {
    this.#made.set(value, this.#made.size);
    this.#codes.push(code);
  }

  #array(array: unknown[]): Steps {
    if (array instanceof Deque) {
      const { maxlen } = array;
      if (maxlen !== null && !(Number.isSafeInteger(maxlen) && maxlen >= array.length)) {
        throw this.#refuse(
          "a Deque's maxlen must be null, or a whole number and not less than its length",
        );
      }
      this.#value({ value: maxlen, kind: 0, key: HERE });
      this.#make(array, Code.Deque);
    } else {
      this.#make(array, this.#sequenceCode(array));
    }
    return this.#items(array);
  }

  #sequenceCode(array: unknown[]): Code {
    if (!(array instanceof Tuple)) return Code.List;
    if (!(marksOf(array) & MARK.size)) return Code.Tuple;
    const kindAt = arrayKinds(array);
    const isInt = (item: unknown, i: number) =>
      typeof item === "number" && !isFloat(item, 0) && (kindAt?.(i, item) ?? 0) === 0;
    const isSize = array.every(isInt);
    if (!isSize) this.#lose("size");
    return isSize ? Code.Size : Code.Tuple;
  }

  /** Encodes the items of an array. A run of floats, the usual long list, takes one code. */
  *#items(array: unknown[]): Steps {
    const kindAt = arrayKinds(array);
    let others = 0;
    let floats = 0;
    const endOthers = () => {
      if (others > 0) this.#codes.push(Code.Fill, others);
      others = 0;
    };
    const endFloats = () => {
      if (floats > 0) this.#codes.push(Code.Floats, floats);
      floats = 0;
    };
    for (let i = 0; i < array.length; i++) {
      const value = array[i];
      const kind = kindAt === null ? 0 : kindAt(i, value);
      if (typeof value === "number" && kind <= SLOT_FLOAT && isFloat(value, kind)) {
        endOthers();
        this.#numbers.push(value);
        floats++;
      } else {
        endFloats();
        yield { value, kind, key: i };
        others++;
      }
    }
    endOthers();
    endFloats();
  }

  *#map(map: Map<unknown, unknown>): Steps {
    const ordered = map instanceof OrderedDict;
    if (map instanceof DefaultDict) {
      yield { value: map.factory, kind: 0, key: "factory" };
      this.#make(map, Code.DefaultDict);
    } else if (map instanceof Counter) {
      this.#make(map, Code.Counter);
    } else {
      this.#make(map, ordered ? Code.OrderedDict : Code.Dict);
    }
    this.#checkKeys(map, "a dict key");
    for (const [key, value] of map) {
      const [keyKind, valueKind] = mapKinds(map, key, value);
      yield { value: key, kind: keyKind, key: HERE };
      yield { value, kind: valueKind, key };
    }
    this.#codes.push(Code.Fill, map.size * 2);
    if (!ordered || map.attributes === null) return;
    if (!isMap(map.attributes)) throw this.#refuse("an OrderedDict's attributes must be a Map");
    yield { value: map.attributes, kind: 0, key: "attributes" };
    this.#codes.push(Code.Attributes);
  }

  *#plain(object: object): Steps {
    this.#make(object, Code.Dict);
    const entries = Object.entries(object);
    for (const [key, value] of entries) {
      yield { value: key, kind: 0, key: HERE };
      yield { value, kind: 0, key };
    }
    this.#codes.push(Code.Fill, entries.length * 2);
  }

  *#carried({ key, fallback }: Carried): Steps {
    const hasFallback = fallback !== undefined;
    if (hasFallback) yield { value: fallback, kind: 0, key: HERE };
    this.#codes.push(Code.Carry, hasFallback ? 1 : 0);
    this.#values.push(key);
  }

  *#amended({ base, changes }: Amended): Steps {
    if (base === null) this.#codes.push(Code.CarryAll);
    else yield { value: base, kind: 0, key: HERE };
    for (const [key, value] of changes) {
      yield { value: key, kind: 0, key: HERE };
      yield { value, kind: mapKinds(changes, key, value)[1], key };
    }
    this.#codes.push(Code.Amend, changes.size);
  }

  *#set(set: Set<unknown>): Steps {
    this.#make(set, marksOf(set) & MARK.frozenSet ? Code.FrozenSet : Code.Set);
    this.#checkKeys(set, "a member of a set");
    let index = 0;
    for (const member of set) {
      yield { value: member, kind: setKind(set, member), key: index++ };
    }
    this.#codes.push(Code.Fill, set.size);
  }

  #bytes(bytes: Uint8Array): null {
    const problem = checkTensorData("uint8", [bytes.length], bytes);
    if (problem !== null) throw this.#refuse(problem);
    this.#codes.push(marksOf(bytes) & MARK.byteArray ? Code.ByteArray : Code.Bytes);
    this.#values.push(bytes);
    return null;
  }

  #tensor(tensor: Tensor): Steps | null {
    const { dtype, shape, data, attributes = null } = tensor;
    const problem = checkTensorData(dtype, shape, data);
    if (problem !== null) throw this.#refuse(problem);
    const marks = marksOf(tensor);
    if (attributes !== null && (tensor instanceof NdArray || marks & MARK.storage)) {
      throw this.#refuse("an array of numpy or a storage has no attributes");
    }
    if (marks & MARK.elsewhere) this.#lose("device");
    if (marks & MARK.hooked) this.#lose("hooks");
    if (marks & MARK.conjugate) this.#lose("conjugate");
    if (marks & MARK.bigEndian) this.#lose("byteOrder");
    this.#values.push(data, dtype);
    if (tensor instanceof NdArray) {
      if (!isNumpyType(dtype)) throw this.#refuse(`numpy has no dtype ${dtype}`);
      this.#make(tensor, Code.NdArray);
      this.#codes.push(tensor.fortranOrder ? 1 : 0);
    } else if (marks & MARK.storage) {
      this.#make(tensor, Code.Storage);
      this.#codes.push(marks & MARK.untyped ? 1 : 0);
      return null;
    } else {
      this.#make(tensor, Code.Tensor);
      this.#codes.push(marks & (MARK.requiresGrad | MARK.parameter));
    }
    this.#codes.push(shape.length);
    for (const size of shape) this.#numbers.push(size);
    this.#view(tensor);
    return attributes === null ? null : this.#attributes(attributes);
  }

  /** Tells the writer which storage the tensor viewed, so that they share it again. */
  #view(tensor: Tensor): void {
    const view = viewOf(tensor);
    if (view === null) return;
    const { buffer, offset, strides } = view;
    if (buffer.byteLength === 0 || strides.length !== tensor.shape.length) {
      this.#lose("sharing"); // the buffer was transferred, or the shape changed
      return;
    }
    this.#views.push(this.#at());
    this.#codes.push(Code.View);
    this.#values.push(new Uint8Array(buffer));
    this.#numbers.push(offset, ...strides);
  }

  *#attributes(attributes: Map<string, unknown>): Steps {
    const isNamed = isMap(attributes) && [...attributes.keys()].every((k) => typeof k === "string");
    if (!isNamed) throw this.#refuse("a tensor's attributes must be a Map with texts as keys");
    if (attributes.size === 0) return;
    yield { value: attributes, kind: 0, key: "attributes" };
    this.#codes.push(Code.Attributes);
  }

  *#pyObject(object: PyObject): Steps {
    if (object.callee !== null) {
      throw this.#refuse("an object that the result of another call makes can't be saved");
    }
    this.#make(object, Code.Object);
    this.#values.push(this.#name(object.module), this.#name(object.name));
    this.#codes.push(object.allocated ? 1 : 0);
    if (!Array.isArray(object.args)) throw this.#refuse("a PyObject's args must be a Tuple");
    yield { value: new Arguments(object.args), kind: 0, key: "args" };
    if (object.kwargs !== null && !isMap(object.kwargs)) {
      throw this.#refuse("a PyObject's kwargs must be a Map or null");
    }
    yield { value: object.kwargs, kind: 0, key: "kwargs" };
    yield { value: object.state, kind: stateKind(object), key: "state" };
    const itemKind = arrayKinds(object.items);
    for (const [i, item] of object.items.entries()) {
      yield { value: item, kind: itemKind === null ? 0 : itemKind(i, item), key: i };
    }
    for (const pair of object.entries) {
      const kindAt = arrayKinds(pair);
      const kinds = pair.map((value, i) => (kindAt === null ? 0 : kindAt(i, value)));
      const [key, value] = pair;
      this.#checkKeys(new Set([key]), "a dict key");
      yield { value: key, kind: kinds[0] as number, key: HERE };
      yield { value, kind: kinds[1] as number, key };
    }
    this.#codes.push(Code.ObjectParts, object.items.length, object.entries.length);
  }

  /** A plain array is also encoded as a tuple: Python passes the arguments of a call as a tuple. */
  #arguments({ args }: Arguments): Steps | null {
    const known = this.#made.get(args);
    if (known !== undefined && args instanceof Tuple) {
      this.#codes.push(Code.Ref, known);
      return null;
    }
    this.#make(args, Code.Tuple);
    return this.#items(args);
  }

  #name(name: unknown): string {
    if (typeof name !== "string")
      throw this.#refuse("the module and the name of a class must be strings");
    return name;
  }

  #checkKeys(of: ReadonlyMap<unknown, unknown> | ReadonlySet<unknown>, as: string): void {
    const problem = this.#keys.problem(of, as);
    if (problem !== null) throw this.#refuse(problem);
  }

  /** The path to the current value. */
  #at(): string {
    const keys = this.#path.map((key) => (typeof key === "symbol" ? String(key) : show(key)));
    return ["value", ...keys.map((key) => `[${key}]`)].join("");
  }

  #lose(what: NotKept["what"]): void {
    this.#notKept.push({ at: this.#at(), what });
  }

  #refuse(problem: string): SdaError {
    const at = this.#at();
    return new SdaError("ERR_SDA_ARGUMENT", `${at}: ${problem}`, { at });
  }
}

function tooDeep(): SdaError {
  return new SdaError("ERR_SDA_LIMIT", `containers nested deeper than ${MAX_DEPTH}`);
}

/** Whether the number is saved as a Python float. */
function isFloat(value: number, kind: number): boolean {
  return kind === SLOT_FLOAT || !Number.isSafeInteger(value) || Object.is(value, -0);
}
