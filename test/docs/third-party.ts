/**
 * A reader made from doc/sda-format.md alone. Its opcodes, arguments, dtypes and sizes come from
 * the document's tables. It checks nothing, because it reads known files only. Tests compare its
 * values with the package's values.
 */
import { GLOBALS, type Opcode, READ, table, WRITTEN } from "./tables.js";

const STORAGES = new Map(
  table(GLOBALS, "class").map(([cls, dtype, size]) => [
    `torch ${cls}`,
    { dtype: dtype as string, size: Number(size) },
  ]),
);
const SIZES = new Map([...STORAGES.values()].map(({ dtype, size }) => [dtype, size]));
const NUMPY = new Map(table("### numpy", "code") as [string, string][]);
const OPCODES = new Map([...WRITTEN, ...READ].map((opcode) => [opcode.byte, opcode]));

export class Global {
  constructor(readonly name: string) {}
}
export class Call {
  state: unknown;
  constructor(
    readonly name: string,
    readonly args: unknown[],
  ) {}
}
/** Elements in row-major order, little-endian; empty until BUILD. */
export class Elements {
  constructor(
    public dtype = "",
    public shape: number[] = [],
    public bytes: Buffer = Buffer.alloc(0),
  ) {}
}
interface Storage {
  key: string;
  dtype: string;
  size: number;
  numel: number;
  bytes?: Buffer;
}
class Dtype {
  order = "<";
  constructor(readonly code: string) {}
}
class Bytes {
  constructor(readonly bytes: Buffer) {}
}

type Items = unknown[];

/** Reads one pickle. The position is then behind its STOP. */
export class Pickle {
  at: number;
  readonly seen = new Set<Opcode>();
  readonly storages = new Map<string, Storage>();
  readonly #bytes: Buffer;
  readonly #place: (storage: Storage) => void;
  readonly #stack: Items = [];
  readonly #marks: number[] = [];
  readonly #memo = new Map<number, unknown>();

  constructor(bytes: Buffer, at = 0, place: (storage: Storage) => void = () => {}) {
    this.#bytes = bytes;
    this.at = at;
    this.#place = place;
  }

  read(): unknown {
    for (;;) {
      const byte = this.#number("u8");
      const opcode = OPCODES.get(byte);
      if (!opcode) throw new Error(`opcode ${byte.toString(16)} before ${this.at}`);
      this.seen.add(opcode);
      if (opcode.name === "STOP") return this.#pop();
      this.#execute(opcode.name, this.#argument(opcode.argument));
    }
  }

  #number(type: string): number {
    const bytes = this.#bytes;
    const size = Number(/\d+/.exec(type)?.[0]) / 8;
    const at = this.at;
    this.at += size;
    if (type === "f64be") return bytes.readDoubleBE(at);
    if (type === "u64") return Number(bytes.readBigUInt64LE(at));
    return type[0] === "i" ? bytes.readIntLE(at, size) : bytes.readUIntLE(at, size);
  }

  #argument(argument: string): unknown {
    if (argument === "") return undefined;
    if (argument === "line, line") return [this.#line(), this.#line()];
    const [, type = "", counted] = /^(\w+)( n, n bytes)?$/.exec(argument) ?? [];
    const number = this.#number(type);
    if (!counted) return number;
    this.at += number;
    return this.#bytes.subarray(this.at - number, this.at);
  }

  #line(): string {
    const end = this.#bytes.indexOf(10, this.at);
    const line = this.#bytes.toString("utf8", this.at, end);
    this.at = end + 1;
    return line;
  }

  #pop(): unknown {
    return this.#stack.pop();
  }

  #toMark(): Items {
    return this.#stack.splice(this.#marks.pop() as number);
  }

  #execute(name: string, argument: unknown): void {
    const stack = this.#stack;
    const push = (value: unknown) => stack.push(value);
    const below = (count: number) => stack.splice(stack.length - count);
    const bytes = argument as Buffer;
    switch (name) {
      case "PROTO":
      case "FRAME":
        return;
      case "MARK":
        this.#marks.push(stack.length);
        return;
      case "POP":
        if (this.#marks.at(-1) === stack.length) this.#marks.pop();
        else stack.pop();
        return;
      case "POP_MARK":
        this.#toMark();
        return;
      case "DUP":
        return void push(stack.at(-1));
      case "NONE":
        return void push(null);
      case "NEWTRUE":
        return void push(true);
      case "NEWFALSE":
        return void push(false);
      case "BININT":
      case "BININT1":
      case "BININT2":
      case "BINFLOAT":
        return void push(argument);
      case "LONG1":
      case "LONG4": {
        const digits = Buffer.from(bytes).reverse().toString("hex");
        push(digits === "" ? 0n : BigInt.asIntN(8 * bytes.length, BigInt(`0x${digits}`)));
        return;
      }
      case "BINUNICODE":
      case "SHORT_BINUNICODE":
      case "BINUNICODE8":
      case "BINSTRING":
      case "SHORT_BINSTRING":
        return void push(bytes.toString("utf8"));
      case "BINBYTES":
      case "SHORT_BINBYTES":
      case "BINBYTES8":
      case "BYTEARRAY8":
        return void push(new Bytes(bytes));
      case "EMPTY_TUPLE":
      case "EMPTY_LIST":
        return void push([]);
      case "TUPLE1":
      case "TUPLE2":
      case "TUPLE3":
        return void push(below(Number(name.slice(-1))));
      case "TUPLE":
      case "LIST":
        return void push(this.#toMark());
      case "APPEND":
      case "APPENDS": {
        const items = name === "APPEND" ? below(1) : this.#toMark();
        (stack.at(-1) as Items).push(...items);
        return;
      }
      case "EMPTY_DICT":
        return void push(new Map());
      case "SETITEM":
      case "SETITEMS":
        put(name === "SETITEM" ? below(2) : this.#toMark(), stack.at(-1));
        return;
      case "DICT": {
        const items = this.#toMark();
        push(new Map());
        put(items, stack.at(-1));
        return;
      }
      case "EMPTY_SET":
        return void push(new Set());
      case "ADDITEMS":
        for (const item of this.#toMark()) (stack.at(-1) as Set<unknown>).add(item);
        return;
      case "FROZENSET":
        return void push(new Set(this.#toMark()));
      case "GLOBAL":
        return void push(new Global((argument as string[]).join(" ")));
      case "STACK_GLOBAL":
        return void push(new Global(below(2).join(" ")));
      case "REDUCE":
      case "NEWOBJ": {
        const [callee, args] = below(2) as [Global, Items];
        return void push(call(callee.name, args));
      }
      case "BUILD": {
        const state = this.#pop();
        build(stack.at(-1), state as Items);
        return;
      }
      case "BINPERSID":
        return void push(this.#storage(this.#pop() as Items));
      case "BINPUT":
      case "LONG_BINPUT":
        this.#memo.set(argument as number, stack.at(-1));
        return;
      case "MEMOIZE":
        this.#memo.set(this.#memo.size, stack.at(-1));
        return;
      case "BINGET":
      case "LONG_BINGET":
        return void push(this.#memo.get(argument as number));
    }
    throw new Error(`${name} is in none of the files`);
  }

  #storage([, cls, key, , numel]: Items): Storage {
    const name = (cls as Global).name.replace("torch.storage ", "torch ");
    const known = this.storages.get(key as string);
    if (known) return known;
    const { dtype, size } = STORAGES.get(name) as { dtype: string; size: number };
    const storage = { key: key as string, dtype, size, numel: Number(numel) };
    this.storages.set(storage.key, storage);
    this.#place(storage);
    return storage;
  }
}

function put(items: Items, dict: unknown): void {
  for (let i = 0; i < items.length; i += 2)
    (dict as Map<unknown, unknown>).set(items[i], items[i + 1]);
}

/** A tensor. The bytes of its storage may come after the pickle. */
export class View {
  constructor(
    readonly storage: Storage,
    readonly offset: number,
    readonly shape: number[],
    readonly stride: number[],
    readonly dtype: string,
  ) {}

  elements(): Elements {
    const { bytes } = this.storage;
    const size = SIZES.get(this.dtype) as number;
    const gathered = gather(bytes as Buffer, size, this.shape, this.stride, this.offset);
    return new Elements(this.dtype, this.shape, gathered);
  }
}

/** The elements in row-major order; stride and offset in elements. */
function gather(
  bytes: Buffer,
  size: number,
  shape: number[],
  stride: number[],
  offset: number,
): Buffer {
  const parts: Buffer[] = [];
  const walk = (axis: number, at: number) => {
    if (axis === shape.length) {
      parts.push(bytes.subarray(at * size, (at + 1) * size));
      return;
    }
    const [length = 0, step = 0] = [shape[axis], stride[axis]];
    if (axis === shape.length - 1 && step === 1) {
      parts.push(bytes.subarray(at * size, (at + length) * size));
      return;
    }
    for (let i = 0; i < length; i++) walk(axis + 1, at + i * step);
  };
  walk(0, offset);
  return Buffer.concat(parts);
}

function call(name: string, args: Items): unknown {
  switch (name.replace("numpy.core", "numpy._core")) {
    case "collections OrderedDict":
      return new Map();
    case "torch._utils _rebuild_tensor_v2":
    case "torch._utils _rebuild_tensor_v3": {
      const [storage, offset, shape, stride, , , dtype] = args as [Storage, ...unknown[]];
      const named = dtype instanceof Global ? dtype.name.replace("torch ", "") : storage.dtype;
      return new View(storage, offset as number, shape as number[], stride as number[], named);
    }
    case "torch._utils _rebuild_parameter":
      return args[0];
    case "_codecs encode":
      return new Bytes(Buffer.from(args[0] as string, "latin1"));
    case "numpy dtype":
      return new Dtype(args[0] as string);
    case "numpy._core.multiarray _reconstruct":
      return new Elements();
    case "numpy._core.numeric _frombuffer": {
      const [raw, dtype, shape, order] = args;
      const elements = new Elements();
      build(elements, [1, shape, dtype, order === "F", raw]);
      return elements;
    }
    case "numpy._core.multiarray scalar": {
      const [dtype, raw] = args as [Dtype, Bytes];
      return scalar(NUMPY.get(dtype.code), raw.bytes);
    }
  }
  return new Call(name, args);
}

function scalar(dtype: string | undefined, bytes: Buffer): number {
  switch (dtype) {
    case "float32":
      return bytes.readFloatLE();
    case "float64":
      return bytes.readDoubleLE();
    case "int64":
      return Number(bytes.readBigInt64LE());
  }
  throw new Error(`a scalar of ${dtype} is in none of the files`);
}

function build(target: unknown, state: Items): void {
  if (target instanceof Dtype) target.order = state[1] as string;
  else if (target instanceof Call) target.state = state;
  if (!(target instanceof Elements)) return; // the attributes of a dict
  const [, shape, dtype, fortran, raw] = state as [number, number[], Dtype, boolean, Bytes];
  if (dtype.order === ">") throw new Error("big-endian arrays are in none of the files");
  target.dtype = NUMPY.get(dtype.code) as string;
  target.shape = shape;
  target.bytes = raw.bytes;
  if (!fortran) return;
  const stride = shape.map((_, axis) => shape.slice(0, axis).reduce((a, b) => a * b, 1));
  target.bytes = gather(raw.bytes, SIZES.get(target.dtype) as number, shape, stride, 0);
}

/** By name, from the central directory. */
export function records(zip: Buffer): Map<string, Buffer> {
  const found = new Map<string, Buffer>();
  let at = zip.readUInt32LE(zip.length - 22 + 16);
  while (zip.readUInt32LE(at) === 0x02014b50) {
    const [size, local] = [zip.readUInt32LE(at + 24), zip.readUInt32LE(at + 42)];
    const [name = 0, extra = 0, comment = 0] = [28, 30, 32].map((field) =>
      zip.readUInt16LE(at + field),
    );
    const data = local + 30 + zip.readUInt16LE(local + 26) + zip.readUInt16LE(local + 28);
    const full = zip.toString("utf8", at + 46, at + 46 + name);
    found.set(full.slice(full.indexOf("/") + 1), zip.subarray(data, data + size));
    at += 46 + name + extra + comment;
  }
  return found;
}

export function readZip(zip: Buffer): { value: unknown; pickle: Pickle; pickleBytes: Buffer } {
  const content = records(zip);
  const pickleBytes = content.get("data.pkl") as Buffer;
  const pickle = new Pickle(pickleBytes, 0, (storage) => {
    storage.bytes = content.get(`data/${storage.key}`) as Buffer;
  });
  return { value: pickle.read(), pickle, pickleBytes };
}

export function readLegacy(file: Buffer): { parts: unknown[]; value: unknown; end: number } {
  const parts: unknown[] = [];
  let at = 0;
  let object: Pickle | undefined;
  for (let i = 0; i < 5; i++) {
    const pickle = new Pickle(file, at);
    parts.push(pickle.read());
    at = pickle.at;
    if (i === 3) object = pickle;
  }
  for (const key of parts[4] as string[]) {
    const storage = object?.storages.get(key) as Storage;
    const numel = Number(file.readBigInt64LE(at));
    storage.bytes = file.subarray(at + 8, at + 8 + numel * storage.size);
    at += 8 + numel * storage.size;
  }
  return { parts, value: parts[3], end: at };
}
