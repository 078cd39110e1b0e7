/** A pickle assembler: one function for each opcode, which returns its bytes. */

export type Code = Buffer;

export function bytes(...values: number[]): Code {
  return Buffer.from(values);
}

export function join(...parts: Code[]): Code {
  return Buffer.concat(parts);
}

export function u16(value: number): Code {
  const out = Buffer.alloc(2);
  out.writeUInt16LE(value);
  return out;
}

export function u32(value: number): Code {
  const out = Buffer.alloc(4);
  out.writeUInt32LE(value);
  return out;
}

export function u64(value: number | bigint): Code {
  const out = Buffer.alloc(8);
  out.writeBigUInt64LE(BigInt.asUintN(64, BigInt(value)));
  return out;
}

const letter = (name: string, ...rest: Code[]) => join(Buffer.from(name, "latin1"), ...rest);

// Opcodes without an argument, named as in Python's pickletools.
export const MARK = letter("(");
export const STOP = letter(".");
export const POP = letter("0");
export const POP_MARK = letter("1");
export const DUP = letter("2");
export const NONE = letter("N");
export const BINPERSID = letter("Q");
export const REDUCE = letter("R");
export const APPEND = letter("a");
export const BUILD = letter("b");
export const DICT = letter("d");
export const EMPTY_DICT = letter("}");
export const APPENDS = letter("e");
export const LIST = letter("l");
export const EMPTY_LIST = letter("]");
export const OBJ = letter("o");
export const SETITEM = letter("s");
export const TUPLE = letter("t");
export const EMPTY_TUPLE = letter(")");
export const SETITEMS = letter("u");
export const NEWOBJ = bytes(0x81);
export const TUPLE1 = bytes(0x85);
export const TUPLE2 = bytes(0x86);
export const TUPLE3 = bytes(0x87);
export const TRUE = bytes(0x88);
export const FALSE = bytes(0x89);
export const EMPTY_SET = bytes(0x8f);
export const ADDITEMS = bytes(0x90);
export const FROZENSET = bytes(0x91);
export const NEWOBJ_EX = bytes(0x92);
export const STACK_GLOBAL = bytes(0x93);
export const MEMOIZE = bytes(0x94);
export const NEXT_BUFFER = bytes(0x97);
export const READONLY_BUFFER = bytes(0x98);

export const proto = (version: number) => bytes(0x80, version);
export const frame = (size: number | bigint) => join(bytes(0x95), u64(size));
export const ext1 = (code: number) => bytes(0x82, code);
export const ext2 = (code: number) => join(bytes(0x83), u16(code));
export const ext4 = (code: number) => join(bytes(0x84), u32(code));
export const binput = (index: number) => bytes(0x71, index);
export const longBinput = (index: number) => letter("r", u32(index));
export const binget = (index: number) => bytes(0x68, index);
export const longBinget = (index: number) => letter("j", u32(index));
export const binint1 = (value: number) => bytes(0x4b, value);
export const binint2 = (value: number) => letter("M", u16(value));
export const long1 = (value: Code) => join(bytes(0x8a, value.length), value);
export const long4 = (value: Code, size = value.length) => join(bytes(0x8b), u32(size), value);
export const binunicode = (value: Code, size = value.length) => letter("X", u32(size), value);
export const shortBinunicode = (value: Code) => join(bytes(0x8c, value.length), value);
export const binunicode8 = (value: Code, size: number | bigint = value.length) =>
  join(bytes(0x8d), u64(size), value);
export const binstring = (value: Code, size = value.length) => letter("T", u32(size), value);
export const shortBinstring = (value: Code) => letter("U", bytes(value.length), value);
export const binbytes = (value: Code, size = value.length) => letter("B", u32(size), value);
export const shortBinbytes = (value: Code) => letter("C", bytes(value.length), value);
export const binbytes8 = (value: Code, size: number | bigint = value.length) =>
  join(bytes(0x8e), u64(size), value);
export const bytearray8 = (value: Code, size: number | bigint = value.length) =>
  join(bytes(0x96), u64(size), value);
export const persid = (id: string) => letter("P", Buffer.from(`${id}\n`));
export const inst = (module: string, name: string) =>
  letter("i", Buffer.from(`${module}\n${name}\n`));
export const global = (module: string, name: string) =>
  letter("c", Buffer.from(`${module}\n${name}\n`));
/** An opcode of protocol 0, whose argument is a line of text. */
export const textOpcode = (name: string, line: string) => letter(name, Buffer.from(`${line}\n`));

export function binint(value: number): Code {
  const out = Buffer.alloc(4);
  out.writeInt32LE(value);
  return letter("J", out);
}

export function binfloat(value: number): Code {
  const out = Buffer.alloc(8);
  out.writeDoubleBE(value);
  return letter("G", out);
}

/** An integer, with the shortest opcode that Python would use. */
export function int(value: number | bigint): Code {
  const wide = BigInt(value);
  if (wide >= 0n && wide < 256n) return binint1(Number(wide));
  if (wide >= 0n && wide < 65536n) return binint2(Number(wide));
  if (wide >= -(2n ** 31n) && wide < 2n ** 31n) return binint(Number(wide));
  return long(wide);
}

/** LONG1 or LONG4: two's complement in the fewest bytes that hold the sign. */
export function long(value: bigint): Code {
  const out: number[] = [];
  let rest = value;
  while (!((rest === 0n || rest === -1n) && (out.at(-1) ?? 0) >> 7 === Number(rest < 0n))) {
    out.push(Number(rest & 0xffn));
    rest >>= 8n;
  }
  return out.length < 256 ? long1(Buffer.from(out)) : long4(Buffer.from(out));
}

export const str = (text: string) => binunicode(Buffer.from(text));
export const tuple = (...items: Code[]) =>
  items.length === 0 ? EMPTY_TUPLE : join(MARK, ...items, TUPLE);
export const list = (...items: Code[]) => join(EMPTY_LIST, MARK, ...items, APPENDS);
export const dict = (...entries: [Code, Code][]) =>
  join(EMPTY_DICT, MARK, Buffer.concat(entries.flat()), SETITEMS);
export const set = (...items: Code[]) => join(EMPTY_SET, MARK, ...items, ADDITEMS);
export const stackGlobal = (module: string, name: string) =>
  join(str(module), str(name), STACK_GLOBAL);
export const call = (callable: Code, ...args: Code[]) => join(callable, tuple(...args), REDUCE);

/** A complete pickle of protocol 2. */
export const pickle = (...parts: Code[]) => join(proto(2), ...parts, STOP);

export const orderedDict = call(global("collections", "OrderedDict"));

/** The persistent id of a storage, followed by BINPERSID. */
export function storage(
  count: number | bigint,
  { cls = global("torch", "FloatStorage"), key = "0", location = "cpu", extra = [] as Code[] } = {},
): Code {
  return join(tuple(str("storage"), cls, str(key), str(location), int(count), ...extra), BINPERSID);
}

export interface TensorParts {
  storage: Code;
  offset?: Code;
  shape?: Code;
  stride?: Code;
  requiresGrad?: Code;
  hooks?: Code;
  extra?: Code[];
  rebuild?: string;
}

/** The content of a storage of three float32 values. */
export const THREE_FLOATS = Buffer.from(Float32Array.of(1, 2, 3).buffer);

/** A call of torch._utils._rebuild_tensor_v2. By default it makes a vector of three values. */
export function tensor(parts: TensorParts): Code {
  return call(
    global("torch._utils", parts.rebuild ?? "_rebuild_tensor_v2"),
    parts.storage,
    parts.offset ?? int(0),
    parts.shape ?? tuple(int(3)),
    parts.stride ?? tuple(int(1)),
    parts.requiresGrad ?? FALSE,
    parts.hooks ?? orderedDict,
    ...(parts.extra ?? []),
  );
}

/** A numpy dtype, as numpy pickles it. */
export function numpyDtype(code: string, order = "<", ...state: Code[]): Code {
  const rest = state.length > 0 ? state : [NONE, NONE, NONE, int(-1), int(-1), int(0)];
  return join(
    call(global("numpy", "dtype"), str(code), FALSE, TRUE),
    tuple(int(3), str(order), ...rest),
    BUILD,
  );
}

/** A numpy array, made by _reconstruct and BUILD. */
export function numpyArray(
  dtype: Code,
  shape: Code,
  content: Code,
  { fortran = FALSE, cls = global("numpy", "ndarray") } = {},
): Code {
  return join(
    call(
      global("numpy._core.multiarray", "_reconstruct"),
      cls,
      tuple(int(0)),
      shortBinbytes(Buffer.from("b")),
    ),
    tuple(int(1), shape, dtype, fortran, content),
    BUILD,
  );
}
