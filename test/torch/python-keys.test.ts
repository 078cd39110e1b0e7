/** Keys that are one key in Python, which `save` refuses instead of losing one of them. */
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import {
  Complex,
  load,
  NdArray,
  NumpyScalar,
  PyGlobal,
  PyObject,
  save,
  Tensor,
  Tuple,
} from "../../lib/torch/index.js";
import { mark } from "../../lib/values/provenance.js";
import { sdaError } from "../support/errors.js";
import { temporaryFolder } from "../support/folder.js";
import {
  binbytes,
  binfloat,
  call,
  dict,
  global,
  int,
  list,
  numpyDtype,
  str,
} from "../support/pickle-builder.js";
import { loadPickle } from "../support/torch-file.js";

const file = () => join(temporaryFolder(), "keys.pt");

function frozen(...members: unknown[]): Set<unknown> {
  const set = new Set(members);
  mark(set, 1);
  return set;
}

/** numpy.str_ or numpy.bytes_ */
function scalar(code: string, raw: Buffer): NumpyScalar {
  const size = raw.length;
  const dtype = new PyObject("numpy", "dtype", Tuple.of<unknown>(code, false, true));
  dtype.state = Tuple.of<unknown>(
    3,
    code.startsWith("U") ? "<" : "|",
    null,
    null,
    null,
    size,
    1,
    0,
  );
  return new NumpyScalar("numpy.core.multiarray", "scalar", Tuple.of<unknown>(dtype, raw));
}

const device = (...args: unknown[]) => new PyObject("torch", "device", Tuple.from(args));

const EQUAL: [a: unknown, b: unknown, message: string][] = [
  [1, 1n, "1 and 1n"],
  [1, true, "1 and true"],
  [0, false, "0 and false"],
  [0n, false, "0n and false"],
  [2 ** 60, 2n ** 60n, "1152921504606847000 and 1152921504606846976n"],
  [1e300, BigInt(1e300), "1e+300 and "],
  [new Complex(1, 0), 1, "Complex(1, 0) and 1"],
  [new Complex(0, -0), false, "Complex(0, 0) and false"],
  [new Complex(2, 3), new Complex(2, 3), "Complex(2, 3) and Complex(2, 3)"],
  [new Complex(0.5, 0), 0.5, "Complex(0.5, 0) and 0.5"],
  [Tuple.of<unknown>(1, "a"), Tuple.of<unknown>(true, "a"), 'Tuple(1, "a") and Tuple(true, "a")'],
  [Tuple.of(0), Tuple.of(-0), "Tuple(0) and Tuple(0)"],
  [Tuple.of(), Tuple.of(), "Tuple() and Tuple()"],
  [Tuple.of(Tuple.of(null)), Tuple.of(Tuple.of(null)), "Tuple(an array of 1) and "],
  [Tuple.of(1, 2, 3, 4, 5), Tuple.of(1, 2, 3, 4, 5), "Tuple(1, 2, 3, 4, …) and "],
  [frozen(1, "a"), frozen("a", 1n), "a Set and a Set"],
  [Buffer.from("ab"), Uint8Array.of(97, 98), "a Buffer and an Uint8Array"],
  [new PyGlobal("builtins", "list"), new PyGlobal("__builtin__", "list"), "builtins.list and "],
  [device("cuda", 0), device("cuda", 0), "a PyObject and a PyObject"],
  ["a", scalar("U1", Buffer.from("a\0\0\0")), '"a" and a NumpyScalar'],
  [Uint8Array.of(97), scalar("S1", Buffer.from("a")), "an Uint8Array and a NumpyScalar"],
];

describe.each(EQUAL)("two keys that are one key in Python: %o and %o", (a, b, message) => {
  it.each<[string, unknown]>([
    [
      "of a Map",
      [
        new Map([[a, 1]]),
        {
          key: new Map<unknown, unknown>([
            ["x", 1],
            [a, 2],
            [b, 3],
          ]),
        },
      ],
    ],
    ["of a Set", [new Set([a]), { key: new Set(["x", a, b]) }]],
    ["of a frozenset", [frozen(b), { key: frozen("x", a, b) }]],
  ])("%s are refused", async (_, value) => {
    const error = await sdaError(() => save(value, file()));
    expect(error.code).toBe("ERR_SDA_ARGUMENT");
    expect(error.details).toEqual({ at: 'value[1]["key"]' });
    expect(error.message).toContain(`value[1]["key"]: ${message}`);
    expect(error.message).toContain("equal in Python");
  });

  it("may be those of two dicts", async () => {
    await save([new Map([[a, 1]]), new Map([[b, 2]])], file());
  });
});

const NAN = Number.NaN;

it.each<[string, unknown[]]>([
  ["numbers", [0, 0.5, -1, 2 ** 60, 1e300, Infinity, -Infinity, NAN, 3n, 2n ** 60n + 1n]],
  ["numbers and texts", [1, "1", 0, "0", "int 1", null, "None", "null"]],
  [
    "tuples with NaN",
    [NAN, Tuple.of(NAN), Tuple.of(NAN), new Complex(NAN, 0), new Complex(NAN, 0)],
  ],
  ["tuples", [Tuple.of(1, 2), Tuple.of(2, 1), Tuple.of(12), Tuple.of("1", "2"), Tuple.of("1,2")]],
  ["sets and tuples", [Tuple.of(1), frozen(1), Tuple.of(frozen(1)), frozen(Tuple.of(1))]],
  ["bytes and texts", ["ab", Buffer.from("ab"), Buffer.from("bytes ab")]],
  ["complex numbers", [new Complex(1, 2), new Complex(2, 1), new Complex(0, 1), 1]],
  ["devices", [device("cpu"), device("cuda", 0), device("cuda", 1)]],
  [
    "objects of the program, which may compare by identity",
    [new PyObject("distill.x", "Y", Tuple.of(1)), new PyObject("distill.x", "Y", Tuple.of(1))],
  ],
])("%s that differ in Python are saved", async (_, keys) => {
  const path = file();
  await save({ map: new Map(keys.map((key, i) => [key, i])), set: new Set(keys) }, path);
  const read = (await load(path)) as Map<string, Map<unknown, unknown> | Set<unknown>>;
  expect(read.get("map")?.size).toBe(keys.length);
  expect(read.get("set")?.size).toBe(keys.length);
});

it("a file's own keys, marked as floats and numpy scalars, are saved", async () => {
  const raw = Buffer.from(Float64Array.of(2).buffer);
  const two = call(global("numpy._core.multiarray", "scalar"), numpyDtype("f8"), binbytes(raw));
  const content = await loadPickle(
    dict([binfloat(1), str("a")], [two, str("b")], [int(3), list()]),
  );
  const path = file();
  await save(content, path);
  expect(await load(path)).toEqual(content);
});

it.each<[string, unknown]>([
  ["a list in a tuple", Tuple.of<unknown>(1, Tuple.of<unknown>(2, [3]))],
  ["a numpy array", new NdArray("int8", [1], Int8Array.of(1))],
  ["a set in a frozenset", frozen(new Set())],
  [
    "a tuple that holds itself",
    (() => {
      const tuple = Tuple.of<unknown>(1);
      tuple.push(Tuple.of(tuple));
      return tuple;
    })(),
  ],
])("%s can't be a key", async (_, key) => {
  for (const value of [new Map([[key, 1]]), new Set([key])]) {
    const error = await sdaError(() => save({ value }, file()));
    expect(error.code).toBe("ERR_SDA_ARGUMENT");
    expect(error.message).toMatch(/^value\["value"\]: .* can't be a (dict key|member of a set)/);
  }
});

it("tensors are keys by identity", async () => {
  const tensor = () => new Tensor("int8", [1], Int8Array.of(1));
  await save(new Set([tensor(), tensor(), 1]), file());
});

// The limits of time are for hangs: with quadratic or exponential time, these take hours.
const HANG = { timeout: 300_000 };

it("tuples that hold one tuple twice, 60 levels deep, are compared quickly", HANG, async () => {
  const doubled = (levels: number): Tuple => {
    let key = Tuple.of<unknown>(1, 2);
    for (let level = 0; level < levels; level++) key = Tuple.of<unknown>(key, key);
    return key;
  };
  await save(new Set([doubled(60), doubled(59)]), file());
  const error = await sdaError(() => save(new Set([doubled(60), doubled(60)]), file()));
  expect(error.message).toContain("equal in Python");
});

it("one large tuple in many sets is compared quickly", HANG, async () => {
  const large = Tuple.from(Array.from({ length: 20_000 }, (_, i) => i % 7));
  const sets = Array.from({ length: 20_000 }, (_, i) => new Set([large, i]));
  await save(sets, file());
});

it("numbers that collide in a hash without a seed are compared quickly", HANG, async () => {
  // V8 hashes the lowest 64 bits of a bigint, which are 0 in these.
  const numbers = Array.from({ length: 100_000 }, (_, i) => BigInt(i + 1) << 80n);
  await save(new Set(numbers.map((number) => Tuple.of(number))), file());
});
