import { readFileSync, renameSync, writeFileSync } from "node:fs";
import { pathToFileURL } from "node:url";
import { describe, expect, test } from "vitest";
import {
  Complex,
  Counter,
  DefaultDict,
  Deque,
  inspect,
  JaggedTensor,
  type LoadOptions,
  load,
  NdArray,
  OrderedDict,
  PyGlobal,
  PyObject,
  save,
  Tensor,
  Tuple,
} from "../../lib/torch/index.js";
import { sdaError } from "../support/errors.js";
import {
  ADDITEMS,
  APPEND,
  APPENDS,
  BUILD,
  binbytes,
  binbytes8,
  binfloat,
  binget,
  binint,
  binint1,
  binint2,
  binput,
  binstring,
  binunicode,
  binunicode8,
  bytearray8,
  type Code,
  call,
  DICT,
  DUP,
  dict,
  EMPTY_DICT,
  EMPTY_LIST,
  EMPTY_SET,
  EMPTY_TUPLE,
  FALSE,
  FROZENSET,
  frame,
  global,
  inst,
  int,
  join,
  LIST,
  list,
  long,
  long1,
  long4,
  longBinget,
  longBinput,
  MARK,
  MEMOIZE,
  NEWOBJ,
  NEWOBJ_EX,
  NONE,
  numpyArray,
  numpyDtype,
  OBJ,
  orderedDict,
  POP,
  POP_MARK,
  pickle,
  proto,
  SETITEM,
  SETITEMS,
  set,
  shortBinbytes,
  shortBinstring,
  shortBinunicode,
  stackGlobal,
  storage,
  str,
  THREE_FLOATS,
  TRUE,
  TUPLE,
  TUPLE1,
  TUPLE2,
  TUPLE3,
  tensor,
  tuple,
} from "../support/pickle-builder.js";
import { fileOf, loadPickle, tensorLegacy, tensorZip } from "../support/torch-file.js";
import { torchZip } from "../support/zip-builder.js";

const preset = global("small_dataset_audio.training.config", "OverfittingPreset");
const text = (value: string) => Buffer.from(value);

const made = <T extends object>(value: T, fields: Partial<T>): T => Object.assign(value, fields);

describe("values", () => {
  test.each<[string, Code, unknown]>([
    ["NONE", NONE, null],
    ["NEWTRUE and NEWFALSE", list(TRUE, FALSE), [true, false]],
    ["BININT1", binint1(255), 255],
    ["BININT2", binint2(65535), 65535],
    [
      "BININT",
      list(binint(-1), binint(2 ** 31 - 1), binint(-(2 ** 31))),
      [-1, 2 ** 31 - 1, -(2 ** 31)],
    ],
    ["LONG1 of nothing", long1(Buffer.alloc(0)), 0],
    ["LONG1", list(long(-1n), long(-256n), long(300n)), [-1, -256, 300]],
    [
      "2^53 - 1, the last number",
      list(long(2n ** 53n - 1n), long(1n - 2n ** 53n)),
      [2 ** 53 - 1, 1 - 2 ** 53],
    ],
    [
      "2^53, the first bigint",
      list(long(2n ** 53n), long(-(2n ** 53n))),
      [2n ** 53n, -(2n ** 53n)],
    ],
    ["2^53 + 1", long(2n ** 53n + 1n), 2n ** 53n + 1n],
    [
      "the ends of 64 bits",
      list(long(2n ** 63n - 1n), long(-(2n ** 63n))),
      [2n ** 63n - 1n, -(2n ** 63n)],
    ],
    [
      "just beyond 64 bits",
      list(long(2n ** 63n), long(-(2n ** 63n) - 1n)),
      [2n ** 63n, -(2n ** 63n) - 1n],
    ],
    [
      "2^64 and its neighbours",
      list(long(2n ** 64n - 1n), long(2n ** 64n), long(-(2n ** 64n))),
      [2n ** 64n - 1n, 2n ** 64n, -(2n ** 64n)],
    ],
    ["-2^127, all of whose words are zero but one", long(-(2n ** 127n)), -(2n ** 127n)],
    ["±2^200", list(long(2n ** 200n), long(-(2n ** 200n))), [2n ** 200n, -(2n ** 200n)]],
    ["LONG4 of 8192 bytes", long4(Buffer.alloc(8192, 0x7f)), BigInt(`0x${"7f".repeat(8192)}`)],
    ["LONG1 in more bytes than it needs", long1(Buffer.from("05000000000000000000", "hex")), 5],
    ["LONG1 of zero in ten bytes", long1(Buffer.alloc(10)), 0],
    ["LONG1 of -1 in ten bytes", long1(Buffer.alloc(10, 0xff)), -1],
    [
      "BINFLOAT",
      list(binfloat(1.5), binfloat(5e-324), binfloat(1.7976931348623157e308)),
      [1.5, 5e-324, 1.7976931348623157e308],
    ],
    ["not a number", binfloat(Number.NaN), Number.NaN],
    ["infinities", list(binfloat(Infinity), binfloat(-Infinity)), [Infinity, -Infinity]],
    ["negative zero", binfloat(-0), -0],
    ["BINUNICODE", binunicode(text("é 雨 🥁")), "é 雨 🥁"],
    ["SHORT_BINUNICODE", shortBinunicode(text("plain")), "plain"],
    ["BINUNICODE8", binunicode8(text("\0 nul")), "\0 nul"],
    ["a lone surrogate", binunicode(Buffer.from("61eda0bd62", "hex")), "a\ud83db"],
    [
      "a surrogate pair in two halves",
      binunicode(Buffer.from("eda0bdedb981", "hex")),
      "\ud83d\ude41",
    ],
    ["a character after U+D000", binunicode(text("\ud7ff \uac00")), "\ud7ff \uac00"],
    ["the empty string", str(""), ""],
    ["a long string", str("xé".repeat(40_000)), "xé".repeat(40_000)],
    [
      "BINSTRING of Python 2",
      list(binstring(text("abc")), shortBinstring(text("é"))),
      ["abc", "é"],
    ],
    [
      "bytes",
      list(shortBinbytes(text("a")), binbytes(text("b")), binbytes8(text("c"))),
      [Uint8Array.of(97), Uint8Array.of(98), Uint8Array.of(99)],
    ],
    ["no bytes", binbytes(Buffer.alloc(0)), new Uint8Array()],
    ["BYTEARRAY8", bytearray8(Buffer.of(1, 2)), Uint8Array.of(1, 2)],
    [
      "bytes of protocol 2",
      call(global("_codecs", "encode"), str("a\u0000é\u00ff"), str("latin1")),
      Uint8Array.of(97, 0, 0xe9, 0xff),
    ],
    ["bytes() of protocol 2", call(global("__builtin__", "bytes")), new Uint8Array()],
    [
      "bytes(str, 'latin-1')",
      call(global("builtins", "bytes"), str("é"), str("latin-1")),
      Uint8Array.of(0xe9),
    ],
    [
      "bytes(list)",
      call(global("builtins", "bytes"), list(int(1), int(255))),
      Uint8Array.of(1, 255),
    ],
    [
      "bytearray(bytes)",
      call(global("builtins", "bytearray"), binbytes(text("a"))),
      Uint8Array.of(97),
    ],
    ["lists", list(EMPTY_LIST, list(int(1)), join(EMPTY_LIST, int(2), APPEND)), [[], [1], [2]]],
    ["LIST", join(MARK, int(1), int(2), LIST), [1, 2]],
    [
      "tuples",
      list(
        EMPTY_TUPLE,
        join(int(1), TUPLE1),
        join(int(1), int(2), TUPLE2),
        join(int(1), int(2), int(3), TUPLE3),
        join(MARK, int(1), int(2), int(3), int(4), TUPLE),
      ),
      [Tuple.of(), Tuple.of(1), Tuple.of(1, 2), Tuple.of(1, 2, 3), Tuple.of(1, 2, 3, 4)],
    ],
    [
      "dicts",
      list(
        EMPTY_DICT,
        join(EMPTY_DICT, str("a"), int(1), SETITEM),
        join(MARK, str("b"), int(2), DICT),
      ),
      [new Map(), new Map([["a", 1]]), new Map([["b", 2]])],
    ],
    ["DICT of nothing below others", list(int(1), join(MARK, DICT)), [1, new Map()]],
    [
      "dict keys of all kinds",
      dict([int(1), NONE], [NONE, int(1)], [binfloat(1.5), int(2)], [str("a"), int(3)]),
      new Map<unknown, unknown>([
        [1, null],
        [null, 1],
        [1.5, 2],
        ["a", 3],
      ]),
    ],
    [
      "a dict key twice: the last wins",
      dict([str("a"), int(1)], [str("a"), int(2)]),
      new Map([["a", 2]]),
    ],
    [
      "sets",
      list(EMPTY_SET, set(int(1), int(2)), join(MARK, int(3), FROZENSET)),
      [new Set(), new Set([1, 2]), new Set([3])],
    ],
    [
      "sets of protocol 2",
      list(
        call(global("__builtin__", "set"), list(int(1))),
        call(global("__builtin__", "frozenset"), list(int(2))),
      ),
      [new Set([1]), new Set([2])],
    ],
    [
      "complex",
      list(
        call(global("builtins", "complex"), binfloat(1), binfloat(-0)),
        call(global("__builtin__", "complex")),
      ),
      [new Complex(1, -0), new Complex(0, 0)],
    ],
    [
      "int(), float(), bool(), str()",
      list(
        call(global("builtins", "int")),
        call(global("__builtin__", "long"), int(3)),
        call(global("builtins", "float")),
        call(global("builtins", "float"), int(2)),
        call(global("builtins", "bool")),
        call(global("builtins", "bool"), TRUE),
        call(global("builtins", "str")),
        call(global("__builtin__", "unicode"), str("u")),
      ),
      [0, 3, 0, 2, false, true, "", "u"],
    ],
    [
      "list() and tuple()",
      list(
        call(global("builtins", "list")),
        call(global("builtins", "list"), tuple(int(1))),
        call(global("builtins", "tuple"), list(int(2))),
      ),
      [[], [1], Tuple.of(2)],
    ],
    [
      "dict() of pairs",
      call(global("builtins", "dict"), list(tuple(str("a"), int(1)))),
      new Map([["a", 1]]),
    ],
    [
      "dict() of a dict",
      call(global("builtins", "dict"), dict([str("a"), int(1)])),
      new Map([["a", 1]]),
    ],
    [
      "a deque",
      call(global("collections", "deque"), list(int(1)), int(5)),
      made(Deque.of(1), { maxlen: 5 }),
    ],
    [
      "a defaultdict",
      join(
        call(global("collections", "defaultdict"), global("builtins", "list")),
        str("a"),
        int(1),
        SETITEM,
      ),
      made(new DefaultDict([["a", 1]]), { factory: new PyGlobal("builtins", "list") }),
    ],
    [
      "a Counter",
      call(global("collections", "Counter"), dict([str("a"), int(1)])),
      new Counter([["a", 1]]),
    ],
    ["torch.Size", call(global("torch", "Size"), tuple(int(1), int(2))), Tuple.of(1, 2)],
    [
      "NEWOBJ of torch.Size",
      join(global("torch", "Size"), tuple(tuple(int(1))), NEWOBJ),
      Tuple.of(1),
    ],
    [
      "NEWOBJ_EX without keywords",
      join(global("builtins", "str"), tuple(str("a")), EMPTY_DICT, POP, NEWOBJ),
      "a",
    ],
    ["TorchVersion", call(global("torch.torch_version", "TorchVersion"), str("2.13.0")), "2.13.0"],
    ["a dtype", global("torch", "float8_e4m3fn"), new PyGlobal("torch", "float8_e4m3fn")],
    [
      "a class that is only named",
      global("collections", "OrderedDict"),
      new PyGlobal("collections", "OrderedDict"),
    ],
    [
      "a device",
      call(global("torch", "device"), str("cuda:0")),
      Object.assign(new PyObject("torch", "device"), { args: Tuple.of("cuda:0") }),
    ],
    ["a numpy dtype", numpyDtype("f4", ">"), new PyGlobal("numpy", "float32")],
  ])("%s", async (_, code, expected) => {
    expect(await loadPickle(code)).toStrictEqual(expected);
  });

  test("numpy scalars", async () => {
    const scalar = (dtype: Code, hex: string) =>
      call(global("numpy._core.multiarray", "scalar"), dtype, binbytes(Buffer.from(hex, "hex")));
    const values = await loadPickle(
      list(
        scalar(numpyDtype("b1", "|"), "01"),
        scalar(numpyDtype("i1", "|"), "80"),
        scalar(numpyDtype("i2"), "0080"),
        scalar(numpyDtype("i2", ">"), "8000"),
        scalar(numpyDtype("u4"), "ffffffff"),
        scalar(numpyDtype("i8"), "0000000000000080"),
        scalar(numpyDtype("u8"), "ffffffffffffffff"),
        scalar(numpyDtype("f2"), "0100"),
        scalar(numpyDtype("f2"), "00c0"),
        scalar(numpyDtype("f2"), "007c"),
        scalar(numpyDtype("f4", ">"), "3fc00000"),
        scalar(numpyDtype("f8"), "000000000000f83f"),
        scalar(numpyDtype("c8"), "0000803f00000040"),
        scalar(numpyDtype("c16", ">"), "3ff00000000000004000000000000000"),
      ),
    );
    expect(values).toStrictEqual([
      true,
      -128,
      -32768,
      -32768,
      4294967295,
      -(2n ** 63n),
      2n ** 64n - 1n,
      2 ** -24,
      -2,
      Infinity,
      1.5,
      1.5,
      new Complex(1, 2),
      new Complex(1, 2),
    ]);
  });

  test("an OrderedDict with attributes", async () => {
    const code = join(
      orderedDict,
      MARK,
      str("a"),
      int(1),
      SETITEMS,
      dict([str("_metadata"), orderedDict]),
      BUILD,
    );
    const read = (await loadPickle(code)) as OrderedDict;
    expect(read).toBeInstanceOf(OrderedDict);
    expect([...read]).toEqual([["a", 1]]);
    expect(read.attributes?.get("_metadata")).toBeInstanceOf(OrderedDict);
    expect(((await loadPickle(orderedDict)) as OrderedDict).attributes).toBeNull();
  });

  test("objects of the Python program, by every way to make them", async () => {
    const state = dict([str("a"), int(1)]);
    const read = (await loadPickle(
      list(
        call(preset, str("balanced")),
        join(preset, tuple(str("b")), NEWOBJ),
        join(preset, tuple(str("c")), dict([str("k"), int(1)]), NEWOBJ_EX),
        join(MARK, str("d"), inst("small_dataset_audio", "D")),
        join(MARK, preset, str("e"), OBJ),
        join(preset, EMPTY_TUPLE, NEWOBJ, state, BUILD),
        join(preset, EMPTY_TUPLE, NEWOBJ, MARK, int(1), int(2), APPENDS),
        join(preset, EMPTY_TUPLE, NEWOBJ, MARK, int(1), int(2), SETITEMS),
      ),
    )) as PyObject[];
    for (const object of read) expect(object).toBeInstanceOf(PyObject);
    expect(read.slice(0, 5).map(({ args }) => args[0])).toEqual(["balanced", "b", "c", "d", "e"]);
    expect(read[0]?.args).toBeInstanceOf(Tuple);
    expect(read[0]).toMatchObject({
      module: "small_dataset_audio.training.config",
      name: "OverfittingPreset",
      kwargs: null,
      state: null,
    });
    expect(read[2]?.kwargs).toEqual(new Map([["k", 1]]));
    expect(read[3]).toMatchObject({ module: "small_dataset_audio", name: "D" });
    expect(read[5]?.state).toEqual(new Map([["a", 1]]));
    expect(read[6]?.items).toEqual([1, 2]);
    expect(read[7]?.entries).toEqual([[1, 2]]);
  });

  test("an object that is its own state", async () => {
    const code = join(preset, EMPTY_TUPLE, NEWOBJ, binput(0), dict([str("me"), binget(0)]), BUILD);
    const read = (await loadPickle(code)) as PyObject;
    expect((read.state as Map<string, unknown>).get("me")).toBe(read);
  });
});

describe("protocols and the machine", () => {
  test.each([2, 3, 4, 5])("protocol %i", async (version) => {
    const body = join(str("a"), version < 4 ? binput(0) : MEMOIZE, TUPLE1);
    const framed = version < 4 ? body : join(frame(body.length + 1), body);
    const content = torchZip(join(proto(version), framed, Buffer.from("."))).bytes;
    expect(await load(fileOf(content))).toStrictEqual(Tuple.of("a"));
  });

  test("POP, POP_MARK, DUP and bytes after STOP", async () => {
    const code = join(int(1), int(2), POP, MARK, int(3), POP_MARK, DUP, MARK, POP, TUPLE2);
    expect(await loadPickle(code)).toEqual([1, 1]);
    const { bytes: content } = torchZip(join(pickle(int(1)), Buffer.from("garbage")));
    expect(await load(fileOf(content))).toBe(1);
  });

  test("the memo", async () => {
    const code = list(
      join(str("first"), binput(0)),
      join(str("second"), longBinput(300)),
      join(str("third"), MEMOIZE),
      binget(0),
      longBinget(300),
      binget(2), // MEMOIZE counts entries
      join(str("anew"), binput(0)),
      binget(0),
    );
    const expected = ["first", "second", "third", "first", "second", "third", "anew", "anew"];
    expect(await loadPickle(code)).toEqual(expected);
  });

  test("batches, as Python writes long lists and dicts", async () => {
    const batch = join(MARK, ...Array(1000).fill(int(7)), APPENDS);
    expect(await loadPickle(join(EMPTY_LIST, batch, batch, int(8), APPEND))).toHaveLength(2001);
    const members = join(EMPTY_SET, MARK, int(1), ADDITEMS, MARK, int(2), ADDITEMS);
    expect(await loadPickle(members)).toEqual(new Set([1, 2]));
  });
});

describe("what is one object stays one object", () => {
  test("lists, dicts, bytes, bytearrays and tensors that occur twice", async () => {
    for (const once of [
      list(),
      EMPTY_DICT,
      set(),
      tuple(int(1)),
      binbytes(text("abc")),
      bytearray8(text("abc")),
      tensor({ storage: storage(3) }),
      numpyArray(numpyDtype("f4"), tuple(int(3)), binbytes(THREE_FLOATS)),
      call(preset, str("a")),
    ]) {
      const [a, b] = (await loadPickle(join(once, binput(9), binget(9), TUPLE2), {
        "0": THREE_FLOATS,
      })) as unknown[];
      expect(typeof a).toBe("object");
      expect(a).toBe(b);
    }
  });

  test("equal bytes that are two objects stay two", async () => {
    const code = tuple(bytearray8(text("a")), bytearray8(text("a")), binbytes(text("a")));
    const [a, b, c] = (await loadPickle(code)) as Uint8Array[];
    (a as Uint8Array)[0] = 0;
    expect([b?.[0], c?.[0]]).toEqual([97, 97]);
  });

  test("two tensors on one storage share their buffer", async () => {
    const whole = tensor({ storage: join(storage(3), binput(1)) });
    const end = tensor({ storage: binget(1), offset: int(1), shape: tuple(int(2)) });
    const other = tensor({
      storage: storage(3),
      shape: tuple(int(1), int(3)),
      stride: tuple(int(3), int(1)),
    });
    for (const verify of [true, false]) {
      const [a, b, c] = (await loadPickle(
        tuple(whole, end, other),
        { "0": THREE_FLOATS },
        {
          verify,
        },
      )) as [Tensor, Tensor, Tensor];
      expect(a.data.buffer).toBe(b.data.buffer);
      expect(a.data.buffer).toBe(c.data.buffer);
      a.data[1] = 20;
      expect([...b.data]).toEqual([20, 3]);
      expect(c.shape).toEqual([1, 3]);
    }
  });

  test("a storage outside of a tensor is read as a tensor on the same buffer", async () => {
    const code = tuple(join(storage(3), binput(1)), tensor({ storage: binget(1) }));
    const [a, b] = (await loadPickle(code, { "0": THREE_FLOATS })) as [Tensor, Tensor];
    expect([a.dtype, a.shape, a.data.buffer === b.data.buffer]).toEqual(["float32", [3], true]);
  });

  test("two arrays made of the same bytes do not share them", async () => {
    const content = join(
      call(global("_codecs", "encode"), str("abcdefghijkl"), str("latin1")),
      binput(3),
    );
    const dtype = join(numpyDtype("i4", ">"), binput(4));
    const code = tuple(
      numpyArray(dtype, tuple(int(3)), content),
      numpyArray(binget(4), tuple(int(3)), binget(3)),
      binget(3),
    );
    const [a, b, raw] = (await loadPickle(code)) as [NdArray, NdArray, Uint8Array];
    expect([...a.data]).toEqual([0x61626364, 0x65666768, 0x696a6b6c]);
    expect([...b.data]).toEqual([...a.data]);
    expect(Buffer.from(raw).toString()).toBe("abcdefghijkl");
    a.data[0] = 0;
    expect(b.data[0]).toBe(0x61626364);
  });

  test("a list within itself", async () => {
    const read = (await loadPickle(join(EMPTY_LIST, binput(0), binget(0), APPEND))) as unknown[];
    expect(read).toHaveLength(1);
    expect(read[0]).toBe(read);
  });

  test("a dict within itself", async () => {
    const code = join(EMPTY_DICT, binput(0), str("self"), binget(0), SETITEM);
    const read = (await loadPickle(code)) as Map<string, unknown>;
    expect(read.get("self")).toBe(read);
  });

  test("a tuple in a list that the tuple holds", async () => {
    const code = join(EMPTY_LIST, binput(0), binget(0), TUPLE1, binput(1), APPEND, POP, binget(1));
    const read = (await loadPickle(code)) as [[unknown]];
    expect(read).toBeInstanceOf(Tuple);
    expect(read[0][0]).toBe(read);
  });

  test("an OrderedDict that is its own attribute", async () => {
    const code = join(orderedDict, binput(0), dict([str("me"), binget(0)]), BUILD);
    const read = (await loadPickle(code)) as OrderedDict;
    expect(read.attributes?.get("me")).toBe(read);
  });

  test("a frozenset in a set, and a set's member that holds the set", async () => {
    const code = join(EMPTY_SET, binput(0), MARK, preset, tuple(binget(0)), NEWOBJ, ADDITEMS);
    const read = (await loadPickle(code)) as Set<PyObject>;
    expect([...read][0]?.args[0]).toBe(read);
  });

  // With sanitizers, stack frames are several times as large.
  const sanitized = process.env["ASAN_OPTIONS"] !== undefined;
  test.skipIf(sanitized)("containers 900 deep", async () => {
    let read = await loadPickle(
      join(...Array(899).fill(EMPTY_LIST), EMPTY_LIST, ...Array(899).fill(APPEND)),
    );
    let depth = 0;
    while (Array.isArray(read)) [read, depth] = [read[0], depth + 1];
    expect(depth).toBe(900);
    const dicts = join(
      ...Array(899).fill(join(EMPTY_DICT, NONE)),
      EMPTY_DICT,
      ...Array(899).fill(SETITEM),
    );
    await expect(loadPickle(dicts)).resolves.toBeInstanceOf(Map);
    const objects = join(
      ...Array(400).fill(join(preset, EMPTY_TUPLE, NEWOBJ)),
      NONE,
      ...Array(400).fill(BUILD),
    );
    await expect(loadPickle(objects)).resolves.toBeInstanceOf(PyObject);
  });
});

describe("tensors", () => {
  test("in every storage class", async () => {
    const eight = Buffer.from("0001020304050607", "hex");
    for (const [cls, dtype, width, type] of [
      ["Bool", "bool", 1, Uint8Array],
      ["Byte", "uint8", 1, Uint8Array],
      ["Char", "int8", 1, Int8Array],
      ["Short", "int16", 2, Int16Array],
      ["Int", "int32", 4, Int32Array],
      ["Long", "int64", 8, BigInt64Array],
      ["Half", "float16", 2, Uint16Array],
      ["BFloat16", "bfloat16", 2, Uint16Array],
      ["Float", "float32", 4, Float32Array],
      ["Double", "float64", 8, Float64Array],
      ["ComplexFloat", "complex64", 8, Float32Array],
    ] as const) {
      const count = 8 / width;
      const code = tensor({
        storage: storage(count, { cls: global("torch", `${cls}Storage`) }),
        shape: tuple(int(count)),
      });
      const read = (await loadPickle(code, { "0": eight })) as Tensor;
      expect([read.dtype, read.shape]).toEqual([dtype, [count]]);
      expect(read.data).toBeInstanceOf(type);
      expect(Buffer.from(read.data.buffer).toString("hex")).toBe(eight.toString("hex"));
    }
  });

  test("strided and transposed ones are row-major, and leave their storage alone", async () => {
    const six = Buffer.from(Float32Array.of(0, 1, 2, 3, 4, 5).buffer);
    const transposed = tensor({
      storage: join(storage(6), binput(1)),
      shape: tuple(int(3), int(2)),
      stride: tuple(int(1), int(3)),
    });
    const every = tensor({
      storage: binget(1),
      offset: int(1),
      shape: tuple(int(2)),
      stride: tuple(int(3)),
    });
    for (const verify of [true, false]) {
      const [a, b, all] = (await loadPickle(
        tuple(transposed, every, binget(1)),
        { "0": six },
        {
          verify,
        },
      )) as [Tensor, Tensor, Tensor];
      expect([...a.data]).toEqual([0, 3, 1, 4, 2, 5]);
      expect([...b.data]).toEqual([1, 4]);
      expect([...all.data]).toEqual([0, 1, 2, 3, 4, 5]);
    }
  });

  test("lazy conjugates and negatives are carried out", async () => {
    const flag = (name: string, cls = "Float", shape = 3) =>
      tensor({
        storage: storage(shape, { cls: global("torch", `${cls}Storage`) }),
        shape: tuple(int(shape)),
        extra: [dict([str(name), TRUE])],
      });
    const read = (await loadPickle(flag("neg"), { "0": THREE_FLOATS })) as Tensor;
    expect([...read.data]).toEqual([-1, -2, -3]);
    const complex = Buffer.from(Float32Array.of(1, 2).buffer);
    const conjugate = (await loadPickle(flag("conj", "ComplexFloat", 1), {
      "0": complex,
    })) as Tensor;
    expect([...conjugate.data]).toEqual([1, -2]);
    const none = tensor({ storage: storage(3), extra: [NONE] });
    expect([...((await loadPickle(none, { "0": THREE_FLOATS })) as Tensor).data]).toEqual([
      1, 2, 3,
    ]);
  });

  test("an empty storage needs no record", async () => {
    const code = tensor({
      storage: storage(0),
      shape: tuple(int(0), int(5)),
      stride: tuple(int(5), int(1)),
    });
    const read = (await loadPickle(code)) as Tensor;
    expect([read.shape, read.data]).toEqual([[0, 5], new Float32Array()]);
  });

  test("where a tensor lived does not matter", async () => {
    for (const location of ["cuda:0", "mps", "meta?", ""]) {
      const code = tensor({ storage: storage(3, { location }) });
      expect([...((await loadPickle(code, { "0": THREE_FLOATS })) as Tensor).data]).toEqual([
        1, 2, 3,
      ]);
    }
  });

  test("numpy arrays: orders, byte orders, both numpys", async () => {
    const six = Buffer.from(Int16Array.of(0, 1, 2, 3, 4, 5).buffer);
    const shape = tuple(int(2), int(3));
    const c = (await loadPickle(numpyArray(numpyDtype("i2"), shape, binbytes(six)))) as NdArray;
    expect(c).toBeInstanceOf(NdArray);
    expect(c).toMatchObject({ dtype: "int16", shape: [2, 3], fortranOrder: false });
    expect([...c.data]).toEqual([0, 1, 2, 3, 4, 5]);
    const options = { fortran: TRUE };
    const f = (await loadPickle(
      numpyArray(numpyDtype("i2"), shape, binbytes(six), options),
    )) as NdArray;
    expect(f.fortranOrder).toBe(true);
    expect([...f.data]).toEqual([0, 2, 4, 1, 3, 5]);
    const swapped = Buffer.from(six).swap16();
    const big = (await loadPickle(
      numpyArray(numpyDtype("i2", ">"), shape, binbytes(swapped)),
    )) as NdArray;
    expect([...big.data]).toEqual([0, 1, 2, 3, 4, 5]);
    const buffer = call(
      global("numpy._core.numeric", "_frombuffer"),
      bytearray8(six),
      numpyDtype("i2"),
      shape,
      str("F"),
    );
    expect([...((await loadPickle(buffer)) as NdArray).data]).toEqual([0, 2, 4, 1, 3, 5]);
    const empty = numpyArray(
      numpyDtype("f8"),
      tuple(int(0), int(3)),
      binbytes(Buffer.alloc(0)),
      options,
    );
    expect(((await loadPickle(empty)) as NdArray).shape).toEqual([0, 3]);
    const scalar = numpyArray(numpyDtype("i2"), EMPTY_TUPLE, binbytes(six.subarray(2, 4)), options);
    expect([...((await loadPickle(scalar)) as NdArray).data]).toEqual([1]);
  });
});

describe("options", () => {
  test("weights: false gives shapes without data", async () => {
    for (const path of [fileOf(tensorZip()), fileOf(tensorLegacy())]) {
      const read = (await load(path, { weights: false })) as Tensor;
      expect(read).toMatchObject({ dtype: "float32", shape: [3] });
      expect(read.data).toEqual(new Float32Array());
    }
  });

  test("verify: false gives the same data, and writing to it leaves the file alone", async () => {
    for (const content of [tensorZip(), tensorLegacy()]) {
      const path = fileOf(content);
      const mapped = (await load(path, { verify: false })) as Tensor;
      const read = (await load(path)) as Tensor;
      expect(mapped).toEqual(read);
      (mapped.data as Float32Array).fill(7);
      (read.data as Float32Array).fill(8);
      expect(readFileSync(path).equals(content)).toBe(true);
      expect([...((await load(path, { verify: false })) as Tensor).data]).toEqual([1, 2, 3]);
    }
  });

  test.each([true, false])(
    "a file that is replaced while it is loaded (verify: %s)",
    async (verify) => {
      const path = fileOf(tensorZip());
      const read = (await load(path, { verify })) as Tensor;
      const other = `${path}.new`;
      writeFileSync(other, Buffer.alloc(10));
      renameSync(other, path);
      expect([...read.data]).toEqual([1, 2, 3]);
    },
  );

  test("a file that is overwritten after a load with verify", async () => {
    for (const content of [tensorZip(), tensorLegacy()]) {
      const path = fileOf(content);
      const read = (await load(path)) as Tensor;
      writeFileSync(path, Buffer.alloc(content.length, 0xff));
      expect([...read.data]).toEqual([1, 2, 3]);
      writeFileSync(path, "");
      expect([...read.data]).toEqual([1, 2, 3]);
    }
  });

  test("a file: URL, also of a name with strange characters", async () => {
    for (const name of ["file.pt", "a b%20#ü?.pt", "雨\u0001.pt"]) {
      const path = fileOf(tensorZip(), name);
      expect(await load(pathToFileURL(path))).toBeInstanceOf(Tensor);
      expect((await inspect(pathToFileURL(path))).container).toBe("zip");
    }
  });

  test.each<[unknown, unknown]>([
    ["", {}],
    ["a\0b", {}],
    [undefined, {}],
    [7, {}],
    [new URL("ftp://example.com/a.pt"), {}],
    [{}, {}],
    ["a.pt", { limits: { memoryBytes: 0 } }],
    ["a.pt", { limits: { memory: 1 } }],
    ["a.pt", { unknownGlobals: "allow" }],
    ["a.pt", { unknownGlobals: true }],
  ])("load(%o, %o) is a mistake of the caller", async (path, options) => {
    const error = await sdaError(() => load(path as string, options as LoadOptions));
    expect(error.code).toBe("ERR_SDA_ARGUMENT");
  });
});

test("inspect lists every name of a tensor, and says which is the same", async () => {
  const shape = { dtype: "float32", shape: [3], bytes: 12 };
  const w = join(tensor({ storage: storage(3) }), binput(1));
  const inner = join(dict([str("w"), binget(1)], [str("x"), int(1)]), binput(2));
  const code = dict(
    [str("w"), w],
    [str("best"), inner],
    [str("last"), binget(2)],
    [str("all"), list(binget(1), binget(2))],
    [str("other"), tensor({ storage: storage(3) })],
  );
  const path = fileOf(torchZip(pickle(code), { "0": THREE_FLOATS }).bytes);
  expect((await inspect(path)).tensors).toEqual([
    { name: "w", ...shape },
    { name: "best.w", ...shape, aliasOf: "w" },
    { name: "last.w", ...shape, aliasOf: "w" },
    { name: "all.0", ...shape, aliasOf: "w" },
    { name: "all.1.w", ...shape, aliasOf: "w" },
    { name: "other", ...shape },
  ]);
});

test("jagged tensors, and sparse ones with attributes, are read by default and saved", async () => {
  const nested = "torch.nested._internal.nested_tensor";
  const shape = tuple(int(3), int(1));
  const values = tensor({ storage: storage(3), shape, stride: tuple(int(1), int(1)) });
  const offsets = (...numbers: number[]) =>
    tensor({
      storage: storage(numbers.length, { cls: global("torch", "LongStorage"), key: "1" }),
      shape: tuple(int(numbers.length)),
    });
  const rebuilt = (rebuild: Code, cls: Code, args: Code, state: Code) =>
    call(global("torch._tensor", "_rebuild_from_type_v2"), rebuild, cls, args, state);
  const parts = dict(
    [str("values"), values],
    [str("offsets"), offsets(0, 1, 3)],
    [str("lengths"), NONE],
    [str("_ragged_idx"), int(1)],
    [str("_metadata_cache"), EMPTY_DICT],
  );
  const layout = call(global("torch.serialization", "_get_layout"), str("torch.sparse_coo"));
  const sparse = tuple(layout, tuple(values, values, tuple(int(3)), FALSE));
  const jagged = rebuilt(
    global(nested, "_rebuild_njt"),
    global(nested, "NestedTensor"),
    tuple(parts),
    EMPTY_DICT,
  );
  const tagged = rebuilt(
    global("torch._utils", "_rebuild_sparse_tensor"),
    global("torch", "Tensor"),
    sparse,
    dict([str("note"), str("x")]),
  );
  const numbers = Buffer.from(BigInt64Array.of(0n, 1n, 3n).buffer);
  const path = fileOf(
    torchZip(pickle(list(jagged, tagged)), { "0": THREE_FLOATS, "1": numbers }).bytes,
  );
  for (let copies = 0; copies < 2; copies++) {
    const [one, other] = await load<[JaggedTensor, PyObject]>(path);
    expect(one).toBeInstanceOf(JaggedTensor);
    expect([one.dtype, one.raggedDimension, one.lengths]).toEqual(["float32", 0, null]);
    expect(one.tensors).toEqual([
      new Tensor("float32", [1, 1], Float32Array.of(1)),
      new Tensor("float32", [2, 1], Float32Array.of(2, 3)),
    ]);
    expect(other.args[3]).toEqual(new Map([["note", "x"]]));
    await save([one, other], path);
  }
  const forged = new PyObject("torch._tensor", "_rebuild_from_type_v2");
  forged.args = Tuple.of<unknown>(
    new PyGlobal("numpy", "memmap"),
    new PyGlobal("torch", "Tensor"),
    Tuple.of("a file"),
    new Map(),
  );
  const error = await sdaError(() => save(forged, path));
  expect(error.message).toContain("_rebuild_from_type_v2");
});

test("inspect lists tensors that only attributes, sets and OrderedDicts' attributes hold", async () => {
  const weight = new Tensor("float32", [1], Float32Array.of(1));
  const scale = new Tensor("float32", [1], Float32Array.of(2));
  const member = new Tensor("float32", [1], Float32Array.of(3));
  const hidden = new Tensor("float32", [1], Float32Array.of(4));
  weight.attributes = new Map<string, unknown>([
    ["scale", scale],
    ["again", scale],
  ]);
  const ordered = new OrderedDict([["x", 1]]);
  ordered.attributes = new Map([["hidden", hidden]]);
  const path = fileOf(Buffer.alloc(0));
  await save({ weight, set: new Set([member]), ordered }, path);
  expect((await inspect(path)).tensors.map(({ name, aliasOf }) => [name, aliasOf])).toEqual([
    ["weight", undefined],
    ["weight.scale", undefined],
    ["weight.again", "weight.scale"],
    ["set.0", undefined],
    ["ordered.hidden", undefined],
  ]);
});

test("containers that hold one another many times are inspected at once", async () => {
  // Each list holds the one before it twice: 2^60 names lead to the tensor.
  const levels = [...Array(60)].map((_, i) => join(binput(i), MARK, binget(i), binget(i), LIST));
  const code = join(list(tensor({ storage: storage(3) })), ...levels);
  const path = fileOf(torchZip(pickle(code), { "0": THREE_FLOATS }).bytes);
  const { tensors } = await inspect(path);
  expect(tensors[0]?.aliasOf).toBeUndefined();
  expect(tensors.length).toBeLessThan(200_000);
});

test("inspect lists globals and tensors, dangerous ones included, and reads no weights", async () => {
  const code = dict(
    [str("a"), tensor({ storage: storage(3) })],
    [
      str("b"),
      list(
        stackGlobal("os", "system"),
        dict([int(3), tensor({ storage: storage(3), shape: tuple(int(0)) })]),
      ),
    ],
    [str("c"), numpyArray(numpyDtype("f4"), tuple(int(3), int(1)), binbytes(THREE_FLOATS))],
    [tuple(int(1)), tensor({ storage: storage(3) })],
    [
      str("object"),
      join(preset, EMPTY_TUPLE, NEWOBJ, dict([str("x"), tensor({ storage: storage(3) })]), BUILD),
    ],
  );
  const { bytes: content } = torchZip(pickle(code), { "0": THREE_FLOATS });
  const report = await inspect(fileOf(content));
  expect(report.container).toBe("zip");
  expect(report.bytes).toBe(content.length);
  expect(report.globals).toEqual([...report.globals].sort());
  expect(report.globals).toEqual(
    expect.arrayContaining(["os.system", "torch.FloatStorage", "torch._utils._rebuild_tensor_v2"]),
  );
  expect(report.tensors).toEqual([
    { name: "a", dtype: "float32", shape: [3], bytes: 12 },
    { name: "b.1.3", dtype: "float32", shape: [0], bytes: 0 },
    { name: "c", dtype: "float32", shape: [3, 1], bytes: 12 },
    { name: "[3]", dtype: "float32", shape: [3], bytes: 12 },
    { name: "object.x", dtype: "float32", shape: [3], bytes: 12 },
  ]);
  expect(
    (
      await inspect(
        fileOf(torchZip(pickle(tensor({ storage: storage(3) })), { "0": THREE_FLOATS }).bytes),
      )
    ).tensors[0]?.name,
  ).toBe("");
  expect((await inspect(fileOf(tensorLegacy()))).container).toBe("legacy");
});
