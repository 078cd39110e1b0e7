import { closeSync, ftruncateSync, openSync, writeSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { SdaErrorCode } from "../../lib/base/errors.js";
import { load, type Tensor } from "../../lib/torch/index.js";
import { sdaError } from "../support/errors.js";
import { temporaryFolder } from "../support/folder.js";
import { int, pickle, storage, THREE_FLOATS, tensor } from "../support/pickle-builder.js";
import { loadBytes, refusal, tensorZip } from "../support/torch-file.js";
import {
  descriptor,
  struct,
  type TorchZipOptions,
  torchZip,
  type ZipEntry,
  zip,
} from "../support/zip-builder.js";

const CORRUPT = "ERR_SDA_CORRUPT";
const UNSAFE = "ERR_SDA_UNSAFE";
const FORMAT = "ERR_SDA_FORMAT";
const vector = pickle(tensor({ storage: storage(3) }));

function archive(options: TorchZipOptions = {}) {
  return torchZip(vector, { "0": THREE_FLOATS }, options);
}

test("the archive that the others are variants of is read", async () => {
  for (const options of [
    {},
    { zip64: false },
    { folder: "another name" },
    { align: 1 },
    { end: { comment: Buffer.from("a comment") } },
    { end: { entries: 0xffff, entriesHere: 0xffff, size: 0xffffffff, offset: 0xffffffff } },
    { change: { "data/0": { descriptor: null } } },
    { change: { "data/0": { after: Buffer.alloc(100) } } },
    { content: { version: null, byteorder: null } },
    { content: { version: null, ".data/version": "10" } },
  ] satisfies TorchZipOptions[]) {
    const read = (await loadBytes(archive(options).bytes)) as Tensor;
    expect([...read.data]).toEqual([1, 2, 3]);
  }
});

describe("end records", () => {
  test.each<[string, TorchZipOptions, SdaErrorCode, string]>([
    ["comment size too large", { end: { commentSize: 1 } }, CORRUPT, "end record"],
    [
      "locator points elsewhere",
      { locator: { offset: 0 } },
      CORRUPT,
      "zip64 end record is not where",
    ],
    [
      "locator points far away",
      { locator: { offset: 2 ** 50 } },
      CORRUPT,
      "zip64 end record is not where",
    ],
    [
      "zip64 record without signature",
      { end64: { signature: 0 } },
      CORRUPT,
      "zip64 end record is not where",
    ],
    ["two numbers of entries", { end64: { entries: 5 } }, CORRUPT, "disagree"],
    ["two numbers of entries in one", { end64: { entriesHere: 5 } }, CORRUPT, "disagree"],
    ["two directory sizes", { end64: { size: 5 } }, CORRUPT, "disagree"],
    ["two directory offsets", { end64: { offset: 5 } }, CORRUPT, "disagree"],
    ["a zip64 record of another size", { end64: { recordSize: 45 } }, CORRUPT, "disagree"],
    ["another disk", { end: { disk: 1 } }, FORMAT, "several parts"],
    ["another directory disk", { end: { directoryDisk: 1 } }, FORMAT, "several parts"],
    ["entries on another disk", { end: { entriesHere: 1 } }, FORMAT, "several parts"],
    ["another disk in zip64", { end64: { disk: 1 } }, FORMAT, "several parts"],
    ["another directory disk in zip64", { end64: { directoryDisk: 1 } }, FORMAT, "several parts"],
    ["another disk in the locator", { locator: { disk: 1 } }, FORMAT, "several parts"],
    [
      "a directory in front of the file",
      { zip64: false, end: { offset: 0xfffffff0 } },
      CORRUPT,
      "not where",
    ],
    ["a directory of another size", { zip64: false, end: { size: 5 } }, CORRUPT, "not where"],
    ["bytes behind the directory", { beforeEnd: Buffer.alloc(3) }, CORRUPT, "not where"],
    [
      "more entries than fit",
      { zip64: false, end: { entries: 99, entriesHere: 99 } },
      CORRUPT,
      "too small",
    ],
    [
      "millions of entries",
      {
        end: { entries: 0xffff, entriesHere: 0xffff },
        end64: { entries: 2 ** 40, entriesHere: 2 ** 40 },
      },
      "ERR_SDA_LIMIT",
      "records in one archive",
    ],
  ])("%s", async (_, options, code, message) => {
    const error = await refusal(archive(options).bytes, code);
    expect(error.message).toContain(message);
    expect(error.details?.["offset"]).toEqual(expect.any(Number));
  });

  test("fewer entries than the directory has", async () => {
    const { bytes: content, records } = archive();
    const end = content.length - 22;
    const fewer = records.length - 1;
    content.writeUInt16LE(fewer, end + 8);
    content.writeUInt16LE(fewer, end + 10);
    content.writeUInt16LE(fewer, end - 20 - 56 + 24);
    content.writeUInt16LE(fewer, end - 20 - 56 + 32);
    const error = await refusal(content, CORRUPT);
    expect(error.message).toContain("bytes that belong to no entry");
  });

  test("more entries than the directory has", async () => {
    const options = { align: 1, zip64: false };
    const entries = [...Array(3)].map((_, i) => ({
      name: `a/${"b".repeat(60)}${i}`,
      data: vector,
    }));
    const { bytes: content } = zip(entries, { ...options, end: { entries: 4, entriesHere: 4 } });
    expect((await refusal(content, CORRUPT)).message).toContain("damaged central directory entry");
  });
});

const data0 = (entry: Partial<ZipEntry>): TorchZipOptions => ({ change: { "data/0": entry } });
const central = (fields: ZipEntry["central"]) => data0({ central: fields as object });
const local = (fields: ZipEntry["local"]) => data0({ local: fields as object });

describe("central directory entries", () => {
  test.each<[string, TorchZipOptions, SdaErrorCode, string]>([
    ["no signature", central({ signature: 0 }), CORRUPT, "damaged central directory entry"],
    ["a name that is too long", central({ nameSize: 0xfff0 }), CORRUPT, "past the directory's end"],
    ["64-bit size without an extra field", central({ size: 0xffffffff }), CORRUPT, "64-bit sizes"],
    [
      "64-bit offset without an extra field",
      central({ offset: 0xffffffff }),
      CORRUPT,
      "64-bit sizes",
    ],
    [
      "64-bit size with too short an extra field",
      central({ size: 0xffffffff, extra: struct([1, 2], [4, 2], [12, 4]) }),
      CORRUPT,
      "64-bit sizes",
    ],
    [
      "64-bit size in an extra field that reaches past its end",
      central({ size: 0xffffffff, extra: struct([1, 2], [9, 2], [12, 8]) }),
      CORRUPT,
      "64-bit sizes",
    ],
    [
      "64-bit size past the end of the file",
      central({
        size: 0xffffffff,
        stored: 0xffffffff,
        extra: struct([1, 2], [16, 2], [2 ** 62, 8], [2 ** 62, 8]),
      }),
      CORRUPT,
      "past the end of the records",
    ],
    ["encrypted", central({ flags: 9 }), FORMAT, "is encrypted"],
    ["strongly encrypted", central({ flags: 0x48 }), FORMAT, "is encrypted"],
    ["with masked headers", central({ flags: 0x2008 }), FORMAT, "is encrypted"],
    ["deflated", central({ method: 8 }), CORRUPT, "local header and central directory disagree"],
    ["zstd", central({ method: 93 }), FORMAT, "is compressed (method 93)"],
    ["a patch", central({ flags: 0x28 }), FORMAT, "is compressed"],
    ["two sizes", central({ stored: 11 }), CORRUPT, "two different sizes"],
    ["on another disk", central({ disk: 1 }), FORMAT, "several parts"],
    ["too large", central({ size: 99999, stored: 99999 }), CORRUPT, "past the end of the records"],
    ["past the end", central({ offset: 0xfffffff0 }), CORRUPT, "past the end of the records"],
    ["without a folder", central({ name: "data.0" }), FORMAT, "not in a top folder"],
    ["an absolute path", central({ name: "/data/0" }), FORMAT, "not in a top folder"],
    ["a NUL in the name", central({ name: "archive/\0" }), FORMAT, "not in a top folder"],
    ["another top folder", central({ name: "other/data/0" }), FORMAT, "several top folders"],
    [
      "overlapping the next",
      central({ size: 200, stored: 200 }),
      CORRUPT,
      "overlaps the one after it",
    ],
    [
      "a name twice",
      central({ name: "archive/version" }),
      UNSAFE,
      "two records are called 'version'",
    ],
    ["pointing at another record", central({ offset: 0 }), CORRUPT, "overlaps the one after it"],
    ["pointing past its local header", central({ offset: 999 }), CORRUPT, "no local header"],
  ])("%s", async (_, options, code, message) => {
    if (options.change?.["data/0"]?.central?.offset === 999) {
      const at = archive().records.find(({ name }) => name.endsWith("data/0"));
      options.change["data/0"].central.offset = (at?.header as number) + 1;
    }
    for (const verify of [true, false]) {
      const error = await refusal(archive(options).bytes, code, { verify });
      expect(error.message).toContain(message);
      expect(error.details?.["offset"]).toEqual(expect.any(Number));
    }
  });

  test("many entries on one local header: a bomb that unzips to more than the file", async () => {
    const ghosts = [...Array(50)].map((_, i) => ({
      name: `archive/data/${i + 1}`,
      data: THREE_FLOATS,
      ghost: true,
    }));
    const { bytes: content } = archive({ more: ghosts });
    expect((await refusal(content, CORRUPT)).message).toContain("overlaps");
  });
});

describe("local headers", () => {
  const right = (
    name: string,
  ): { crc: number; size: number; header: number; data: number; end: number } => {
    const { bytes: content, records } = archive();
    const at = records.find((record) => record.name === name);
    if (!at) throw new Error(name);
    const end = at.data + at.size;
    return { ...at, end, crc: content.readUInt32LE(end + 4) };
  };
  const { crc } = right("archive/data/0");

  test.each<[string, TorchZipOptions, string]>([
    ["no signature", local({ signature: 0 }), "no local header"],
    ["another name", local({ name: "archive/data/1" }), "local header and central"],
    ["another folder", local({ name: "archivE/data/0" }), "local header and central"],
    ["no slash", local({ name: "archive_data/0" }), "local header and central"],
    ["a longer name", local({ name: "archive/data/00" }), "local header and central"],
    ["another method", local({ method: 8 }), "local header and central"],
    [
      "other flags",
      data0({ local: { flags: 0x808 }, central: { flags: 8 } }),
      "local header and central",
    ],
    ["another CRC", local({ crc: 1, size: 12, stored: 12 }), "local header and central"],
    ["another size", local({ crc, size: 13, stored: 12 }), "local header and central"],
    ["another stored size", local({ crc, size: 12, stored: 13 }), "local header and central"],
    [
      "descriptor without signature",
      data0({ descriptor: descriptor(crc, 12, 12, { signature: 0 }) }),
      "data descriptor",
    ],
    [
      "descriptor with another CRC",
      data0({ descriptor: descriptor(crc ^ 1, 12) }),
      "data descriptor",
    ],
    [
      "descriptor with another size",
      data0({ descriptor: descriptor(crc, 12, 13) }),
      "data descriptor",
    ],
    [
      "descriptor with another stored size",
      data0({ descriptor: descriptor(crc, 13, 12) }),
      "data descriptor",
    ],
    ["no descriptor", data0({ descriptor: Buffer.alloc(0) }), "data descriptor"],
    [
      "no descriptor, another CRC",
      data0({ descriptor: null, local: { crc: 1 }, central: { flags: 0 } }),
      "local header and central",
    ],
    [
      "no descriptor, no sizes",
      data0({ descriptor: null, local: { size: 0xffffffff, stored: 0xffffffff } }),
      "local header and central",
    ],
    [
      "no descriptor, another size",
      data0({ descriptor: null, local: { size: 11 } }),
      "local header and central",
    ],
  ])("%s", async (_, options, message) => {
    for (const verify of [true, false]) {
      const error = await refusal(archive(options).bytes, CORRUPT, { verify });
      expect(error.message).toContain(message);
      expect(error.details?.["offset"]).toBeGreaterThanOrEqual(right("archive/data/0").header);
    }
  });

  test("an extra field that pushes the data into the next record", async () => {
    const { bytes: content, records } = archive();
    const at = records.find(({ name }) => name === "archive/data/0");
    content.writeUInt16LE(0xffff, (at?.header as number) + 28);
    expect((await refusal(content, CORRUPT)).message).toContain("overlaps the one after it");
  });

  test("a wide descriptor and zip64 sizes are as good as short ones", async () => {
    const wide = data0({
      descriptor: descriptor(crc, 12, 12, { wide: true }),
      central: {
        size: 0xffffffff,
        stored: 0xffffffff,
        extra: struct([0x4246, 2], [2, 2], [0, 2], [1, 2], [16, 2], [12, 8], [12, 8]),
      },
    });
    expect([...((await loadBytes(archive(wide).bytes)) as Tensor).data]).toEqual([1, 2, 3]);
  });

  test("headers of records that no tensor uses are checked too", async () => {
    const options = {
      change: { "data/9": { local: { crc: 7 } } },
      content: { "data/9": "unused" },
    };
    expect((await refusal(archive(options).bytes, CORRUPT)).message).toContain("data/9");
  });
});

describe("records", () => {
  test.each<[string, TorchZipOptions, SdaErrorCode, string]>([
    ["no storage", { content: { "data/0": null } }, CORRUPT, "no record 'data/0'"],
    ["a storage that is too short", { content: { "data/0": "short" } }, CORRUPT, "has 5 bytes"],
    [
      "a storage that is too long",
      { content: { "data/0": Buffer.alloc(13) } },
      CORRUPT,
      "needs 12",
    ],
    ["version: no number", { content: { version: "three" } }, CORRUPT, "not a number"],
    ["version: empty", { content: { version: "" } }, CORRUPT, "not a number"],
    ["version: 0", { content: { version: "0" } }, CORRUPT, "not a number"],
    ["version: beyond an int", { content: { version: "9".repeat(50) } }, CORRUPT, "not a number"],
    ["version: newer", { content: { version: "11" } }, "ERR_SDA_VERSION", "newer than supported"],
    [
      "version in its other place: newer",
      { content: { version: null, ".data/version": "1000" } },
      "ERR_SDA_VERSION",
      "newer than supported",
    ],
    ["byte order: none of both", { content: { byteorder: "middle" } }, CORRUPT, "byte order"],
    ["byte order: empty", { content: { byteorder: "" } }, CORRUPT, "byte order"],
    ["byte order: with a tail", { content: { byteorder: "little\n" } }, CORRUPT, "byte order"],
  ])("%s", async (_, options, code, message) => {
    for (const verify of [true, false]) {
      const error = await refusal(archive(options).bytes, code, { verify });
      expect(error.message).toContain(message);
      expect(error.details?.["offset"]).toEqual(expect.any(Number));
    }
  });

  test("byte order: big swaps each scalar", async () => {
    const swapped = Buffer.from(THREE_FLOATS).swap32();
    for (const verify of [true, false]) {
      const read = await loadBytes(
        archive({ content: { byteorder: "big", "data/0": swapped } }).bytes,
        { verify },
      );
      expect([...(read as Tensor).data]).toEqual([1, 2, 3]);
    }
  });

  test("a pickle of more than a GiB is refused unread", async () => {
    const size = 2 ** 30 + 1;
    const start = 2 ** 30 + 4096;
    const { bytes: content, directory } = zip(
      [
        {
          name: "a/data.pkl",
          data: pickle(int(1)),
          central: { size, stored: size },
        },
      ],
      {
        end: { offset: start },
        end64: { offset: start },
        locator: { offset: start + 56 },
      },
    );
    const directorySize = content.length - directory - 22 - 20 - 56;
    content.writeBigUInt64LE(BigInt(start + directorySize), content.length - 22 - 20 + 8);
    const path = join(temporaryFolder(), "sparse.pt");
    const file = openSync(path, "w");
    ftruncateSync(file, start);
    writeSync(file, content, 0, directory, 0);
    writeSync(file, content, directory, content.length - directory, start);
    closeSync(file);
    const error = await sdaError(() => load(path));
    expect(error.code).toBe("ERR_SDA_LIMIT");
    expect(error.details).toMatchObject({ path, offset: 0 });
  });
});

test("an archive in front of which something else lies is no torch file", async () => {
  const { bytes: content } = archive();
  await refusal(Buffer.concat([Buffer.from("MZ not a zip"), content]), FORMAT);
});

test("two archives, one behind the other", async () => {
  await refusal(Buffer.concat([tensorZip(), tensorZip()]), FORMAT);
});
