import { describe, expect, test } from "vitest";
import type { SdaErrorCode } from "../../lib/base/errors.js";
import { inspect, load } from "../../lib/torch/index.js";
import { sdaError } from "../support/errors.js";
import {
  ADDITEMS,
  APPEND,
  APPENDS,
  BINPERSID,
  BUILD,
  binbytes,
  binbytes8,
  binget,
  binput,
  binstring,
  binunicode,
  binunicode8,
  bytearray8,
  bytes,
  type Code,
  DICT,
  DUP,
  EMPTY_DICT,
  EMPTY_LIST,
  EMPTY_SET,
  EMPTY_TUPLE,
  ext1,
  ext2,
  ext4,
  FROZENSET,
  frame,
  global,
  int,
  join,
  list,
  long4,
  longBinget,
  longBinput,
  MARK,
  MEMOIZE,
  NEWOBJ,
  NEWOBJ_EX,
  NEXT_BUFFER,
  NONE,
  OBJ,
  POP,
  POP_MARK,
  persid,
  pickle,
  proto,
  READONLY_BUFFER,
  REDUCE,
  SETITEM,
  SETITEMS,
  STACK_GLOBAL,
  STOP,
  set,
  storage,
  str,
  THREE_FLOATS,
  TUPLE,
  TUPLE1,
  TUPLE3,
  textOpcode,
  tuple,
} from "../support/pickle-builder.js";
import { fileOf, refusal, refusedPickle } from "../support/torch-file.js";
import { torchZip } from "../support/zip-builder.js";

const CORRUPT = "ERR_SDA_CORRUPT";
const UNSAFE = "ERR_SDA_UNSAFE";
const FORMAT = "ERR_SDA_FORMAT";
const LIMIT = "ERR_SDA_LIMIT";
const nothing = "finds nothing on the stack";
const noMark = "finds no mark";
const huge = 0xffffffff;

/** [name, opcodes before the failing opcode, the failing opcode, error] */
type Case = [string, Code, Code, SdaErrorCode, string];

async function failsAt([, before, opcode, code, message]: Case) {
  const { bytes: content, records } = torchZip(pickle(before, opcode), { "0": THREE_FLOATS });
  const start = (records[0]?.data as number) + 2 + before.length;
  const error = await refusal(content, code);
  expect(error.message).toContain(message);
  expect(error.details?.["offset"]).toBe(start);
}

const none = Buffer.alloc(0);

describe("lengths", () => {
  test.each<Case>([
    ["BINUNICODE", none, binunicode(none, huge), CORRUPT, "in the middle"],
    ["BINUNICODE8", none, binunicode8(none, 2 ** 32), CORRUPT, "in the middle"],
    ["BINUNICODE8, all bits", none, binunicode8(none, -1), CORRUPT, "in the middle"],
    ["BINSTRING", none, binstring(none, huge), CORRUPT, "in the middle"],
    ["BINBYTES", none, binbytes(none, huge), CORRUPT, "in the middle"],
    ["BINBYTES8", none, binbytes8(none, 2 ** 62), CORRUPT, "in the middle"],
    ["BINBYTES8, all bits", none, binbytes8(none, -1), CORRUPT, "in the middle"],
    ["BYTEARRAY8", none, bytearray8(none, -1), CORRUPT, "in the middle"],
    ["LONG4", none, long4(none, 0x7fffffff), CORRUPT, "in the middle"],
    ["LONG4, negative", none, long4(none, huge), CORRUPT, "negative length"],
    [
      "LONG4, larger than any number",
      none,
      long4(Buffer.alloc(8193)),
      "ERR_SDA_LIMIT",
      "8193 bytes",
    ],
    ["FRAME", none, frame(2 ** 32), CORRUPT, "frame that is longer"],
    ["FRAME, all bits", none, frame(-1), CORRUPT, "frame that is longer"],
    ["GLOBAL without an end", none, Buffer.from("ctorch"), CORRUPT, "in the middle"],
    ["GLOBAL with half its name", none, Buffer.from("ctorch\nSize"), CORRUPT, "in the middle"],
    ["INST without an end", MARK, Buffer.from("itorch"), CORRUPT, "in the middle"],
    [
      "GLOBAL of a name without end",
      none,
      global("torch", "x".repeat(5000)),
      "ERR_SDA_LIMIT",
      "name of",
    ],
    [
      "STACK_GLOBAL of a name without end",
      join(str("small_dataset_audio"), str("x".repeat(5000))),
      STACK_GLOBAL,
      "ERR_SDA_LIMIT",
      "name of",
    ],
  ])("%s", async (...row) => failsAt(row));
});

describe("the stack", () => {
  test.each<Case>([
    ["POP on nothing", none, POP, CORRUPT, nothing],
    ["STOP on nothing", none, STOP, CORRUPT, nothing],
    ["STOP above a mark", join(int(1), MARK), STOP, CORRUPT, nothing],
    ["DUP on nothing", none, DUP, CORRUPT, nothing],
    ["TUPLE1 on nothing", none, TUPLE1, CORRUPT, nothing],
    ["TUPLE3 on two", join(int(1), int(2)), TUPLE3, CORRUPT, nothing],
    ["TUPLE3 through a mark", join(int(1), MARK, int(2), int(3)), TUPLE3, CORRUPT, nothing],
    ["REDUCE on nothing", none, REDUCE, CORRUPT, nothing],
    ["REDUCE without a callable", EMPTY_TUPLE, REDUCE, CORRUPT, nothing],
    ["NEWOBJ on nothing", none, NEWOBJ, CORRUPT, nothing],
    ["NEWOBJ_EX on two", join(EMPTY_TUPLE, EMPTY_DICT), NEWOBJ_EX, CORRUPT, nothing],
    ["BUILD on one", EMPTY_DICT, BUILD, CORRUPT, nothing],
    ["APPEND on one", int(1), APPEND, CORRUPT, nothing],
    ["APPEND through a mark", join(EMPTY_LIST, MARK, int(1)), APPEND, CORRUPT, nothing],
    ["SETITEM on two", join(int(1), int(2)), SETITEM, CORRUPT, nothing],
    ["STACK_GLOBAL on one", str("os"), STACK_GLOBAL, CORRUPT, nothing],
    ["BINPERSID on nothing", none, BINPERSID, CORRUPT, nothing],
    ["BINPUT on nothing", none, binput(0), CORRUPT, nothing],
    ["MEMOIZE on nothing", none, MEMOIZE, CORRUPT, nothing],
    ["POP_MARK without a mark", int(1), POP_MARK, CORRUPT, noMark],
    ["TUPLE without a mark", int(1), TUPLE, CORRUPT, noMark],
    ["LIST without a mark", none, Buffer.from("l"), CORRUPT, noMark],
    ["DICT without a mark", none, DICT, CORRUPT, noMark],
    ["APPENDS without a mark", EMPTY_LIST, APPENDS, CORRUPT, noMark],
    ["SETITEMS without a mark", EMPTY_DICT, SETITEMS, CORRUPT, noMark],
    ["ADDITEMS without a mark", EMPTY_SET, ADDITEMS, CORRUPT, noMark],
    ["FROZENSET without a mark", none, FROZENSET, CORRUPT, noMark],
    ["OBJ without a mark", none, OBJ, CORRUPT, noMark],
    ["OBJ without a class", MARK, OBJ, CORRUPT, "without a class"],
    ["APPENDS at the bottom", MARK, APPENDS, CORRUPT, "appended to a None"],
    ["SETITEMS at the bottom", MARK, SETITEMS, CORRUPT, "set on a None"],
    ["ADDITEMS at the bottom", MARK, ADDITEMS, CORRUPT, "added to a None"],
    ["APPENDS to a tuple", join(EMPTY_TUPLE, MARK), APPENDS, CORRUPT, "appended to a tuple"],
    ["APPEND to a dict", join(EMPTY_DICT, int(1)), APPEND, CORRUPT, "appended to a dict"],
    ["SETITEM on a list", join(EMPTY_LIST, int(1), int(2)), SETITEM, CORRUPT, "set on a list"],
    [
      "SETITEMS with a key too many",
      join(EMPTY_DICT, MARK, int(1)),
      SETITEMS,
      CORRUPT,
      "without a value",
    ],
    ["DICT with a key too many", join(MARK, int(1)), DICT, CORRUPT, "without a value"],
    ["ADDITEMS to a list", join(EMPTY_LIST, MARK), ADDITEMS, CORRUPT, "added to a list"],
    ["ADDITEMS to a frozenset", join(MARK, FROZENSET, MARK), ADDITEMS, CORRUPT, "added to a set"],
    [
      "a list as a key",
      join(EMPTY_DICT, EMPTY_LIST, int(1)),
      SETITEM,
      CORRUPT,
      "list as a dict key",
    ],
    [
      "a dict as a key",
      join(EMPTY_DICT, EMPTY_DICT, int(1)),
      SETITEM,
      CORRUPT,
      "dict as a dict key",
    ],
    [
      "a bytearray as a key",
      join(EMPTY_DICT, bytearray8(none), int(1)),
      SETITEM,
      CORRUPT,
      "bytearray as a dict key",
    ],
    ["a set in a set", join(EMPTY_SET, MARK, EMPTY_SET), ADDITEMS, CORRUPT, "set as a dict key"],
    ["a list in a frozenset", join(MARK, EMPTY_LIST), FROZENSET, CORRUPT, "list as a dict key"],
    [
      "REDUCE with a list",
      join(global("builtins", "set"), list()),
      REDUCE,
      CORRUPT,
      "arguments of a call are a list",
    ],
    [
      "NEWOBJ_EX with keywords that are no dict",
      join(global("builtins", "set"), EMPTY_TUPLE, EMPTY_LIST),
      NEWOBJ_EX,
      CORRUPT,
      "are not a dict",
    ],
    ["STACK_GLOBAL of numbers", join(int(1), int(2)), STACK_GLOBAL, CORRUPT, "not a string"],
    [
      "STACK_GLOBAL of bytes",
      join(binbytes(Buffer.from("os")), str("system")),
      STACK_GLOBAL,
      CORRUPT,
      "not a string",
    ],
  ])("%s", async (...row) => failsAt(row));
});

describe("the memo", () => {
  test.each<Case>([
    ["BINGET before any", none, binget(0), CORRUPT, "read before it is written"],
    [
      "LONG_BINGET of another",
      join(int(1), binput(0)),
      longBinget(1),
      CORRUPT,
      "read before it is written",
    ],
    ["LONG_BINGET of the last", none, longBinget(huge), CORRUPT, "read before it is written"],
    [
      "BINGET of one left out",
      join(int(1), binput(2)),
      binget(1),
      CORRUPT,
      "read before it is written",
    ],
    ["LONG_BINPUT of the last", int(1), longBinput(huge), "ERR_SDA_LIMIT", "memo index 4294967295"],
    ["LONG_BINPUT far ahead", int(1), longBinput(65_537), "ERR_SDA_LIMIT", "memo index 65537"],
  ])("%s", async (...row) => failsAt(row));
});

describe("opcodes", () => {
  test.each<Case>([
    ["none of Python's", none, bytes(0xff), CORRUPT, "unknown pickle opcode 255"],
    ["zero", none, bytes(0), CORRUPT, "unknown pickle opcode 0"],
    ["a newer protocol", none, proto(6), "ERR_SDA_VERSION", "protocol 6 is newer"],
    ["FLOAT of a word", none, textOpcode("F", "one"), CORRUPT, "no number"],
    ["FLOAT in hexadecimal", none, textOpcode("F", "0x1p3"), CORRUPT, "no number"],
    ["FLOAT of nothing", none, textOpcode("F", ""), CORRUPT, "no number"],
    ["FLOAT of many digits", none, textOpcode("F", "1".repeat(65)), CORRUPT, "no number"],
    ["INT of a word", none, textOpcode("I", "one"), CORRUPT, "no number"],
    ["INT of nothing", none, textOpcode("I", ""), CORRUPT, "no number"],
    ["LONG of a sign", none, textOpcode("L", "-L"), CORRUPT, "no number"],
    ["LONG, endless", none, textOpcode("L", `${"9".repeat(20_000)}L`), LIMIT, "20000 digits"],
    ["STRING without quotes", none, textOpcode("S", "a"), CORRUPT, "without quotes"],
    ["STRING with two quotes", none, textOpcode("S", "'a\""), CORRUPT, "without quotes"],
    ["STRING of half an escape", none, textOpcode("S", "'\\x1'"), CORRUPT, "damaged escape"],
    ["UNICODE of half an escape", none, textOpcode("V", "\\u12"), CORRUPT, "damaged escape"],
    ["UNICODE beyond", none, textOpcode("V", "\\U00110000"), CORRUPT, "beyond Unicode"],
    ["GET of nothing written", none, textOpcode("g", "0"), CORRUPT, "before it is written"],
    ["GET of a word", none, textOpcode("g", "a"), CORRUPT, "no number"],
    ["PUT of a huge number", int(1), textOpcode("p", "9".repeat(18)), LIMIT, "memo index"],
    ["PUT of a negative one", int(1), textOpcode("p", "-1"), CORRUPT, "no number"],
    ["PERSID", none, persid("storage"), UNSAFE, "text instead of a storage"],
    ["EXT1", none, ext1(1), UNSAFE, "extension registry"],
    ["EXT2", none, ext2(1000), UNSAFE, "extension registry"],
    ["EXT4", none, ext4(100_000), UNSAFE, "extension registry"],
    ["NEXT_BUFFER", none, NEXT_BUFFER, UNSAFE, "buffer outside the file"],
    ["READONLY_BUFFER", int(1), READONLY_BUFFER, UNSAFE, "buffer outside the file"],
  ])("%s", async (...row) => failsAt(row));
});

describe("text", () => {
  test.each([
    ["a lone continuation byte", "80"],
    ["half a character", "c3"],
    ["half a character in front of another", "c341"],
    ["an overlong slash", "c0af"],
    ["an overlong slash of three bytes", "e080af"],
    ["an overlong slash of four bytes", "f08080af"],
    ["three of four bytes", "f09f98"],
    ["beyond U+10FFFF", "f4908080"],
    ["five bytes", "f888808080"],
    ["bytes that never occur", "feff"],
  ])("%s is not UTF-8", async (_, hex) => {
    const text = Buffer.from(hex, "hex");
    for (const opcode of [binunicode(text), binunicode8(text)])
      await failsAt(["", none, opcode, CORRUPT, "not UTF-8"]);
    await failsAt(["", none, binstring(text), FORMAT, 'encoding="latin1"']);
  });

  test("a str of Python 2 by its encoding", async () => {
    for (const opcode of [
      binstring(Buffer.from("d\xe9", "latin1")),
      textOpcode("S", "'d\\xe9'"),
      textOpcode("S", '"d\\351"'),
    ]) {
      const path = fileOf(torchZip(pickle(opcode)).bytes);
      expect(await load(path, { encoding: "latin1" })).toBe("dé");
      expect(await load(path, { encoding: "bytes" })).toEqual(Uint8Array.of(0x64, 0xe9));
      expect((await sdaError(() => load(path))).code).toBe(FORMAT);
      await inspect(path); // shows names of any encoding
    }
    const path = fileOf(torchZip(pickle(binstring(Buffer.from("dé")))).bytes);
    expect(await load(path)).toBe("dé");
    expect(await load(path, { encoding: "latin1" })).toBe("dÃ©");
  });

  test("the values of protocol 0", async () => {
    const cases: [string, string, unknown][] = [
      ["F", "1.5", 1.5],
      ["F", "-1e-300", -1e-300],
      ["F", "nan", Number.NaN],
      ["F", "-inf", Number.NEGATIVE_INFINITY],
      ["I", "15", 15],
      ["I", "-9223372036854775808", -(2n ** 63n)],
      ["I", "9223372036854775808", 2n ** 63n],
      ["I", "00", false],
      ["I", "01", true],
      ["L", "0L", 0],
      ["L", "-15L", -15],
      ["L", `${10n ** 60n + 7n}L`, 10n ** 60n + 7n],
      ["L", `-${10n ** 200n}L`, -(10n ** 200n)],
      ["S", "'a\\'b\\\\\\n\\t\\x41'", "a'b\\\n\tA"],
      ["S", '"it\'s"', "it's"],
      ["V", "caf\xe9 \\u2028 \\U0001f941 \\ud83e\\udd41", "café \u2028 \u{1f941} \u{1f941}"],
    ];
    for (const [letter, line, wanted] of cases) {
      const opcode = Buffer.from(`${letter}${line}\n`, "latin1");
      const code = Buffer.concat([Buffer.from("("), opcode, Buffer.from("lp0\ng0\n0.")]);
      const found = (await load(fileOf(torchZip(code).bytes))) as unknown[];
      expect(found, line).toEqual([wanted]);
    }
  });
});

describe("persistent ids", () => {
  const id = (...parts: Code[]) => tuple(str("storage"), ...parts);
  const floats = global("torch", "FloatStorage");
  test.each<Case>([
    ["no tuple", str("storage"), BINPERSID, UNSAFE, "not a storage"],
    ["an empty tuple", EMPTY_TUPLE, BINPERSID, UNSAFE, "not a storage"],
    ["another kind", tuple(str("module"), floats), BINPERSID, UNSAFE, "not a storage"],
    ["a kind that is a number", tuple(int(1)), BINPERSID, UNSAFE, "not a storage"],
    [
      "too few parts",
      id(floats, str("0"), str("cpu")),
      BINPERSID,
      CORRUPT,
      "persistent id has 4 values",
    ],
    [
      "too many parts",
      id(floats, str("0"), str("cpu"), int(3), NONE),
      BINPERSID,
      CORRUPT,
      "persistent id has 6 values",
    ],
    [
      "a class that is text",
      id(str("FloatStorage"), str("0"), str("cpu"), int(3)),
      BINPERSID,
      UNSAFE,
      "of class 'str'",
    ],
    [
      "a class that is no storage",
      id(global("collections", "OrderedDict"), str("0"), str("cpu"), int(3)),
      BINPERSID,
      UNSAFE,
      "of class 'collections.OrderedDict'",
    ],
    [
      "a key that is None",
      id(floats, NONE, str("cpu"), int(3)),
      BINPERSID,
      CORRUPT,
      "persistent id has values of the wrong types",
    ],
    [
      "a location that is None",
      id(floats, str("0"), NONE, int(3)),
      BINPERSID,
      CORRUPT,
      "persistent id has values of the wrong types",
    ],
    [
      "a size that is text",
      id(floats, str("0"), str("cpu"), str("3")),
      BINPERSID,
      CORRUPT,
      "persistent id has values of the wrong types",
    ],
    [
      "a negative size",
      id(floats, str("0"), str("cpu"), int(-1)),
      BINPERSID,
      CORRUPT,
      "-1 elements",
    ],
    [
      "a size that overflows",
      id(floats, str("0"), str("cpu"), int(2n ** 62n)),
      BINPERSID,
      CORRUPT,
      "elements",
    ],
    [
      "a size beyond 64 bits",
      id(floats, str("0"), str("cpu"), int(2n ** 70n)),
      BINPERSID,
      CORRUPT,
      "persistent id has values of the wrong types",
    ],
    [
      "a size that is not the record's",
      id(floats, str("0"), str("cpu"), int(4)),
      BINPERSID,
      CORRUPT,
      "needs 16",
    ],
    [
      "a key that is a path",
      id(floats, str("../version"), str("cpu"), int(3)),
      BINPERSID,
      CORRUPT,
      "no record 'data/../version'",
    ],
    [
      "a key without end",
      id(floats, str("x".repeat(5000)), str("cpu"), int(3)),
      BINPERSID,
      "ERR_SDA_LIMIT",
      "key of",
    ],
    [
      "a key with two types",
      join(storage(3), id(global("torch", "IntStorage"), str("0"), str("cpu"), int(3))),
      BINPERSID,
      CORRUPT,
      "has two types",
    ],
  ])("%s", async (...row) => failsAt(row));
});

test("a pickle that ends without STOP", async () => {
  const { bytes: content } = torchZip(join(proto(2), int(1)));
  expect((await refusal(content, CORRUPT)).message).toContain("in the middle");
});

test("an empty pickle", async () => {
  expect((await refusal(torchZip(none).bytes, CORRUPT)).message).toContain("in the middle");
});

test("a set that is no set's member after all", async () => {
  await expect(refusedPickle(set(list()), CORRUPT)).resolves.toBeDefined();
});
