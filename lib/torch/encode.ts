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
  setKind,
  stateKind,
} from "../values/provenance.js";
import { checkTensorData, isNumpyType } from "../values/tensor-data.js";
import {
  Complex,
  NdArray,
  OrderedDict,
  PyGlobal,
  PyObject,
  Tensor,
  Tuple,
} from "../values/values.js";

/** The greatest depth of nested containers. The reader has the same limit. */
export const MAX_DEPTH = 1000;

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
  List,
  Tuple,
  Dict,
  OrderedDict,
  Set,
  FrozenSet,
  Fill,
  Floats,
  Attributes,
  Global,
  Object,
  ObjectParts,
  Tensor,
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

/** @throws SdaError ERR_SDA_ARGUMENT (`details.at` is the path to the value), ERR_SDA_LIMIT */
export function encode(value: unknown): SavePlan {
  return new Encoder().encode(value);
}

class Encoder {
  readonly #codes: number[] = [];
  readonly #numbers: number[] = [];
  readonly #values: unknown[] = [];
  /** Each encoded object and its number, for `Code.Ref` */
  readonly #made = new Map<object, number>();
  /** The keys that lead to the current value */
  readonly #path: unknown[] = [];
  /** Tuples that are known to be hashable: a key may hold one tuple many times */
  readonly #hashables = new Set<Tuple>();

  encode(value: unknown): SavePlan {
    this.#value(value, 0);
    return {
      codes: new Uint32Array(this.#codes),
      numbers: new Float64Array(this.#numbers),
      values: this.#values,
    };
  }

  /** `kind`: the value's kind from provenance.ts; 0: the type that JavaScript shows. */
  #value(value: unknown, kind: number): void {
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
        else this.#object(value);
        break;
      default:
        throw this.#refuse(`${show(value)} can't be saved`);
    }
    if (kind >= SLOT_NUMPY_SCALAR) this.#codes.push(Code.NumpyScalar, kind - SLOT_NUMPY_SCALAR);
  }

  #object(value: object): void {
    const known = this.#made.get(value);
    if (known !== undefined) {
      this.#codes.push(Code.Ref, known);
      return;
    }
    if (this.#path.length > MAX_DEPTH) {
      throw new SdaError("ERR_SDA_LIMIT", `containers nested deeper than ${MAX_DEPTH}`);
    }
    if (value instanceof Tensor) this.#tensor(value);
    else if (isMap(value)) this.#map(value);
    else if (Array.isArray(value)) this.#array(value);
    else if (isUint8Array(value)) this.#bytes(value);
    else if (isSet(value)) this.#set(value);
    else if (value instanceof Complex) {
      this.#codes.push(Code.Complex);
      this.#numbers.push(value.re, value.im);
    } else if (value instanceof PyObject) this.#pyObject(value);
    else if (value instanceof PyGlobal) {
      this.#make(value, Code.Global);
      this.#values.push(this.#name(value.module), this.#name(value.name));
    } else if (value instanceof Carried) {
      const hasFallback = value.fallback !== undefined;
      if (hasFallback) this.#value(value.fallback, 0);
      this.#codes.push(Code.Carry, hasFallback ? 1 : 0);
      this.#values.push(value.key);
    } else if (value instanceof Amended) this.#amended(value);
    else if (isPlain(value)) this.#plain(value);
    else throw this.#refuse(`${show(value)} can't be saved`);
  }

  /** Starts an object and gives it the next number. */
  #make(value: object, code: Code): void {
    this.#made.set(value, this.#made.size);
    this.#codes.push(code);
  }

  /** Encodes the value under `key` of its container. */
  #at(key: unknown, value: unknown, kind: number): void {
    this.#path.push(key);
    this.#value(value, kind);
    this.#path.pop();
  }

  #array(array: unknown[]): void {
    this.#make(array, array instanceof Tuple ? Code.Tuple : Code.List);
    this.#items(array);
  }

  /** Encodes the items of an array. A run of floats, the usual long list, takes one code. */
  #items(array: unknown[]): void {
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
        this.#at(i, value, kind);
        others++;
      }
    }
    endOthers();
    endFloats();
  }

  #map(map: Map<unknown, unknown>): void {
    const ordered = map instanceof OrderedDict;
    this.#make(map, ordered ? Code.OrderedDict : Code.Dict);
    for (const [key, value] of map) {
      const [keyKind, valueKind] = mapKinds(map, key, value);
      this.#hashable(key, "a dict key");
      this.#value(key, keyKind);
      this.#at(key, value, valueKind);
    }
    this.#codes.push(Code.Fill, map.size * 2);
    if (!ordered || map.attributes === null) return;
    if (!isMap(map.attributes)) throw this.#refuse("an OrderedDict's attributes must be a Map");
    this.#at("attributes", map.attributes, 0);
    this.#codes.push(Code.Attributes);
  }

  #plain(object: object): void {
    this.#make(object, Code.Dict);
    const entries = Object.entries(object);
    for (const [key, value] of entries) {
      this.#value(key, 0);
      this.#at(key, value, 0);
    }
    this.#codes.push(Code.Fill, entries.length * 2);
  }

  #amended({ base, changes }: Amended): void {
    if (base === null) this.#codes.push(Code.CarryAll);
    else this.#value(base, 0);
    for (const [key, value] of changes) {
      this.#value(key, 0);
      this.#at(key, value, mapKinds(changes, key, value)[1]);
    }
    this.#codes.push(Code.Amend, changes.size);
  }

  #set(set: Set<unknown>): void {
    this.#make(set, marksOf(set) & MARK.frozenSet ? Code.FrozenSet : Code.Set);
    let index = 0;
    for (const member of set) {
      this.#hashable(member, "a member of a set");
      this.#at(index++, member, setKind(set, member));
    }
    this.#codes.push(Code.Fill, set.size);
  }

  #bytes(bytes: Uint8Array): void {
    const problem = checkTensorData("uint8", [bytes.length], bytes);
    if (problem !== null) throw this.#refuse(problem);
    this.#codes.push(marksOf(bytes) & MARK.byteArray ? Code.ByteArray : Code.Bytes);
    this.#values.push(bytes);
  }

  #tensor(tensor: Tensor): void {
    const { dtype, shape, data } = tensor;
    const problem = checkTensorData(dtype, shape, data);
    if (problem !== null) throw this.#refuse(problem);
    const marks = marksOf(tensor);
    this.#values.push(data, dtype);
    if (tensor instanceof NdArray) {
      if (!isNumpyType(dtype)) throw this.#refuse(`numpy has no dtype ${dtype}`);
      this.#make(tensor, Code.NdArray);
      this.#codes.push(tensor.fortranOrder ? 1 : 0);
    } else if (marks & MARK.storage) {
      this.#make(tensor, Code.Storage);
      this.#codes.push(marks & MARK.untyped ? 1 : 0);
      return;
    } else {
      this.#make(tensor, Code.Tensor);
      this.#codes.push(marks);
    }
    this.#codes.push(shape.length);
    for (const size of shape) this.#numbers.push(size);
  }

  #pyObject(object: PyObject): void {
    this.#make(object, Code.Object);
    this.#values.push(this.#name(object.module), this.#name(object.name));
    this.#codes.push(object.allocated ? 1 : 0);
    if (!Array.isArray(object.args)) throw this.#refuse("a PyObject's args must be a Tuple");
    // A plain array is also encoded as a tuple: Python passes the arguments of a call as a tuple.
    this.#path.push("args");
    const known = this.#made.get(object.args);
    if (known === undefined || !(object.args instanceof Tuple)) {
      this.#make(object.args, Code.Tuple);
      this.#items(object.args);
    } else {
      this.#codes.push(Code.Ref, known);
    }
    this.#path.pop();
    if (object.kwargs !== null && !isMap(object.kwargs)) {
      throw this.#refuse("a PyObject's kwargs must be a Map or null");
    }
    this.#at("kwargs", object.kwargs, 0);
    this.#at("state", object.state, stateKind(object));
    const itemKind = arrayKinds(object.items);
    object.items.forEach((item, i) => {
      this.#at(i, item, itemKind === null ? 0 : itemKind(i, item));
    });
    for (const pair of object.entries) {
      const kindAt = arrayKinds(pair);
      const kinds = pair.map((value, i) => (kindAt === null ? 0 : kindAt(i, value)));
      this.#hashable(pair[0], "a dict key");
      this.#value(pair[0], kinds[0] as number);
      this.#at(pair[0], pair[1], kinds[1] as number);
    }
    this.#codes.push(Code.ObjectParts, object.items.length, object.entries.length);
  }

  #name(name: unknown): string {
    if (typeof name !== "string")
      throw this.#refuse("the module and the name of a class must be strings");
    return name;
  }

  /**
   * Refuses a value that cannot be a dict key or a member of a set in Python. Without this check,
   * only reading the file in Python would fail.
   */
  #hashable(value: unknown, as: string, depth = 0): void {
    const list = Array.isArray(value) && !(value instanceof Tuple);
    const unhashable =
      list ||
      isMap(value) ||
      value instanceof NdArray ||
      (isSet(value) && !(marksOf(value) & MARK.frozenSet)) ||
      (isUint8Array(value) && (marksOf(value) & MARK.byteArray) !== 0) ||
      (typeof value === "object" && value !== null && isPlain(value));
    if (unhashable) throw this.#refuse(`${show(value)} can't be ${as} in Python`);
    if (!(value instanceof Tuple) || depth > MAX_DEPTH || this.#hashables.has(value)) return;
    this.#hashables.add(value);
    for (const item of value) this.#hashable(item, as, depth + 1);
  }

  #refuse(problem: string): SdaError {
    const at = `value${this.#path.map((key) => `[${typeof key === "symbol" ? String(key) : show(key)}]`).join("")}`;
    return new SdaError("ERR_SDA_ARGUMENT", `${at}: ${problem}`, { at });
  }
}

/** Whether the number is saved as a Python float. */
function isFloat(value: number, kind: number): boolean {
  return kind === SLOT_FLOAT || !Number.isSafeInteger(value) || Object.is(value, -0);
}

function isPlain(value: object): boolean {
  const prototype = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}
