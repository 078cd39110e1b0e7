/**
 * Files of many values, as Python writes them: each object is put into the memo. Fixed limits once
 * refused all of these, `inspect` among the readers.
 */
import { expect, test } from "vitest";
import { inspect, load, NdArray, Tensor, Tuple } from "../../lib/torch/index.js";
import { isFull } from "../support/effort.js";
import {
  APPENDS,
  BUILD,
  binbytes,
  binfloat,
  binget,
  binput,
  type Code,
  call,
  EMPTY_DICT,
  EMPTY_LIST,
  FALSE,
  global,
  int,
  join,
  longBinput,
  MARK,
  NONE,
  numpyDtype,
  orderedDict,
  pickle,
  REDUCE,
  SETITEMS,
  storage,
  str,
  THREE_FLOATS,
  tensor,
  tuple,
} from "../support/pickle-builder.js";
import { fileOf } from "../support/torch-file.js";
import { torchZip } from "../support/zip-builder.js";

const THREE = { "0": THREE_FLOATS };

/** A list of so many values. `one` gets the function that puts a value into the memo. */
function list(count: number, one: (i: number, put: (code: Code) => Code) => Code): Code {
  let memo = 100;
  const put = (code: Code) => join(code, longBinput(memo++));
  const items = Array.from({ length: count }, (_, i) => one(i, put));
  return join(EMPTY_LIST, binput(9), MARK, Buffer.concat(items), APPENDS);
}

/** Puts values into the memo at 0, 1 and so on, and then makes `code`. */
const after = (known: Code[], code: Code): Code =>
  join(...known.map((value, i) => join(value, binput(i), Buffer.from("0"))), code);

async function read(code: Code, records: Record<string, Buffer> = THREE) {
  const path = fileOf(torchZip(pickle(code), records).bytes);
  const { tensors } = await inspect(path);
  return { values: (await load(path)) as unknown[], tensors };
}

const VIEW = tuple(storage(3), int(0), tuple(int(3)), tuple(int(1)), FALSE, orderedDict);
const rebuild = global("torch._utils", "_rebuild_tensor_v2");

test("50,000 tensors with a storage each", async () => {
  const count = 50_000;
  const one = (i: number) => tensor({ storage: storage(3, { key: String(i) }) });
  const records = Object.fromEntries(
    Array.from({ length: count }, (_, i) => [String(i), THREE_FLOATS]),
  );
  const { values, tensors } = await read(
    list(count, (i, put) => put(one(i))),
    records,
  );
  expect([values.length, tensors.length]).toEqual([count, count]);
  expect((values.at(-1) as Tensor).data).toEqual(Float32Array.of(1, 2, 3));
});

test.runIf(isFull)("1,000,000 tensors", { timeout: 300_000 }, async () => {
  const code = list(1_000_000, (_, put) => put(join(binget(0), put(binget(1)), REDUCE)));
  const { values, tensors } = await read(after([rebuild, VIEW], code));
  expect([values.length, tensors.length]).toEqual([1_000_000, 1_000_000]);
  expect(values.at(-1)).toBeInstanceOf(Tensor);
});

test("60,000 numpy arrays", async () => {
  const known = [
    global("numpy.core.multiarray", "_reconstruct"),
    global("numpy", "ndarray"),
    numpyDtype("f4"),
  ];
  const made = (put: (code: Code) => Code) =>
    join(binget(0), put(tuple(binget(1), put(tuple(int(0))), put(binbytes(Buffer.from("b"))))));
  const state = (put: (code: Code) => Code) =>
    put(tuple(int(1), put(tuple(int(3))), binget(2), FALSE, put(binbytes(THREE_FLOATS))));
  const code = list(60_000, (_, put) => join(put(join(made(put), REDUCE)), state(put), BUILD));
  const { values } = await read(after(known, code));
  expect(values).toHaveLength(60_000);
  expect(values.at(-1)).toEqual(new NdArray("float32", [3], Float32Array.of(1, 2, 3)));
});

test("150,000 numpy scalars", async () => {
  const known = [global("numpy.core.multiarray", "scalar"), numpyDtype("f4")];
  const bytes = THREE_FLOATS.subarray(0, 4);
  const code = list(150_000, (_, put) =>
    put(join(binget(0), put(tuple(binget(1), put(binbytes(bytes)))), REDUCE)),
  );
  const { values } = await read(after(known, code));
  expect(values).toHaveLength(150_000);
  expect(values.at(-1)).toBe(1);
});

test("a history of 150,000 dicts", async () => {
  const known = [str("loss"), str("step"), str("lr")];
  const code = list(150_000, (i, put) =>
    join(
      put(EMPTY_DICT),
      MARK,
      join(binget(0), binfloat(i / 3), binget(1), int(i), binget(2), binfloat(1)),
      SETITEMS,
    ),
  );
  const { values } = await read(after(known, code));
  expect(values.at(-1)).toEqual(
    new Map([
      ["loss", 149_999 / 3],
      ["step", 149_999],
      ["lr", 1],
    ]),
  );
});

test("a replay buffer of 250,000 tuples", async () => {
  const code = list(250_000, (i, put) => put(tuple(int(i), binfloat(i), binfloat(0.5), NONE)));
  const { values } = await read(code);
  expect(values.at(-1)).toEqual(Tuple.of(249_999, 249_999, 0.5, null));
});

test("a vocabulary of 700,000 words", async () => {
  const words = Array.from({ length: 700_000 }, (_, i) =>
    join(str(`${i % 5 ? "word" : "wörd"} ${i}`), longBinput(i + 100), int(i)),
  );
  const { values } = await read(join(EMPTY_DICT, MARK, Buffer.concat(words), SETITEMS));
  const vocabulary = values as unknown as Map<string, number>;
  expect(vocabulary.size).toBe(700_000);
  expect(vocabulary.get("word 699999")).toBe(699_999);
  expect(vocabulary.get("wörd 35")).toBe(35);
});

test("a tensor expanded to 256 MiB, which takes memory when it is read", async () => {
  const code = tensor({ storage: storage(3), shape: tuple(int(2 ** 26)), stride: tuple(int(0)) });
  const { values, tensors } = await read(
    call(global("collections", "deque"), join(EMPTY_LIST, MARK, code, APPENDS)),
  );
  const [expanded] = values as Tensor[];
  expect(tensors).toMatchObject([{ shape: [2 ** 26] }]);
  expect(expanded?.shape).toEqual([2 ** 26]);
  expect(expanded?.data[2 ** 26 - 1]).toBe(1);
});
