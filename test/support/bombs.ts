/** Small files that make a naive reader spend much memory, time or stack. */

import { legacy } from "./legacy-builder.js";
import {
  ADDITEMS,
  APPEND,
  APPENDS,
  BINPERSID,
  BUILD,
  binbytes,
  binfloat,
  binget,
  binput,
  binunicode,
  bytes,
  type Code,
  DUP,
  EMPTY_DICT,
  EMPTY_LIST,
  EMPTY_SET,
  EMPTY_TUPLE,
  FALSE,
  global,
  int,
  join,
  longBinput,
  MARK,
  NONE,
  numpyDtype,
  orderedDict,
  POP,
  pickle,
  REDUCE,
  SETITEM,
  SETITEMS,
  STACK_GLOBAL,
  STOP,
  shortBinbytes,
  shortBinunicode,
  storage,
  str,
  THREE_FLOATS,
  TUPLE,
  TUPLE1,
  TUPLE2,
  tensor,
  tuple,
  u64,
} from "./pickle-builder.js";
import { torchZip, zip } from "./zip-builder.js";

export interface Bomb {
  name: string;
  make: () => Buffer;
  /** Whether loading may succeed */
  harmless?: true;
  via?: "inspect" | "verify";
}

const times = (count: number, code: Code): Code =>
  Buffer.alloc(count * code.length, new Uint8Array(code));
const each = (count: number, code: (i: number) => Code): Code =>
  Buffer.concat([...Array(count)].map((_, i) => code(i)));
/** A list of `count` times the same value. */
const listOf = (count: number, code: Code): Code =>
  join(EMPTY_LIST, MARK, times(count, code), APPENDS);
/** A dict with `count` keys. */
const dictOf = (count: number): Code =>
  join(
    EMPTY_DICT,
    MARK,
    each(count, (i) => join(str(`key ${i}`), NONE)),
    SETITEMS,
  );
/** Puts the value of `code` into the memo at `index` and removes it from the stack. */
const remember = (index: number, code: Code): Code => join(code, binput(index), POP);

const file = (code: Code, storages: Record<string, Buffer> = { "0": THREE_FLOATS }) =>
  torchZip(pickle(code), storages).bytes;

/** Lists of so many of each value. The codes may use the memo that `costlyMemo` fills. */
const costly = (count: number, values: Record<string, Code>): Bomb[] =>
  Object.entries(values).map(([name, code]) => ({
    name: `${count} ${name}`,
    harmless: true,
    make: () => file(join(costlyMemo(), listOf(count, code))),
  }));

const LONG_NAME = "n".repeat(1000);

function costlyMemo(): Code {
  const view = (shape: Code, stride: Code) =>
    tuple(storage(3), int(0), shape, stride, FALSE, orderedDict);
  const ones = tuple(...Array(64).fill(int(1)));
  return join(
    ...[
      binfloat(1),
      str("key"),
      global("small_dataset_audio.x", "Y"),
      global("collections", "OrderedDict"),
      join(str(`small_dataset_audio.${LONG_NAME}`), str(LONG_NAME), STACK_GLOBAL),
      global("torch._utils", "_rebuild_tensor_v2"),
      view(ones, ones),
      view(tuple(int(2)), tuple(int(0))),
      str(`small_dataset_audio.${LONG_NAME}`),
      str(LONG_NAME),
    ].map((code, i) => remember(i, code)),
  );
}

const MEGABYTE = 1 << 20;
const ints = (...values: (number | bigint)[]) => tuple(...values.map(int));

/** Integers whose V8 hashes fall into one bucket of a large table. */
export function collidingIntegers(count: number): number[] {
  const hash = (value: number): number => {
    let h = value | 0;
    h = (~h + (h << 15)) | 0;
    h = h ^ (h >>> 12);
    h = (h + (h << 2)) | 0;
    h = h ^ (h >>> 4);
    h = Math.imul(h, 2057);
    h = h ^ (h >>> 16);
    return h & 0x3fffffff;
  };
  const found: number[] = [];
  for (let i = 0; found.length < count && i < 2 ** 31; ++i)
    if ((hash(i) & 0x3ff) === 0) found.push(i);
  return found;
}

/**
 * Texts of 64 ASCII characters with the same hash in libstdc++ on 64-bit machines: MurmurHash64A by
 * Austin Appleby, with a seed that is public. Several blocks of 16 characters lead from one state
 * of the hash to the same next state; the texts are the combinations of such blocks.
 */
export function collidingTexts(count: number): Buffer[] {
  const mask = 2n ** 64n - 1n;
  const mul = 0xc6a4a7935bd1e995n;
  let inverse = mul;
  for (let i = 0; i < 6; ++i) inverse = (inverse * (2n - mul * inverse)) & mask;
  const mix = (value: bigint) => value ^ (value >> 47n);
  const scramble = (block: bigint) => (mix((block * mul) & mask) * mul) & mask;
  const unscramble = (value: bigint) => (mix((value * inverse) & mask) * inverse) & mask;
  const isText = (block: bigint) => (block & 0x8080808080808080n) === 0n;

  const slots = 4;
  const ways = Math.ceil(count ** (1 / slots));
  let state = 0xc70f6907n ^ ((BigInt(slots * 16) * mul) & mask);
  let texts: Code[] = [Buffer.alloc(0)];
  for (let slot = 0; slot < slots; ++slot) {
    const next = BigInt(slot + 1);
    const wanted = (next * inverse) & mask;
    const found: Buffer[] = [];
    for (let i = 0n; found.length < ways; ++i) {
      const first = 0x4141414100000000n + ((((i >> 7n) << 8n) | (i & 0x7fn)) % 0x7f7fn);
      if (!isText(first)) continue;
      const second = unscramble((((state ^ scramble(first)) * mul) & mask) ^ wanted);
      if (isText(second)) found.push(join(u64(first), u64(second)));
    }
    texts = texts.flatMap((text) => found.map((more) => join(text, more)));
    state = next;
  }
  return texts.slice(0, count);
}

function storagesOfOneHash(count: number): Code {
  return join(
    remember(0, str("storage")),
    remember(1, global("torch", "FloatStorage")),
    remember(2, str("cpu")),
    ...collidingTexts(count).map((key) =>
      join(
        ...[MARK, binget(0), binget(1), binunicode(key), binget(2), int(0)],
        ...[TUPLE, BINPERSID, POP],
      ),
    ),
    NONE,
  );
}

export const bombs: Bomb[] = [
  {
    name: "lists 100,000 deep",
    make: () => file(join(times(100_000, EMPTY_LIST), times(99_999, APPEND))),
  },
  {
    name: "lists 100,000 deep, inspected",
    via: "inspect",
    make: () => file(join(times(100_000, EMPTY_LIST), times(99_999, APPEND))),
  },
  { name: "tuples 100,000 deep", make: () => file(join(NONE, times(100_000, TUPLE1))) },
  {
    name: "dicts 100,000 deep",
    make: () =>
      file(join(EMPTY_DICT, times(99_999, join(NONE, EMPTY_DICT)), times(99_999, bytes(0x73)))),
  },
  {
    name: "a hundred lists that hold the one before twice",
    harmless: true,
    make: () =>
      file(
        join(
          remember(0, EMPTY_LIST),
          times(100, remember(0, join(EMPTY_LIST, MARK, binget(0), binget(0), APPENDS))),
          binget(0),
        ),
      ),
  },
  {
    name: "a hundred tuples that hold the one before ten times",
    harmless: true,
    make: () =>
      file(
        join(
          remember(0, EMPTY_TUPLE),
          times(100, remember(0, tuple(...Array(10).fill(binget(0))))),
          binget(0),
        ),
      ),
  },
  ...(
    [
      ["None", NONE],
      ["small integers", int(1)],
      ["floats", binfloat(0.5)],
      ["empty lists", EMPTY_LIST],
      ["empty tuples", EMPTY_TUPLE],
      ["empty dicts", EMPTY_DICT],
      ["empty sets", EMPTY_SET],
      ["empty strings", shortBinunicode(Buffer.alloc(0))],
      ["short strings", shortBinunicode(Buffer.from("ab"))],
      ["short strings of two bytes a character", shortBinunicode(Buffer.from("雨"))],
      ["empty bytes", shortBinbytes(Buffer.alloc(0))],
      ["short bytes", shortBinbytes(Buffer.from("a"))],
      ["wide integers", bytes(0x8a, 9, 1, 2, 3, 4, 5, 6, 7, 8, 9)],
      ["globals", global("torch", "Size")],
      ["objects", join(global("small_dataset_audio", "A"), EMPTY_TUPLE, bytes(0x81))],
    ] as [string, Code][]
  ).map(
    ([name, code]): Bomb => ({
      name: `a million ${name}`,
      harmless: true,
      make: () => file(listOf(1_000_000, code)),
    }),
  ),
  ...(
    [
      ["complex numbers", join(global("builtins", "complex"), EMPTY_TUPLE)],
      ["OrderedDicts", join(global("collections", "OrderedDict"), EMPTY_TUPLE)],
      ["objects", join(global("small_dataset_audio", "A"), EMPTY_TUPLE)],
      ["big sets", join(global("builtins", "set"), tuple(listOf(1000, int(1))))],
      ["big lists", join(global("builtins", "list"), tuple(listOf(1000, int(1))))],
      ["big dicts", join(global("builtins", "dict"), tuple(listOf(1000, ints(1, 2))))],
      [
        "decoded bytes",
        join(global("_codecs", "encode"), tuple(str("a".repeat(MEGABYTE)), str("latin1"))),
      ],
      ["byte lists", join(global("builtins", "bytes"), tuple(listOf(100_000, int(1))))],
    ] as [string, Code][]
  ).map(
    ([name, code]): Bomb => ({
      name: `300,000 calls that make ${name}`,
      harmless: true,
      make: () => {
        // `code` pushes the function and its arguments. Both go into the memo, so each call is
        // 6 bytes.
        const called = join(code, binput(1), POP, binput(0), POP);
        return file(join(called, listOf(300_000, join(binget(0), binget(1), REDUCE))));
      },
    }),
  ),
  {
    name: "300,000 references to a string of a megabyte",
    harmless: true,
    make: () => file(join(remember(0, str("a".repeat(MEGABYTE))), listOf(300_000, binget(0)))),
  },
  {
    name: "300,000 references to a string of a megabyte, not ASCII",
    harmless: true,
    make: () => file(join(remember(0, str("é".repeat(MEGABYTE / 2))), listOf(300_000, binget(0)))),
  },
  {
    name: "300,000 references to a megabyte of bytes",
    harmless: true,
    make: () =>
      file(join(remember(0, binbytes(Buffer.alloc(MEGABYTE))), listOf(300_000, binget(0)))),
  },
  {
    name: "a megabyte of text as the names of globals",
    make: () =>
      file(
        join(
          remember(0, str(`small_dataset_audio.${"a".repeat(MEGABYTE)}`)),
          times(100_000, join(binget(0), binget(0), STACK_GLOBAL, POP)),
          NONE,
        ),
      ),
  },
  {
    name: "a storage whose key is a megabyte long, again and again",
    make: () =>
      legacy(
        pickle(
          remember(
            0,
            tuple(
              str("storage"),
              global("torch", "FloatStorage"),
              str("a".repeat(MEGABYTE)),
              str("cpu"),
              int(3),
              NONE,
            ),
          ),
          times(100_000, join(binget(0), BINPERSID, POP)),
          NONE,
        ),
        [{ key: "a".repeat(MEGABYTE), count: 3, data: THREE_FLOATS }],
      ),
  },
  {
    name: "a storage whose key is a long record name, again and again",
    make: () => {
      const key = "a".repeat(60_000);
      return file(
        join(
          remember(
            0,
            tuple(str("storage"), global("torch", "FloatStorage"), str(key), str("cpu"), int(3)),
          ),
          times(200_000, join(binget(0), BINPERSID, POP)),
          NONE,
        ),
        { [key]: THREE_FLOATS },
      );
    },
  },
  {
    name: "tensors with metadata of 100,000 keys",
    make: () =>
      file(
        join(
          remember(0, global("torch._utils", "_rebuild_tensor_v2")),
          remember(1, tuple(storage(3), int(0), ints(3), ints(1), FALSE, NONE, dictOf(100_000))),
          times(20_000, join(binget(0), binget(1), REDUCE, POP)),
          NONE,
        ),
      ),
  },
  {
    name: "200,000 tensors on one storage",
    harmless: true,
    make: () =>
      file(
        join(
          remember(0, global("torch._utils", "_rebuild_tensor_v2")),
          remember(1, tuple(storage(3), int(0), ints(3), ints(1), FALSE, NONE)),
          listOf(200_000, join(binget(0), binget(1), REDUCE)),
        ),
      ),
  },
  {
    name: "200,000 numpy arrays of the same bytes",
    harmless: true,
    make: () =>
      file(
        join(
          remember(0, global("numpy._core.numeric", "_frombuffer")),
          remember(1, tuple(binbytes(THREE_FLOATS), numpyDtype("f4"), ints(3), str("C"))),
          listOf(200_000, join(binget(0), binget(1), REDUCE)),
        ),
      ),
  },
  {
    name: "200,000 arrays decoded from text",
    harmless: true,
    make: () =>
      file(
        join(
          remember(0, join(global("numpy._core.multiarray", "_reconstruct"))),
          remember(1, tuple(global("numpy", "ndarray"), ints(0), binbytes(Buffer.from("b")))),
          remember(2, tuple(int(1), ints(3), numpyDtype("f4"), FALSE, str("abcdefghijkl"))),
          listOf(200_000, join(binget(0), binget(1), REDUCE, binget(2), BUILD)),
        ),
      ),
  },
  {
    name: "one byte expanded to 16 MiB in 64 dimensions",
    harmless: true,
    make: () =>
      file(
        tensor({
          storage: storage(3, { cls: global("torch", "ByteStorage") }),
          shape: ints(...Array(24).fill(2), ...Array(40).fill(1)),
          stride: ints(...Array(64).fill(0)),
        }),
        { "0": Buffer.from([1, 2, 3]) },
      ),
  },
  {
    name: "16 MiB as rows of one",
    harmless: true,
    make: () =>
      file(
        tensor({
          storage: storage(3, { cls: global("torch", "ByteStorage") }),
          shape: ints(1 << 24, 1),
          stride: ints(0, 0),
        }),
        { "0": Buffer.from([1, 2, 3]) },
      ),
  },
  {
    name: "one storage transposed twenty times",
    harmless: true, // no copy is made before somebody reads it
    make: () => {
      const storageOf = storage(MEGABYTE);
      const transposed = (rows: number) =>
        tensor({ storage: storageOf, shape: ints(rows, MEGABYTE / rows), stride: ints(1, rows) });
      return file(tuple(...[...Array(20)].map(() => transposed(1024))), {
        "0": Buffer.alloc(MEGABYTE * 4),
      });
    },
  },
  {
    name: "a tensor of terabytes",
    harmless: true,
    make: () => file(tensor({ storage: storage(3), shape: ints(2 ** 40), stride: ints(0) })),
  },
  {
    name: "a dict with 200,000 keys of one hash",
    harmless: true,
    make: () =>
      file(
        join(
          EMPTY_DICT,
          MARK,
          Buffer.concat(collidingIntegers(200_000).map((key) => join(int(key), NONE))),
          SETITEMS,
        ),
      ),
  },
  {
    name: "a storage for each of 40,000 keys of one hash",
    harmless: true,
    make: () => file(storagesOfOneHash(40_000)),
  },
  {
    name: "a storage for each of 40,000 keys of one hash, legacy",
    make: () => legacy(pickle(storagesOfOneHash(40_000))),
  },
  { name: "millions of marks", make: () => file(times(5_000_000, MARK)) },
  { name: "millions of DUPs", harmless: true, make: () => file(join(NONE, times(3_000_000, DUP))) },
  {
    name: "a memo that grows in steps",
    make: () =>
      file(
        join(
          NONE,
          each(500, (i) => longBinput((i + 1) * 65_536)),
        ),
      ),
  },
  {
    name: "a memo of a million entries",
    harmless: true,
    make: () => file(join(NONE, times(1_000_000, bytes(0x94)))),
  },
  {
    name: "20 MB of empty dicts",
    make: () => file(listOf(20_000_000, EMPTY_DICT)),
  },
  {
    name: "pairs within pairs, a million",
    harmless: true,
    make: () =>
      file(join(remember(0, EMPTY_TUPLE), listOf(1_000_000, join(binget(0), binget(0), TUPLE2)))),
  },
  {
    name: "names of megabytes on the way to a tensor",
    via: "inspect",
    make: () =>
      file(
        join(
          remember(0, binunicode(Buffer.alloc(MEGABYTE, "k"))),
          remember(1, tensor({ storage: storage(3) })),
          times(500, join(EMPTY_DICT, binget(0))),
          binget(1),
          times(500, bytes(0x73)),
        ),
      ),
  },
  {
    name: "a tensor below each of 100,000 long names",
    via: "inspect",
    make: () =>
      file(
        join(
          remember(0, binunicode(Buffer.alloc(60_000, "k"))),
          remember(1, global("torch._utils", "_rebuild_tensor_v2")),
          remember(2, tuple(storage(3), int(0), ints(3), ints(1), FALSE, NONE)),
          EMPTY_DICT,
          binget(0),
          listOf(50_000, join(binget(1), binget(2), REDUCE)),
          bytes(0x73),
        ),
      ),
  },
  // As many as fit into the budget, or more: values that take more in JavaScript than in C++.
  ...costly(50_000, {
    "lists of one float": join(EMPTY_LIST, binget(0), APPEND),
    "tuples of one float": join(binget(0), TUPLE1),
  }),
  ...costly(20_000, {
    "sets of one float": join(EMPTY_SET, MARK, binget(0), ADDITEMS),
    "dicts of one float": join(EMPTY_DICT, binget(1), binget(0), SETITEM),
    "dicts with a float as key": join(EMPTY_DICT, binget(0), NONE, SETITEM),
  }),
  ...costly(14_000, {
    "OrderedDicts with a float as attribute": join(
      ...[binget(3), EMPTY_TUPLE, REDUCE],
      ...[EMPTY_DICT, binget(1), binget(0), SETITEM, BUILD],
    ),
    "objects with one entry": join(
      ...[binget(2), EMPTY_TUPLE, REDUCE],
      ...[binget(1), binget(0), SETITEM],
    ),
    "tensors of 64 dimensions": join(binget(5), binget(6), REDUCE),
  }),
  ...costly(3_000, {
    "objects with ten entries": join(
      ...[binget(2), EMPTY_TUPLE, REDUCE, MARK],
      ...[times(10, join(binget(1), binget(0))), SETITEMS],
    ),
  }),
  ...costly(28_000, { "expanded tensors": join(binget(5), binget(7), REDUCE) }),
  ...costly(35_000, { "objects with a long name": join(binget(4), EMPTY_TUPLE, REDUCE) }),
  ...costly(130_000, { "globals with a long name": join(binget(8), binget(9), STACK_GLOBAL) }),
  {
    name: "100,000 records",
    harmless: true,
    make: () => {
      const more = [...Array(100_000)].map((_, i) => ({
        name: `archive/${i}`,
        data: Buffer.alloc(0),
      }));
      return torchZip(
        pickle(orderedDict),
        {},
        { more, align: 1, end: { entries: 0xffff, entriesHere: 0xffff } },
      ).bytes;
    },
  },
  {
    name: "50,000 damaged records",
    via: "verify",
    harmless: true,
    make: () =>
      zip(
        [...Array(50_000)].map((_, i) => ({
          name: `a/${i}`,
          data: Buffer.from("b"),
          local: { crc: 1 },
        })),
        { align: 1 },
      ).bytes,
  },
  {
    name: "a legacy pickle that claims a gigabyte",
    make: () => legacy(join(bytes(0x80, 4, 0x95), Buffer.from([0, 0, 0, 64, 0, 0, 0, 0]), STOP)),
  },
];
