/**
 * Makes the values that a program describes. `native/addon/marshal/program.cc` writes programs,
 * because one native call for each value would take longer than reading the file. The reader can
 * stop after any value and go on later, and needs no stack however deep the values nest.
 */
import { describedObject, settle } from "./described.js";
import type { DType, TypedArray } from "./dtype.js";
import {
  type MapKinds,
  mark,
  rememberArray,
  rememberMap,
  rememberSet,
  rememberState,
  rememberView,
  SLOT_KINDS,
} from "./provenance.js";
import { count, defineStrided, defineTooLarge } from "./strided.js";
import { arrayFor, bytesPerElement, DTYPES } from "./tensor-data.js";
import {
  Complex,
  Counter,
  DefaultDict,
  Deque,
  NdArray,
  OrderedDict,
  PyGlobal,
  type PyObject,
  Tensor,
  Tuple,
} from "./values.js";

/**
 * The operations of a program. The comments name the numbers that follow each operation. "Values"
 * are operations themselves, which may have a slot before them. A place and a length name a piece
 * of the program's texts; a shape is the number of dimensions and their sizes; a dtype is its index
 * in `DTYPES`; marks are the bits of `MARK`; a flag is 0 or 1. Raw bytes fill whole numbers.
 */
export const OP = {
  null: 0,
  true: 1,
  false: 2,
  /** the number itself */
  number: 3,
  /** place, length */
  text: 4,
  /** kind: says what the next value was in Python; see provenance.ts */
  slot: 5,
  /** index of an earlier value, counted from 0 in the order of the starts of all but plain ones */
  same: 6,
  /** length; then the values */
  list: 7,
  /** length, marks; then the values */
  tuple: 8,
  /** number of entries, 0; then each key and its value */
  map: 9,
  /** number of entries, flag; then each key and its value, and, by the flag, the attributes */
  ordereddict: 10,
  /** the same with the factory */
  defaultdict: 11,
  /** as `map` */
  counter: 12,
  /**
   * dtype, marks, flag, buffer (-1: without elements), first element, shape; then, by the flag, the
   * attributes
   */
  tensor: 13,
  /** the same, with the strides, written as a shape, before the shape */
  strided: 14,
  /** dtype, marks, flag, bytes, shape; then, by the flag, the attributes */
  large: 15,
  /** dtype, marks, flag of Fortran order, buffer, shape */
  ndarray: 16,
  /** dtype, marks, flag of Fortran order, number of bytes, raw bytes, shape */
  elements: 17,
  /**
   * flag `allocated`, place and length of the module and of the name, number of items, number of
   * entries; then the values args, kwargs, state, callee, the items, each key and its value
   */
  object: 18,
  /** marks, place and length of the module and of the name */
  global: 19,
  /** number of members, marks; then the members */
  set: 20,
  /** length, flag; then the values and, by the flag, the greatest length */
  deque: 21,
  /** marks, number of bytes, raw bytes */
  bytes: 22,
  /** marks, buffer */
  largebytes: 23,
  /** flag: it can be referred to; flag: negative; number of words; raw words of 64 bits */
  bigint: 24,
  /** real part, imaginary part */
  complex: 25,
} as const;

/** A place in the texts is the number of a text times this, plus the place in it. */
const TEXT_SPAN = 2 ** 30;

/** Where a program's texts and buffers come from. Each is asked for once. */
export interface ProgramParts {
  text(index: number): string;
  buffer(index: number): ArrayBuffer;
}

/** Instead of a value that is not complete. */
const OPENED = Symbol("opened");

/** How a value that holds others takes them. */
const TAKES = { items: 0, entries: 1, members: 2, fields: 3, attributes: 4 } as const;

/** A value that still lacks some of what it holds. */
interface Open {
  takes: (typeof TAKES)[keyof typeof TAKES];
  /** The array, `Map`, `Set`, object or tensor */
  target: unknown;
  /** The values to come */
  left: number;
  /** The last value is not an item or entry: the attributes, the factory, the greatest length */
  hasExtra: boolean;
  /** Of an object: its items, which come before its entries */
  items: number;
  /** The values taken */
  taken: number;
  /** The key whose value comes next, and its kind */
  key: unknown;
  keyKind: number;
  /** Of an array */
  slots: number[] | null;
  /** Of a `Map` */
  entryKinds: MapKinds | null;
  /** Of a `Set` */
  memberKinds: Map<unknown, number> | null;
}

/** Reads one program. */
export class ProgramReader {
  readonly #parts: ProgramParts;
  readonly #code: Float64Array;
  readonly #bytes: Uint8Array<ArrayBuffer>;
  readonly #texts: string[] = [];
  readonly #buffers: ArrayBuffer[] = [];
  /** The values that OP.same can name */
  readonly #made: unknown[] = [];
  /** The names of classes by their places, so that all objects of a class share them */
  readonly #names = new Map<number, string>();
  readonly #open: Open[] = [];
  #top: Open | undefined;
  #at = 0;
  /** The kind of the next value */
  #kind = 0;
  #isDone = false;
  #result: unknown;

  constructor(code: Float64Array, parts: ProgramParts) {
    this.#code = code;
    this.#bytes = new Uint8Array(code.buffer as ArrayBuffer);
    this.#parts = parts;
  }

  /** The value, once `run` has returned true. */
  get result(): unknown {
    return this.#result;
  }

  /**
   * Makes up to `most` more values.
   *
   * @returns whether all are made
   */
  run(most = Number.POSITIVE_INFINITY): boolean {
    for (let left = most; left > 0 && !this.#isDone; left--) {
      const value = this.#make();
      if (value !== OPENED) this.#deliver(value);
    }
    return this.#isDone;
  }

  #number(): number {
    return this.#code[this.#at++] as number;
  }

  /** Makes a value. `OPENED`: others come first, or it is a slot. */
  #make(): unknown {
    switch (this.#number()) {
      case OP.null:
        return null;
      case OP.true:
        return true;
      case OP.false:
        return false;
      case OP.number:
        return this.#number();
      case OP.text:
        return this.#text(this.#number());
      case OP.slot:
        this.#kind = this.#number();
        return OPENED;
      case OP.same:
        return this.#made[this.#number()];
      case OP.list:
        return this.#begin(TAKES.items, [], this.#number(), 0);
      case OP.tuple: {
        const length = this.#number();
        return this.#begin(TAKES.items, this.#marked(new Tuple()), length, 0);
      }
      case OP.map:
        return this.#begin(TAKES.entries, new Map(), 2 * this.#number(), this.#number());
      case OP.ordereddict:
        return this.#begin(TAKES.entries, new OrderedDict(), 2 * this.#number(), this.#number());
      case OP.defaultdict:
        return this.#begin(TAKES.entries, new DefaultDict(), 2 * this.#number(), this.#number());
      case OP.counter:
        return this.#begin(TAKES.entries, new Counter(), 2 * this.#number(), this.#number());
      case OP.tensor:
        return this.#tensor((dtype) => {
          const [buffer, first] = [this.#number(), this.#number()];
          const shape = this.#shape();
          const data =
            buffer < 0
              ? arrayFor(dtype, new ArrayBuffer(0))
              : arrayFor(dtype, this.#buffer(buffer), count(shape), first * bytesPerElement(dtype));
          return new Tensor(dtype, shape, data);
        });
      case OP.strided:
        return this.#tensor((dtype) => {
          const [buffer, first] = [this.#buffer(this.#number()), this.#number()];
          const strides = this.#shape();
          const tensor = new Tensor(dtype, this.#shape(), NOTHING);
          defineStrided(tensor, buffer, first, strides);
          rememberView(tensor, buffer, first, strides);
          return tensor;
        });
      case OP.large:
        return this.#tensor((dtype) => {
          const bytes = this.#number();
          const tensor = new Tensor(dtype, this.#shape(), NOTHING);
          defineTooLarge(tensor, bytes);
          return tensor;
        });
      case OP.ndarray: {
        const dtype = this.#dtype();
        const [marks, isFortran] = [this.#number(), this.#number() === 1];
        const buffer = this.#buffer(this.#number());
        const elements = buffer.byteLength / bytesPerElement(dtype);
        return this.#array(dtype, arrayFor(dtype, buffer, elements), isFortran, marks);
      }
      case OP.elements: {
        const dtype = this.#dtype();
        const [marks, isFortran] = [this.#number(), this.#number() === 1];
        const bytes = this.#number();
        const elements = bytes / bytesPerElement(dtype);
        const program = this.#code.buffer as ArrayBuffer;
        // A copy, so that transferring one array does not detach the others.
        const data = arrayFor(dtype, program, elements, this.#pass(bytes));
        return this.#array(dtype, data.slice(), isFortran, marks);
      }
      case OP.object:
        return this.#object();
      case OP.global: {
        const marks = this.#number();
        const global = new PyGlobal(this.#name(), this.#name());
        if (marks !== 0) mark(global, marks);
        return this.#keep(global);
      }
      case OP.set: {
        const length = this.#number();
        return this.#begin(TAKES.members, this.#marked(new Set()), length, 0);
      }
      case OP.deque: {
        const length = this.#number();
        return this.#begin(TAKES.items, new Deque(), length, this.#number());
      }
      case OP.bytes: {
        const marks = this.#number();
        return this.#keepBytes(this.#raw(this.#number()), marks);
      }
      case OP.largebytes: {
        const marks = this.#number();
        return this.#keepBytes(new Uint8Array(this.#buffer(this.#number())), marks);
      }
      case OP.bigint:
        return this.#bigInt();
      case OP.complex:
        return this.#keep(new Complex(this.#number(), this.#number()));
      default:
        throw new Error("program.ts and program.cc disagree");
    }
  }

  #keep<T>(value: T): T {
    this.#made.push(value);
    return value;
  }

  /** Marks the value with the marks that come next. */
  #marked<T extends object>(value: T): T {
    const marks = this.#number();
    if (marks !== 0) mark(value, marks);
    return value;
  }

  #begin(takes: Open["takes"], target: unknown, values: number, extra: number): unknown {
    this.#keep(target);
    return this.#expect(takes, target, values + extra, extra);
  }

  /** @param part `Open.items` of an object; 1 for what has an extra value, else 0 */
  #expect(takes: Open["takes"], target: unknown, left: number, part: number): unknown {
    if (left === 0) return target;
    const open: Open = {
      takes,
      target,
      left,
      hasExtra: takes !== TAKES.fields && part === 1,
      items: part,
      taken: 0,
      key: undefined,
      keyKind: 0,
      slots: null,
      entryKinds: null,
      memberKinds: null,
    };
    // A container has no kind.
    this.#kind = 0;
    if (this.#top !== undefined) this.#open.push(this.#top);
    this.#top = open;
    return OPENED;
  }

  /** Hands a value to the one that holds it, and each that is full with it to the next. */
  #deliver(value: unknown): void {
    let given = value;
    for (;;) {
      const open = this.#top;
      const kind = this.#kind;
      this.#kind = 0;
      if (open === undefined) {
        this.#result = given;
        this.#isDone = true;
        return;
      }
      open.left--;
      if (open.left === 0 && open.hasExtra) takeExtra(open.target, given);
      else take(open, given, kind);
      open.taken++;
      if (open.left > 0) return;
      finish(open);
      given = open.target;
      this.#top = this.#open.pop();
    }
  }

  #text(place: number): string {
    const index = place < TEXT_SPAN ? 0 : Math.floor(place / TEXT_SPAN);
    const start = place - index * TEXT_SPAN;
    this.#texts[index] ??= this.#parts.text(index);
    return (this.#texts[index] as string).slice(start, start + this.#number());
  }

  #name(): string {
    const place = this.#number();
    // An empty name begins where the next text does.
    const isEmpty = this.#code[this.#at] === 0;
    const known = isEmpty ? "" : this.#names.get(place);
    if (known !== undefined) {
      this.#at++;
      return known;
    }
    const name = this.#text(place);
    this.#names.set(place, name);
    return name;
  }

  #buffer(index: number): ArrayBuffer {
    this.#buffers[index] ??= this.#parts.buffer(index);
    return this.#buffers[index] as ArrayBuffer;
  }

  /** Goes past raw bytes. Returns where they begin in the program's buffer, in bytes. */
  #pass(bytes: number): number {
    const start = this.#code.byteOffset + this.#at * this.#code.BYTES_PER_ELEMENT;
    this.#at += Math.ceil(bytes / this.#code.BYTES_PER_ELEMENT);
    return start;
  }

  #raw(bytes: number): Uint8Array<ArrayBuffer> {
    const start = this.#pass(bytes);
    return this.#bytes.slice(start, start + bytes);
  }

  #bigInt(): bigint {
    const canBeNamed = this.#number() === 1;
    const isNegative = this.#number() === 1;
    const bytes = this.#raw(8 * this.#number()).reverse();
    const magnitude = BigInt(`0x0${Buffer.from(bytes).toString("hex")}`);
    const value = isNegative ? -magnitude : magnitude;
    return canBeNamed ? this.#keep(value) : value;
  }

  #shape(): number[] {
    const shape = new Array<number>(this.#number());
    for (let d = 0; d < shape.length; d++) shape[d] = this.#number();
    return shape;
  }

  #dtype(): DType {
    return DTYPES[this.#number()] as DType;
  }

  #tensor(make: (dtype: DType) => Tensor): unknown {
    const dtype = this.#dtype();
    const marks = this.#number();
    const attributes = this.#number();
    const tensor = make(dtype);
    if (marks !== 0) mark(tensor, marks);
    return this.#begin(TAKES.attributes, tensor, attributes, 0);
  }

  #array(dtype: DType, data: TypedArray, isFortran: boolean, marks: number): NdArray {
    const array = new NdArray(dtype, this.#shape(), data, isFortran);
    if (marks !== 0) mark(array, marks);
    return this.#keep(array);
  }

  #keepBytes(bytes: Uint8Array, marks: number): Uint8Array {
    if (marks !== 0) mark(bytes, marks);
    return this.#keep(bytes);
  }

  #object(): unknown {
    const isAllocated = this.#number() === 1;
    const object = describedObject(this.#name(), this.#name(), isAllocated);
    this.#keep(object);
    const items = this.#number();
    return this.#expect(TAKES.fields, object, FIELDS + items + 2 * this.#number(), items);
  }
}

const NOTHING = new Uint8Array();

/** Of an object, before its items: args, kwargs, state, callee. */
const FIELDS = 4;

function take(open: Open, value: unknown, kind: number): void {
  switch (open.takes) {
    case TAKES.items:
      (open.target as unknown[]).push(value);
      if (kind !== 0) addSlot(open, open.taken, kind);
      return;
    case TAKES.entries:
      takeEntry(open, value, kind);
      return;
    case TAKES.members:
      (open.target as Set<unknown>).add(value);
      if (kind !== 0) {
        open.memberKinds ??= new Map();
        open.memberKinds.set(value, kind);
      }
      return;
    case TAKES.fields:
      takeField(open, open.target as PyObject, value, kind);
      return;
    case TAKES.attributes:
      (open.target as Tensor).attributes = value as Map<string, unknown>;
      return;
  }
}

function addSlot(open: Open, index: number, kind: number): void {
  open.slots ??= [];
  open.slots.push(index * SLOT_KINDS + kind);
}

function takeEntry(open: Open, value: unknown, kind: number): void {
  if (open.taken % 2 === 0) {
    open.key = value;
    open.keyKind = kind;
    return;
  }
  const { key, keyKind } = open;
  (open.target as Map<unknown, unknown>).set(key, value);
  if (keyKind === 0 && kind === 0) return;
  open.entryKinds ??= new Map();
  open.entryKinds.set(key, { keyKind, valueKind: kind, value });
}

function takeField(open: Open, object: PyObject, value: unknown, kind: number): void {
  const index = open.taken - FIELDS;
  if (index < 0) {
    if (open.taken === 0) object.args = value as unknown[];
    else if (open.taken === 1) object.kwargs = value as PyObject["kwargs"];
    else if (open.taken === 3) object.callee = value;
    else {
      object.state = value;
      if (kind !== 0) rememberState(object, kind);
    }
    return;
  }
  if (index < open.items) {
    object.items.push(value);
    if (kind !== 0) addSlot(open, index, kind);
    return;
  }
  if ((index - open.items) % 2 === 0) {
    open.key = value;
    open.keyKind = kind;
    return;
  }
  const pair: [unknown, unknown] = [open.key, value];
  object.entries.push(pair);
  const slots = open.keyKind === 0 ? [] : [open.keyKind];
  if (kind !== 0) slots.push(SLOT_KINDS + kind);
  if (slots.length > 0) rememberArray(pair, slots);
}

function takeExtra(target: unknown, value: unknown): void {
  if (target instanceof OrderedDict) target.attributes = value as OrderedDict["attributes"];
  else if (target instanceof DefaultDict) target.factory = value;
  else (target as Deque).maxlen = value as number;
}

function finish(open: Open): void {
  const { target, slots, entryKinds, memberKinds } = open;
  if (open.takes === TAKES.fields) settle(target as PyObject);
  if (slots !== null) {
    const array = open.takes === TAKES.fields ? (target as PyObject).items : target;
    rememberArray(array as unknown[], slots);
  }
  if (entryKinds !== null) rememberMap(target as Map<unknown, unknown>, entryKinds);
  if (memberKinds !== null) rememberSet(target as Set<unknown>, memberKinds);
}
