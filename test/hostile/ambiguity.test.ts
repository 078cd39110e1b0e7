/** Files from which PyTorch or CPython could read another content than this reader: refused. */
import { describe, expect, test } from "vitest";
import { inspect, load } from "../../lib/torch/index.js";
import { sdaError } from "../support/errors.js";
import { legacy } from "../support/legacy-builder.js";
import {
  binget,
  binput,
  bytes,
  type Code,
  call,
  frame,
  global,
  int,
  join,
  list,
  long1,
  MEMOIZE,
  POP,
  pickle,
  proto,
  STOP,
  shortBinunicode,
  str,
  TUPLE2,
} from "../support/pickle-builder.js";
import { fileOf, loadBytes, refusal } from "../support/torch-file.js";
import { type TorchZipOptions, torchZip, zip } from "../support/zip-builder.js";

const UNSAFE = "ERR_SDA_UNSAFE";
const harmless = pickle(int(7));
const payload = call(global("os", "system"), str("touch owned"));

/** Both `load` and `inspect` refuse the file and name the ambiguity. */
async function expectAmbiguous(content: Uint8Array, kind: string): Promise<void> {
  const error = await refusal(content, UNSAFE);
  expect(error.details?.["ambiguity"]).toBe(kind);
  expect(typeof error.details?.["offset"]).toBe("number");
  const path = fileOf(content);
  const inert = await sdaError(() => load(path, { unknownGlobals: "inert" }));
  expect(inert.details?.["ambiguity"]).toBe(kind);
  expect((await sdaError(() => inspect(path))).details?.["ambiguity"]).toBe(kind);
}

const seven = int(7);
const hidden = shortBinunicode(join(POP, payload, STOP));

describe("frames of a pickle", () => {
  const wrong: [string, Code][] = [
    ["a frame that ends in an argument", join(proto(4), frame(3), hidden, STOP)],
    ["a frame that ends between an opcode and its argument", join(proto(4), frame(1), seven, STOP)],
    [
      "a frame that ends in a line",
      join(proto(4), frame(6), global("collections", "OrderedDict"), STOP),
    ],
    ["a frame in a frame", join(proto(4), frame(13), seven, frame(2), POP, seven, STOP)],
    ["a frame that begins at another one's end", join(proto(4), frame(9), frame(3), seven, STOP)],
    ["a frame that goes on after STOP", join(proto(4), frame(4), seven, STOP, bytes(0x4e))],
  ];
  test.each(wrong)("%s, in an archive", async (_, code) => {
    await expectAmbiguous(torchZip(code).bytes, "pickle-frame");
  });
  test.each(wrong)("%s, in the object of a legacy file", async (_, code) => {
    await expectAmbiguous(legacy(code), "pickle-frame");
  });

  const stops = (code: Code) => join(proto(4), frame(code.length + 2), code, STOP, bytes(0x4e));
  const magic = long1(bytes(0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19));
  test.each([
    ["the magic number", { magic: join(frame(20), proto(2), magic, STOP) }],
    ["the protocol", { protocol: stops(int(1001)) }],
    ["the system's facts", { system: stops(list()) }],
    ["the storages' keys", { keys: stops(list()) }],
  ])("a frame that goes on after STOP, in %s of a legacy file", async (what, options) => {
    const content = legacy(harmless, [], options);
    if (what === "the magic number") await refusal(content, [UNSAFE, "ERR_SDA_FORMAT"]);
    else await expectAmbiguous(content, "pickle-frame");
  });

  test("right frames are read, one after the other and around long strings", async () => {
    const long = str("x".repeat(1000));
    const code = join(
      ...[proto(4), frame(seven.length), seven, POP, long, POP],
      ...[frame(0), frame(seven.length + 1), seven, STOP],
    );
    await expect(loadBytes(torchZip(code).bytes)).resolves.toBe(7);
    await expect(loadBytes(legacy(code))).resolves.toBe(7);
  });
});

describe("MEMOIZE", () => {
  test("counts the written entries, as Python does, and not the gaps between them", async () => {
    // The second entry written is 5, so MEMOIZE writes entry 2.
    const code = join(
      ...[str("a"), binput(0), POP, str("b"), binput(5), POP, str("c"), MEMOIZE, POP],
      ...[binget(2), binget(5), TUPLE2],
    );
    expect([...((await loadBytes(torchZip(pickle(code)).bytes)) as string[])]).toEqual(["c", "b"]);
  });

  test("overwrites an entry whose number it reaches", async () => {
    const code = join(
      ...[str("os"), binput(1), POP, str("collections"), MEMOIZE, POP],
      ...[binget(1)],
    );
    await expect(loadBytes(torchZip(pickle(code)).bytes)).resolves.toBe("collections");
  });
});

describe("records of an archive", () => {
  const more = (name: string, rest = {}): TorchZipOptions => ({
    more: [{ name: `archive/${name}`, data: pickle(payload), ...rest }],
  });

  test.each(["data.pkl", "DATA.PKL", "Data.pkl", "VERSION", "ByteOrder"])(
    "a name that another record has, whatever its case: %s",
    async (name) => {
      await expectAmbiguous(torchZip(harmless, {}, more(name)).bytes, "record-name");
    },
  );

  test("names that differ in more than the case of ASCII letters are others", async () => {
    for (const name of ["data.pkl ", "code/data.pkl", "dätä", "DÄTÄ", "data_pkl"]) {
      await expect(loadBytes(torchZip(harmless, {}, more(name)).bytes)).resolves.toBe(7);
    }
    const both = { more: ["ä", "Ä"].map((name) => ({ name: `archive/${name}`, data: harmless })) };
    await expect(loadBytes(torchZip(harmless, {}, both).bytes)).resolves.toBe(7);
  });

  test.each([
    ["the attribute of a directory", { central: { attributes: 0x10 } }],
    ["that attribute among others", { central: { attributes: 0x81a4_0031 } }],
  ])("%s on a record with content", async (_, change) => {
    for (const name of ["data.pkl", "version"])
      await expectAmbiguous(
        torchZip(harmless, {}, { change: { [name]: change } }).bytes,
        "directory-attribute",
      );
  });

  test("a directory's name on a record with content", async () => {
    await expectAmbiguous(torchZip(harmless, {}, more("folder/")).bytes, "directory-attribute");
  });

  test("empty directories and attributes of files are what other programs write", async () => {
    const directory = { data: Buffer.alloc(0), central: { attributes: 0x10 } };
    for (const options of [
      more("data/", directory),
      { change: { "data.pkl": { central: { attributes: 0x81a4_0020 } } } },
    ])
      await expect(loadBytes(torchZip(harmless, {}, options).bytes)).resolves.toBe(7);
  });
});

describe("the end of an archive", () => {
  const evil = torchZip(pickle(payload), {}, { zip64: false }).bytes;
  const ending = (comment: Buffer) =>
    torchZip(harmless, {}, { zip64: false, end: { comment } }).bytes;

  test.each([
    ["as it is", evil.subarray(-22)],
    ["followed by more", join(evil.subarray(-22), Buffer.from("x"))],
    ["behind more", join(Buffer.from("x".repeat(300)), evil.subarray(-22))],
    ["with a comment length that does not fit", join(evil.subarray(-22, -2), bytes(9, 9))],
    ["of another archive", evil],
  ])("an end record in the comment, %s", async (_, comment) => {
    const error = await refusal(ending(comment), [UNSAFE, "ERR_SDA_CORRUPT"]);
    // A reader may also take the inner end record, whose directory is not where it says.
    if (error.code === UNSAFE) expect(error.details?.["ambiguity"]).toBe("end-record");
  });

  test("a comment with less than an end record is a comment", async () => {
    for (const comment of [evil.subarray(-22, -1), evil.subarray(-22, -18), Buffer.from("PK")])
      await expect(loadBytes(ending(comment))).resolves.toBe(7);
  });
});

describe("a legacy file that is a tar archive too", () => {
  /** A string of the pickle reaches over the header's fields, which get the right checksum. */
  function tar(checksum: (sum: number, signed: number) => Buffer): Buffer {
    const content = Buffer.from(legacy(pickle(str("é".repeat(400)))));
    const at = 148;
    content.fill(" ", at, at + 8);
    const head = content.subarray(0, 512);
    const sum = head.reduce((total, byte) => total + byte, 0);
    const signed = new Int8Array(head).reduce((total, byte) => total + byte, 0);
    checksum(sum, signed).copy(content, at);
    return content;
  }
  const field = (text: string) => Buffer.from(text.padEnd(8, "\0"));
  const octal = (value: number) => value.toString(8).padStart(6, "0");

  test.each<[string, (sum: number, signed: number) => Buffer]>([
    ["octal", (sum) => Buffer.from(`${octal(sum)}\0 `)],
    ["octal with spaces", (sum) => Buffer.from(`  ${octal(sum)}`)],
    ["with Python's prefix and underscore", (sum) => field(`0o${sum.toString(8)}`)],
    ["a sum of signed bytes", (_, signed) => field(`-${(-signed).toString(8)}`)],
    [
      "binary",
      (sum) => {
        const field = Buffer.from([0x80, 0, 0, 0, 0, 0, 0, 0]);
        field.writeUInt32BE(sum, 4);
        return field;
      },
    ],
  ])("by a checksum that is %s", async (_, checksum) => {
    await expectAmbiguous(tar(checksum), "tar");
  });

  test("with another checksum it is none", async () => {
    const error = await sdaError(() =>
      loadBytes(tar((sum) => Buffer.from(`${octal(sum + 1)}\0 `))),
    );
    expect(error.details?.["ambiguity"]).toBeUndefined();
    await expect(loadBytes(legacy(pickle(str("é".repeat(400)))))).resolves.toHaveLength(400);
  });
});

test("an archive whose only pickle has another case is no torch file", async () => {
  const other = zip([{ name: "archive/Data.pkl", data: pickle(payload) }]).bytes;
  expect((await refusal(other, "ERR_SDA_FORMAT")).message).toContain("no data.pkl");
});
