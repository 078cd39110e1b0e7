/** A writer made from doc/sda-format.md alone, with its fields and opcodes. It uses no memo. */
import { crc32 } from "node:zlib";
import { WRITTEN } from "./tables.js";

const BYTES = new Map(WRITTEN.map(({ name, byte }) => [name, Buffer.of(byte)]));
const op = (name: string) => BYTES.get(name) as Buffer;

function number(size: number, value: number): Buffer {
  const bytes = Buffer.alloc(size);
  if (size === 8) bytes.writeBigUInt64LE(BigInt(value));
  else bytes.writeUIntLE(value, 0, size);
  return bytes;
}

/** Each number with its size in bytes. */
const fields = (...pairs: [number, number][]) =>
  Buffer.concat(pairs.map(([size, value]) => number(size, value)));

const ALIGNMENT = 64;
const UTF8 = 0x0800;
const DESCRIPTOR = 0x0008;

/** The container, as PyTorch's own writer packs it. */
export function writeZip(folder: string, records: [string, Buffer][]): Buffer {
  const parts: Buffer[] = [];
  const entries: Buffer[] = [];
  let at = 0;
  const add = (...added: Buffer[]) => {
    for (const part of added) at += part.length;
    parts.push(...added);
  };
  for (const [short, data] of records) {
    const name = Buffer.from(`${folder}/${short}`);
    const flags = UTF8 | (data.length > 0 ? DESCRIPTOR : 0);
    const offset = at;
    const padding = -(offset + 30 + name.length + 4) & (ALIGNMENT - 1);
    const signature = Buffer.from("504b0304", "hex");
    const head = fields([2, 0], [2, flags], [2, 0], [2, 0], [2, 0], [4, 0], [4, 0], [4, 0]);
    add(signature, head, fields([2, name.length], [2, 4 + padding]), name);
    add(fields([2, 0x4246], [2, padding]), Buffer.alloc(padding, "Z"), data);
    const sizes = fields([4, crc32(data)], [4, data.length], [4, data.length]);
    if (data.length > 0) add(Buffer.from("504b0708", "hex"), sizes);
    entries.push(
      Buffer.from("504b0102", "hex"),
      fields([2, 0], [2, 0], [2, flags], [2, 0], [2, 0], [2, 0]),
      sizes,
      fields([2, name.length], [2, 0], [2, 0], [2, 0], [2, 0], [4, 0], [4, offset]),
      name,
    );
  }
  const directory = at;
  add(...entries);
  const end = at;
  const count = records.length;
  const size = end - directory;
  add(Buffer.from("504b0606", "hex"), fields([8, 44], [2, 0x031e], [2, 45], [4, 0], [4, 0]));
  add(fields([8, count], [8, count], [8, size], [8, directory]));
  add(Buffer.from("504b0607", "hex"), fields([4, 0], [8, end], [4, 1]));
  add(Buffer.from("504b0506", "hex"), fields([2, 0], [2, 0], [2, count], [2, count]));
  add(fields([4, size], [4, directory], [2, 0]));
  return Buffer.concat(parts);
}

/** Values that a pickle holds without conversion. */
export class Code {
  constructor(readonly bytes: Buffer) {}
}
/** A Python float; a number is an int. */
export class Float {
  constructor(readonly value: number) {}
}

export type Pickled =
  | null
  | boolean
  | number
  | string
  | Pickled[]
  | Map<string, Pickled>
  | Code
  | Float;

export function pickled(value: Pickled): Buffer {
  if (value instanceof Code) return value.bytes;
  if (value instanceof Float) {
    const bytes = Buffer.alloc(8);
    bytes.writeDoubleBE(value.value);
    return Buffer.concat([op("BINFLOAT"), bytes]);
  }
  if (value === null) return op("NONE");
  if (typeof value === "boolean") return op(value ? "NEWTRUE" : "NEWFALSE");
  if (typeof value === "number") {
    if (value >= 0 && value < 2 ** 8) return Buffer.concat([op("BININT1"), number(1, value)]);
    if (value >= 0 && value < 2 ** 16) return Buffer.concat([op("BININT2"), number(2, value)]);
    return Buffer.concat([op("BININT"), number(4, value >>> 0)]);
  }
  if (typeof value === "string") {
    const bytes = Buffer.from(value);
    return Buffer.concat([op("BINUNICODE"), number(4, bytes.length), bytes]);
  }
  if (Array.isArray(value)) {
    return Buffer.concat([op("EMPTY_LIST"), op("MARK"), ...value.map(pickled), op("APPENDS")]);
  }
  return Buffer.concat([op("EMPTY_DICT"), ...items(value)]);
}

function items(map: Map<string, Pickled>): Buffer[] {
  const pairs = [...map].flatMap(([key, value]) => [pickled(key), pickled(value)]);
  return [op("MARK"), ...pairs, op("SETITEMS")];
}

export function wholePickle(value: Pickled): Buffer {
  return Buffer.concat([op("PROTO"), Buffer.of(2), pickled(value), op("STOP")]);
}

const globalBytes = (name: string) =>
  Buffer.concat([op("GLOBAL"), Buffer.from(`${name.replace(" ", "\n")}\n`)]);
const tupleBytes = (parts: Pickled[]) =>
  parts.length === 0
    ? op("EMPTY_TUPLE")
    : Buffer.concat([op("MARK"), ...parts.map(pickled), op("TUPLE")]);

export const global = (name: string) => new Code(globalBytes(name));
export const tuple = (...parts: Pickled[]) => new Code(tupleBytes(parts));
export const call = (name: string, ...args: Pickled[]) =>
  new Code(Buffer.concat([globalBytes(name), tupleBytes(args), op("REDUCE")]));
export const build = (target: Code, ...state: Pickled[]) =>
  new Code(Buffer.concat([target.bytes, tupleBytes(state), op("BUILD")]));

export function orderedDict(map: Map<string, Pickled>): Code {
  return new Code(Buffer.concat([call("collections OrderedDict").bytes, ...items(map)]));
}

/** A tensor of the record data/`key`, row by row. */
export function tensor(cls: string, key: string, shape: number[]): Code {
  const stride = shape.map((_, axis) => shape.slice(axis + 1).reduce((a, b) => a * b, 1));
  const numel = shape.reduce((a, b) => a * b, 1);
  const id = tupleBytes(["storage", global(`torch ${cls}`), key, "cpu", numel]);
  const storage = new Code(Buffer.concat([id, op("BINPERSID")]));
  const hooks = call("collections OrderedDict");
  const sizes = [tuple(...shape), tuple(...stride)];
  return call("torch._utils _rebuild_tensor_v2", storage, 0, ...sizes, false, hooks);
}

/** A float32 array. */
export function array(shape: number[], values: number[]): Code {
  const raw = Buffer.from(Float32Array.from(values).buffer);
  const bytes = (content: Buffer) => call("_codecs encode", content.toString("latin1"), "latin1");
  const empty = call(
    "numpy._core.multiarray _reconstruct",
    global("numpy ndarray"),
    tuple(0),
    bytes(Buffer.from("b")),
  );
  const plain = call("numpy dtype", "f4", false, true);
  const dtype = build(plain, 3, "<", null, null, null, -1, -1, 0);
  return build(empty, 1, tuple(...shape), dtype, false, bytes(raw));
}
