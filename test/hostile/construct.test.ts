import { describe, expect, test } from "vitest";
import type { SdaErrorCode } from "../../lib/base/errors.js";
import { load, type Tensor } from "../../lib/torch/index.js";
import { sdaError } from "../support/errors.js";
import {
  BUILD,
  binbytes,
  type Code,
  call,
  dict,
  EMPTY_DICT,
  EMPTY_TUPLE,
  FALSE,
  global,
  int,
  join,
  list,
  NEWOBJ,
  NEWOBJ_EX,
  NONE,
  numpyArray,
  numpyDtype,
  orderedDict,
  set,
  storage,
  str,
  THREE_FLOATS,
  TRUE,
  tensor,
  tuple,
} from "../support/pickle-builder.js";
import { fileOf, loadPickle, refusedPickle, tensorZip } from "../support/torch-file.js";

const CORRUPT = "ERR_SDA_CORRUPT";
const LIMIT = "ERR_SDA_LIMIT";
const storages = { "0": THREE_FLOATS };
const three = storage(3);
const untyped = storage(12, { cls: global("torch.storage", "UntypedStorage") });
const ints = (...values: (number | bigint)[]) => tuple(...values.map(int));
const many = ints(...Array(1025).fill(1));
const builtin = (name: string) => global("builtins", name);

describe("tensors", () => {
  test.each<[string, Code, SdaErrorCode, string]>([
    ["no storage", tensor({ storage: NONE }), CORRUPT, "storage is a None"],
    [
      "a tensor as storage",
      tensor({ storage: tensor({ storage: three }) }),
      CORRUPT,
      "storage is a tensor",
    ],
    [
      "an offset that is text",
      tensor({ storage: three, offset: str("0") }),
      CORRUPT,
      "offset is not",
    ],
    [
      "an offset that is a bool",
      tensor({ storage: three, offset: TRUE }),
      CORRUPT,
      "offset is not",
    ],
    ["a negative offset", tensor({ storage: three, offset: int(-1) }), CORRUPT, "offset is not"],
    [
      "an offset beyond 64 bits",
      tensor({ storage: three, offset: int(2n ** 64n) }),
      CORRUPT,
      "offset is not",
    ],
    [
      "an offset past the end",
      tensor({ storage: three, offset: int(1) }),
      CORRUPT,
      "element 3 of a storage of 3",
    ],
    [
      "a huge offset",
      tensor({ storage: three, offset: int(2n ** 63n - 1n) }),
      CORRUPT,
      "element 9223372036854775809",
    ],
    [
      "an empty tensor past the end",
      tensor({ storage: three, offset: int(4), shape: ints(0) }),
      CORRUPT,
      "begins past the end",
    ],
    [
      "a shape that is an int",
      tensor({ storage: three, shape: int(3) }),
      CORRUPT,
      "shape is not a tuple",
    ],
    [
      "a shape that is a set",
      tensor({ storage: three, shape: set(int(3)) }),
      CORRUPT,
      "shape is not a tuple",
    ],
    [
      "a shape of floats",
      tensor({ storage: three, shape: tuple(str("3")) }),
      CORRUPT,
      "non-negative integers",
    ],
    [
      "a negative size",
      tensor({ storage: three, shape: ints(-3) }),
      CORRUPT,
      "non-negative integers",
    ],
    [
      "two negative sizes",
      tensor({ storage: three, shape: ints(-1, -3), stride: ints(1, 1) }),
      CORRUPT,
      "non-negative integers",
    ],
    [
      "a size beyond 64 bits",
      tensor({ storage: three, shape: ints(2n ** 65n) }),
      CORRUPT,
      "non-negative integers",
    ],
    [
      "a negative stride",
      tensor({ storage: three, stride: ints(-1) }),
      CORRUPT,
      "strides must hold non-negative integers",
    ],
    [
      "1025 dimensions",
      tensor({ storage: three, shape: many, stride: many }),
      LIMIT,
      "1025 dimensions",
    ],
    [
      "fewer strides than sizes",
      tensor({ storage: three, shape: ints(1, 3) }),
      CORRUPT,
      "2 sizes and 1 strides",
    ],
    [
      "strides that reach past the end",
      tensor({ storage: three, stride: ints(2) }),
      CORRUPT,
      "element 4 of a storage of 3",
    ],
    [
      "strides that overflow",
      tensor({ storage: three, stride: ints(2n ** 63n - 1n), shape: ints(4) }),
      CORRUPT,
      "strides overflow",
    ],
    [
      "strides that overflow in sum",
      tensor({ storage: three, shape: ints(3, 3), stride: ints(2n ** 63n - 1n, 2n ** 62n) }),
      CORRUPT,
      "strides overflow",
    ],
    [
      "more elements than bytes in the world",
      tensor({ storage: three, shape: ints(2n ** 61n), stride: ints(0) }),
      CORRUPT,
      "more elements",
    ],
    [
      "a product that overflows",
      tensor({ storage: three, shape: ints(2n ** 32n, 2n ** 32n), stride: ints(0, 0) }),
      CORRUPT,
      "more elements",
    ],
    [
      "a product that overflows, and none",
      tensor({ storage: three, shape: ints(0, 2n ** 32n, 2n ** 32n), stride: ints(0, 0, 0) }),
      CORRUPT,
      "more elements",
    ],
    [
      "requires_grad that is an int",
      tensor({ storage: three, requiresGrad: int(1) }),
      CORRUPT,
      "requires_grad",
    ],
    [
      "three arguments",
      call(global("torch._utils", "_rebuild_tensor"), three, int(0), ints(3)),
      CORRUPT,
      "3 arguments",
    ],
    [
      "v1 with six arguments",
      tensor({ storage: three, rebuild: "_rebuild_tensor" }),
      CORRUPT,
      "6 arguments",
    ],
    ["eight arguments", tensor({ storage: three, extra: [NONE, NONE] }), CORRUPT, "8 arguments"],
    [
      "v3 without dtype",
      tensor({ storage: untyped, rebuild: "_rebuild_tensor_v3" }),
      CORRUPT,
      "6 arguments",
    ],
    [
      "v3 with a dtype that is text",
      tensor({ storage: untyped, rebuild: "_rebuild_tensor_v3", extra: [str("float32")] }),
      CORRUPT,
      "dtype is a str",
    ],
    [
      "v3 with a class as dtype",
      tensor({ storage: untyped, rebuild: "_rebuild_tensor_v3", extra: [global("torch", "Size")] }),
      CORRUPT,
      "dtype is a torch.Size",
    ],
    [
      "v3 whose dtype is too wide",
      tensor({
        storage: untyped,
        rebuild: "_rebuild_tensor_v3",
        extra: [global("torch", "complex128")],
      }),
      CORRUPT,
      "of a storage of 0",
    ],
    ["v2 on an untyped storage", tensor({ storage: untyped }), CORRUPT, "without a dtype"],
    [
      "metadata that is a list",
      tensor({ storage: three, extra: [list()] }),
      CORRUPT,
      "metadata is a list",
    ],
    [
      "metadata of thousands of keys",
      tensor({
        storage: three,
        extra: [dict(...[...Array(2000)].map((_, i): [Code, Code] => [int(i), NONE]))],
      }),
      LIMIT,
      "2000 entries",
    ],
    [
      "hooks that are code",
      tensor({ storage: three, hooks: global("os", "system") }),
      "ERR_SDA_UNSAFE",
      "os.system",
    ],
    [
      "a parameter of None",
      call(global("torch._utils", "_rebuild_parameter"), NONE, TRUE, orderedDict),
      CORRUPT,
      "not made from a tensor",
    ],
    [
      "a parameter of nothing",
      call(global("torch._utils", "_rebuild_parameter")),
      CORRUPT,
      "not made from a tensor",
    ],
    [
      "a parameter of too much",
      call(
        global("torch._utils", "_rebuild_parameter_with_state"),
        tensor({ storage: three }),
        TRUE,
        NONE,
        NONE,
        NONE,
      ),
      CORRUPT,
      "not made from a tensor",
    ],
    [
      "a typed tensor of too few parts",
      call(global("torch._tensor", "_rebuild_from_type_v2"), NONE),
      CORRUPT,
      "description of a tensor with attributes is malformed",
    ],
    [
      "a typed tensor of strings",
      call(
        global("torch._tensor", "_rebuild_from_type_v2"),
        str("a"),
        str("b"),
        str("c"),
        str("d"),
      ),
      CORRUPT,
      "description of a tensor with attributes is malformed",
    ],
  ])("%s", async (_, code, expected, message) => {
    for (const options of [{}, { verify: false }, { weights: false }]) {
      const error = await refusedPickle(code, expected, storages, options);
      expect(error.message).toContain(message);
      expect(error.details?.["offset"]).toEqual(expect.any(Number));
    }
  });

  test.each<[string, Code, SdaErrorCode, string]>([
    [
      "negated and expanded to terabytes",
      tensor({
        storage: three,
        shape: ints(2 ** 40),
        stride: ints(0),
        extra: [dict([str("neg"), TRUE])],
      }),
      LIMIT,
      "expanded or transposed",
    ],
    [
      "negated integers",
      tensor({
        storage: storage(3, { cls: global("torch", "IntStorage") }),
        extra: [dict([str("neg"), TRUE])],
      }),
      CORRUPT,
      "view of integers",
    ],
  ])(
    "%s: refused when weights are read, described otherwise",
    async (_, code, expected, message) => {
      for (const verify of [true, false]) {
        const error = await refusedPickle(code, expected, storages, { verify });
        expect(error.message).toContain(message);
      }
      await expect(loadPickle(code, storages, { weights: false })).resolves.toBeDefined();
    },
  );

  test.each<[string, Code, number]>([
    ["to terabytes", tensor({ storage: three, shape: ints(2 ** 40), stride: ints(0) }), 0],
    ["to 65 MiB", tensor({ storage: three, shape: ints(65 << 18), stride: ints(0) }), 65 << 18],
  ])("expanded %s takes no memory before it is read", async (_, code, elements) => {
    for (const verify of [true, false]) {
      const { data } = Object.getOwnPropertyDescriptors(
        (await loadPickle(code, storages, { verify })) as Tensor,
      );
      expect(data.value).toBeUndefined();
      const read = data.get as () => Float32Array;
      if (elements > 0) expect(read.call({}).length).toBe(elements);
      else expect((await sdaError(async () => read.call({}))).code).toBe(LIMIT);
    }
  });

  test("sizes of 1 and 0 may have any stride", async () => {
    const big = 2n ** 63n - 1n;
    const one = { shape: ints(1, 3, 1), stride: ints(big, 1, big) };
    const none = { shape: ints(2n ** 40n, 0, 2n ** 20n), stride: ints(big, big, 2n ** 40n) };
    for (const verify of [true, false]) {
      expect([...((await load(fileOf(tensorZip(one)), { verify })) as Tensor).data]).toEqual([
        1, 2, 3,
      ]);
      const empty = (await load(fileOf(tensorZip(none)), { verify })) as Tensor;
      expect([empty.shape, empty.data.length]).toEqual([[2 ** 40, 0, 2 ** 20], 0]);
    }
  });

  test("an empty tensor whose sizes multiply to more than 64 bits only when multiplied backwards", async () => {
    const shape = ints(0, 2n ** 31n, 2n ** 29n);
    const read = (await loadPickle(
      tensor({ storage: three, shape, stride: ints(2n ** 60n, 2n ** 29n, 1) }),
      storages,
    )) as Tensor;
    expect(read.data.length).toBe(0);
  });

  test("expanded tensors within the limit are made whole", async () => {
    const expanded = tensor({ storage: three, shape: ints(2, 3, 2), stride: ints(0, 1, 0) });
    const read = (await loadPickle(expanded, storages)) as Tensor;
    expect([...read.data]).toEqual([1, 1, 2, 2, 3, 3, 1, 1, 2, 2, 3, 3]);
  });
});

describe("numpy", () => {
  const f4 = numpyDtype("f4");
  const twelve = binbytes(THREE_FLOATS);
  const state = (...parts: Code[]) =>
    join(
      call(
        global("numpy.core.multiarray", "_reconstruct"),
        global("numpy", "ndarray"),
        ints(0),
        twelve,
      ),
      tuple(...parts),
      BUILD,
    );
  const dtypeState = (built: Code) =>
    join(call(global("numpy", "dtype"), str("f4"), FALSE, TRUE), built, BUILD);
  const scalar = (...parts: Code[]) => call(global("numpy.core.multiarray", "scalar"), ...parts);
  const buffer = (...parts: Code[]) => call(global("numpy._core.numeric", "_frombuffer"), ...parts);

  test.each<[string, Code, SdaErrorCode, string]>([
    [
      "a dtype of nothing",
      call(global("numpy", "dtype")),
      CORRUPT,
      "description of a numpy dtype is malformed",
    ],
    [
      "a dtype of nothing",
      call(global("numpy", "dtype")),
      CORRUPT,
      "description of a numpy dtype is malformed",
    ],
    [
      "a dtype of too much",
      call(global("numpy", "dtype"), str("f4"), NONE, NONE, NONE),
      CORRUPT,
      "description of a numpy dtype is malformed",
    ],
    [
      "a dtype's state that is a list",
      dtypeState(list()),
      CORRUPT,
      "state of a numpy dtype is malformed",
    ],
    [
      "a dtype's state that is short",
      dtypeState(tuple(int(3), str("<"))),
      CORRUPT,
      "state of a numpy dtype is malformed",
    ],
    [
      "a dtype's state that is long",
      dtypeState(tuple(...Array(10).fill(NONE))),
      CORRUPT,
      "state of a numpy dtype is malformed",
    ],
    ["a dtype without byte order", numpyDtype("f4", ""), CORRUPT, "without a byte order"],
    ["a dtype of an unknown byte order", numpyDtype("f4", "x"), CORRUPT, "without a byte order"],
    ["a dtype of two byte orders", numpyDtype("f4", "<>"), CORRUPT, "without a byte order"],
    [
      "an array of two arguments",
      call(global("numpy.core.multiarray", "_reconstruct"), global("numpy", "ndarray"), ints(0)),
      CORRUPT,
      "description of a numpy array is malformed",
    ],
    [
      "an array of a class that is text",
      call(global("numpy.core.multiarray", "_reconstruct"), str("ndarray"), ints(0), twelve),
      CORRUPT,
      "description of a numpy array is malformed",
    ],
    [
      "a state that is short",
      state(int(1), ints(3), f4, FALSE),
      CORRUPT,
      "state of a numpy array is malformed",
    ],
    [
      "a state whose order is an int",
      state(int(1), ints(3), f4, int(0), twelve),
      CORRUPT,
      "state of a numpy array is malformed",
    ],
    [
      "a state whose dtype is text",
      state(int(1), ints(3), str("f4"), FALSE, twelve),
      CORRUPT,
      "dtype is a str",
    ],
    [
      "elements that are a list",
      state(int(1), ints(3), f4, FALSE, list()),
      CORRUPT,
      "elements are a list",
    ],
    [
      "elements that are an int",
      state(int(1), ints(3), f4, FALSE, int(5)),
      CORRUPT,
      "elements are a int",
    ],
    ["too few bytes", numpyArray(f4, ints(4), twelve), CORRUPT, "16 bytes comes with 12"],
    ["too many bytes", numpyArray(f4, ints(2), twelve), CORRUPT, "8 bytes comes with 12"],
    ["a negative size", numpyArray(f4, ints(-3), twelve), CORRUPT, "non-negative integers"],
    [
      "a product that overflows",
      numpyArray(f4, ints(2n ** 32n, 2n ** 32n), twelve),
      CORRUPT,
      "more elements",
    ],
    [
      "a product that overflows to 12 bytes",
      numpyArray(f4, ints(2n ** 62n + 3n), twelve),
      CORRUPT,
      "more elements",
    ],
    ["1025 dimensions", numpyArray(f4, many, twelve), LIMIT, "1025 dimensions"],
    [
      "a character above U+00FF as a byte",
      numpyArray(f4, ints(3), str("\u0100".repeat(12))),
      CORRUPT,
      "above U+00FF",
    ],
    [
      "an array filled twice",
      join(numpyArray(f4, ints(3), twelve), tuple(int(1), ints(3), f4, FALSE, twelve), BUILD),
      CORRUPT,
      "filled twice",
    ],
    [
      "an array that is never filled",
      call(
        global("numpy.core.multiarray", "_reconstruct"),
        global("numpy", "ndarray"),
        ints(0),
        twelve,
      ),
      CORRUPT,
      "without content",
    ],
    [
      "a buffer in no order",
      buffer(twelve, f4, ints(3), str("K")),
      CORRUPT,
      "description of a numpy array is malformed",
    ],
    [
      "a buffer of three arguments",
      buffer(twelve, f4, ints(3)),
      CORRUPT,
      "description of a numpy array is malformed",
    ],
    [
      "a scalar of three arguments",
      scalar(f4, twelve, NONE),
      CORRUPT,
      "description of a numpy scalar is malformed",
    ],
    ["a scalar of no dtype", scalar(str("f4"), twelve), CORRUPT, "dtype is a str"],
    ["a scalar of too many bytes", scalar(f4, twelve), CORRUPT, "do not fit its dtype"],
    ["a scalar of an int", scalar(f4, int(1)), CORRUPT, "do not fit its dtype"],
    ["a scalar of a list", scalar(f4, list()), CORRUPT, "do not fit its dtype"],
  ])("%s", async (_, code, expected, message) => {
    const error = await refusedPickle(code, expected);
    expect(error.message).toContain(message);
    if (!message.includes("without content"))
      expect(error.details?.["offset"]).toEqual(expect.any(Number));
  });
});

describe("containers and values", () => {
  test.each<[string, Code, SdaErrorCode, string]>([
    [
      "a dict of two arguments",
      call(builtin("dict"), list(), list()),
      CORRUPT,
      "too many arguments",
    ],
    ["a dict of a number", call(builtin("dict"), int(1)), CORRUPT, "made from a int"],
    [
      "an OrderedDict of numbers",
      call(global("collections", "OrderedDict"), list(int(1))),
      CORRUPT,
      "items that are not pairs",
    ],
    [
      "an OrderedDict of triples",
      call(global("collections", "OrderedDict"), list(ints(1, 2, 3))),
      CORRUPT,
      "items that are not pairs",
    ],
    [
      "a dict with a list as key",
      call(builtin("dict"), list(tuple(list(), int(1)))),
      CORRUPT,
      "list as a dict key",
    ],
    ["a set of a list", call(builtin("set"), list(list())), CORRUPT, "list as a dict key"],
    [
      "attributes that are a list",
      join(EMPTY_DICT, list(), BUILD),
      CORRUPT,
      "attributes of a dict are a list",
    ],
    ["a list of a number", call(builtin("list"), int(1)), CORRUPT, "unexpected arguments"],
    [
      "a tuple of two lists",
      call(builtin("tuple"), list(), list()),
      CORRUPT,
      "unexpected arguments",
    ],
    [
      "keywords for a dict",
      join(builtin("dict"), EMPTY_TUPLE, dict([str("a"), int(1)]), NEWOBJ_EX),
      CORRUPT,
      "unexpected arguments",
    ],
    ["an int of text", call(builtin("int"), str("1")), CORRUPT, "unexpected arguments"],
    ["a float of text", call(builtin("float"), str("nan")), CORRUPT, "unexpected arguments"],
    ["a bool of an int", call(builtin("bool"), int(1)), CORRUPT, "unexpected arguments"],
    [
      "a str of bytes",
      call(builtin("str"), binbytes(Buffer.from("a"))),
      CORRUPT,
      "unexpected arguments",
    ],
    ["a complex of text", call(builtin("complex"), str("1j")), CORRUPT, "unexpected arguments"],
    [
      "a complex of three",
      call(builtin("complex"), int(1), int(2), int(3)),
      CORRUPT,
      "unexpected arguments",
    ],
    ["bytes of a number", call(builtin("bytes"), int(2 ** 31)), CORRUPT, "unexpected arguments"],
    [
      "bytes of numbers that are too large",
      call(builtin("bytes"), list(int(256))),
      CORRUPT,
      "unexpected arguments",
    ],
    [
      "bytes of text without encoding",
      call(builtin("bytes"), str("a")),
      CORRUPT,
      "unexpected arguments",
    ],
    [
      "bytes of three arguments",
      call(builtin("bytes"), str("a"), str("latin-1"), str("strict")),
      CORRUPT,
      "unexpected arguments",
    ],
    [
      "bytes in another encoding",
      call(builtin("bytes"), str("a"), str("utf-7")),
      "ERR_SDA_UNSAFE",
      "latin-1",
    ],
    [
      "text above U+00FF as bytes",
      call(global("_codecs", "encode"), str("\u{1f941}"), str("latin1")),
      CORRUPT,
      "above U+00FF",
    ],
    [
      "NEWOBJ of a list with a number",
      join(builtin("list"), tuple(int(1)), NEWOBJ),
      CORRUPT,
      "unexpected arguments",
    ],
  ])("%s", async (_, code, expected, message) => {
    const error = await refusedPickle(code, expected);
    expect(error.message).toContain(message);
    expect(error.details?.["offset"]).toEqual(expect.any(Number));
  });
});
