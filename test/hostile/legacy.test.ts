import { describe, expect, test } from "vitest";
import type { SdaErrorCode } from "../../lib/base/errors.js";
import { inspect, load, type Tensor } from "../../lib/torch/index.js";
import { type LegacyOptions, type LegacyStorage, legacy } from "../support/legacy-builder.js";
import {
  BINPERSID,
  type Code,
  dict,
  EMPTY_DICT,
  global,
  int,
  join,
  list,
  long1,
  NONE,
  pickle,
  STOP,
  storage,
  str,
  THREE_FLOATS,
  tensor,
  tuple,
} from "../support/pickle-builder.js";
import { fileOf, legacyStorage, loadBytes, refusal, tensorLegacy } from "../support/torch-file.js";

const CORRUPT = "ERR_SDA_CORRUPT";
const root = (code: Code = legacyStorage(3)) => pickle(tensor({ storage: code }));
const stored: LegacyStorage[] = [{ key: "7", count: 3, data: THREE_FLOATS }];
const view = (key: string, offset: number, size: number) => tuple(str(key), int(offset), int(size));

test("the file that the others are variants of is read", async () => {
  for (const verify of [true, false]) {
    const read = (await loadBytes(tensorLegacy(), { verify })) as Tensor;
    expect([...read.data]).toEqual([1, 2, 3]);
  }
});

test.each<[string, Buffer, SdaErrorCode, string]>([
  [
    "another protocol",
    legacy(root(), stored, { protocol: pickle(int(1002)) }),
    "ERR_SDA_VERSION",
    "unknown version",
  ],
  [
    "a protocol that is text",
    legacy(root(), stored, { protocol: pickle(str("1001")) }),
    "ERR_SDA_VERSION",
    "unknown version",
  ],
  ["no system facts", legacy(root(), stored, { system: pickle(NONE) }), CORRUPT, "byte order"],
  ["no byte order", legacy(root(), stored, { system: pickle(EMPTY_DICT) }), CORRUPT, "byte order"],
  [
    "a byte order that is a number",
    legacy(root(), stored, { system: pickle(dict([str("little_endian"), int(1)])) }),
    CORRUPT,
    "byte order",
  ],
  [
    "storage keys that are no list",
    legacy(root(), stored, { keys: pickle(str("7")) }),
    CORRUPT,
    "list of storages is a str",
  ],
  [
    "a key that is a number",
    legacy(root(), stored, { keys: pickle(list(int(7))) }),
    CORRUPT,
    "that no tensor uses",
  ],
  [
    "a key of no tensor",
    legacy(root(), stored, { keys: pickle(list(str("8"))) }),
    CORRUPT,
    "that no tensor uses",
  ],
  [
    "a key twice",
    legacy(root(), stored, { keys: pickle(list(str("7"), str("7"))) }),
    CORRUPT,
    "that no tensor uses",
  ],
  [
    "a key too few",
    legacy(root(), stored, { keys: pickle(list()) }),
    CORRUPT,
    "missing from the list",
  ],
  [
    "another element count",
    legacy(root(), [{ key: "7", count: 4, data: THREE_FLOATS }]),
    CORRUPT,
    "4 elements",
  ],
  [
    "a negative element count",
    legacy(root(), [{ key: "7", count: -1, data: THREE_FLOATS }]),
    CORRUPT,
    "-1 elements",
  ],
  [
    "no storages at all",
    legacy(root(), [], { keys: pickle(list(str("7"))) }),
    CORRUPT,
    "ends before its storages",
  ],
  [
    "a storage cut off",
    legacy(root(), [{ key: "7", count: 3, data: THREE_FLOATS.subarray(1) }]),
    CORRUPT,
    "ends before its storages",
  ],
  [
    "half an element count",
    Buffer.concat([legacy(root(), [], { keys: pickle(list(str("7"))) }), Buffer.alloc(7)]),
    CORRUPT,
    "ends before its storages",
  ],
  [
    "terabytes that are not there",
    legacy(root(legacyStorage(2 ** 40)), [{ key: "7", count: 2 ** 40, data: THREE_FLOATS }]),
    CORRUPT,
    "ends before its storages",
  ],
  [
    "a storage with two sizes",
    legacy(pickle(tuple(legacyStorage(3), legacyStorage(4))), stored),
    CORRUPT,
    "has two sizes",
  ],
  [
    "a view that reaches past its storage",
    legacy(root(legacyStorage(3, view("8", 1, 3))), stored),
    CORRUPT,
    "reaches past the end of its storage",
  ],
  [
    "a view that begins past its storage",
    legacy(root(legacyStorage(3, view("8", 4, 0))), stored),
    CORRUPT,
    "reaches past the end of its storage",
  ],
  [
    "a view with a negative offset",
    legacy(root(legacyStorage(3, view("8", -1, 1))), stored),
    CORRUPT,
    "-1 elements",
  ],
  [
    "a view whose size overflows",
    legacy(root(legacyStorage(3, tuple(str("8"), int(0), int(2n ** 62n)))), stored),
    CORRUPT,
    "elements",
  ],
  [
    "a view that begins in the middle of an element",
    legacy(
      pickle(
        tensor({
          storage: storage(12, {
            cls: global("torch.storage", "UntypedStorage"),
            key: "7",
            extra: [view("8", 2, 8)],
          }),
          shape: tuple(int(2)),
          rebuild: "_rebuild_tensor_v3",
          extra: [global("torch", "float32")],
        }),
      ),
      [{ key: "7", count: 12, data: THREE_FLOATS }],
    ),
    CORRUPT,
    "in the middle of an element",
  ],
  [
    "a view that is no tuple",
    legacy(root(legacyStorage(3, int(8))), stored),
    CORRUPT,
    "description of a view of a storage is malformed",
  ],
  [
    "a view of two parts",
    legacy(root(legacyStorage(3, tuple(str("8"), int(0)))), stored),
    CORRUPT,
    "description of a view of a storage is malformed",
  ],
  [
    "a view with a key that is a number",
    legacy(root(legacyStorage(3, tuple(int(8), int(0), int(1)))), stored),
    CORRUPT,
    "description of a view of a storage is malformed",
  ],
  [
    "a tensor past the end of its view",
    legacy(root(legacyStorage(3, view("8", 1, 2))), stored),
    CORRUPT,
    "element 2 of a storage of 2",
  ],
  [
    "a persistent id among the storage keys",
    legacy(root(), stored, { keys: pickle(join(tuple(str("storage")), BINPERSID)) }),
    "ERR_SDA_UNSAFE",
    "in a pickle that has no storages",
  ],
  [
    "a dangerous global before the object",
    legacy(root(), stored, { system: pickle(global("os", "system")) }),
    "ERR_SDA_UNSAFE",
    "os.system",
  ],
  [
    "a dangerous global behind the object",
    legacy(root(), stored, { keys: pickle(global("os", "system")) }),
    "ERR_SDA_UNSAFE",
    "os.system",
  ],
  [
    "a magic number alone",
    legacy(Buffer.alloc(0), [], {
      protocol: Buffer.alloc(0),
      system: Buffer.alloc(0),
      keys: Buffer.alloc(0),
    }),
    CORRUPT,
    "ends in the middle",
  ],
])("%s", async (_, content, code, message) => {
  for (const options of [{}, { verify: false }, { weights: false }]) {
    const error = await refusal(content, code, options);
    expect(error.message).toContain(message);
    expect(error.details?.["offset"]).toEqual(expect.any(Number));
  }
});

test("an error's offset counts from the start of the file, not of its pickle", async () => {
  const content = legacy(pickle(global("os", "system")), []);
  const error = await refusal(content, "ERR_SDA_UNSAFE");
  expect(error.details?.["offset"]).toBe(content.indexOf("cos\nsystem"));
});

describe("views of a storage", () => {
  const whole = tensor({ storage: legacyStorage(3) });
  const start = tensor({ storage: legacyStorage(3, view("8", 0, 2)), shape: tuple(int(2)) });
  const end = tensor({ storage: legacyStorage(3, view("9", 1, 2)), shape: tuple(int(2)) });

  test.each([
    ["views after it", [whole, start, end]],
    ["views before it", [start, end, whole]],
  ])("share its buffer: %s", async (_, tensors) => {
    for (const verify of [true, false]) {
      const content = legacy(pickle(tuple(...tensors)), stored);
      const read = (await loadBytes(content, { verify })) as Tensor[];
      const byLength = [...read].sort((a, b) => b.data.length - a.data.length);
      expect(byLength.map(({ data }) => [...data])).toEqual(
        expect.arrayContaining([
          [1, 2, 3],
          [1, 2],
          [2, 3],
        ]),
      );
      expect(new Set(read.map(({ data }) => data.buffer)).size).toBe(1);
    }
  });
});

// PyTorch on a big-endian machine writes storages in little-endian order, and their counts in its
// own order or, in newer versions, in little-endian order.
test("storages that lie askew are aligned, also those of a big-endian machine", async () => {
  for (const verify of [true, false]) {
    for (let padding = 0; padding < 16; ++padding) {
      const code = pickle(tuple(str("x".repeat(padding)), tensor({ storage: legacyStorage(3) })));
      for (const count of [3, 3 * 2 ** 56]) {
        const content = legacy(code, [{ key: "7", count, data: THREE_FLOATS }], {
          littleEndian: false,
        });
        const [, read] = (await loadBytes(content, { verify })) as [string, Tensor];
        expect([...read.data]).toEqual([1, 2, 3]);
      }
    }
  }
});

test("classes that were stored with their source text are refused by their name", async () => {
  const source = tuple(str("module"), global("os", "system"), str("a.py"), str("import os"));
  const error = await refusal(legacy(pickle(join(source, BINPERSID))), "ERR_SDA_UNSAFE");
  expect(error.details?.["global"]).toBe("os.system");
});

test("a pickle that is longer than what is read at first", async () => {
  const words = list(...[...Array(30_000)].map((_, i) => str(`word number ${i}`)));
  const content = legacy(pickle(tuple(words, tensor({ storage: legacyStorage(3) }))), stored);
  expect(content.length).toBeGreaterThan(2 ** 18);
  const [read, three] = (await loadBytes(content)) as [string[], Tensor];
  expect([read.length, read[29_999]]).toEqual([30_000, "word number 29999"]);
  expect([...three.data]).toEqual([1, 2, 3]);
  expect((await inspect(fileOf(content))).container).toBe("legacy");
  await refusal(content.subarray(0, 2 ** 18), CORRUPT);
  await refusal(content.subarray(0, 2 ** 18 + 1), CORRUPT);
});

test("a first pickle that only mentions the magic number", async () => {
  const magic = long1(Buffer.from("6cfc9c46f9206aa85019", "hex"));
  const options: LegacyOptions = { magic: pickle(join(magic, int(1))) };
  const path = fileOf(legacy(root(storage(3, { key: "7" })), stored, options));
  await expect(load(path)).rejects.toMatchObject({ code: expect.stringMatching(/FORMAT|CORRUPT/) });
  await refusal(Buffer.concat([Buffer.from([0x80, 2]), STOP]), [CORRUPT, "ERR_SDA_FORMAT"]);
});
