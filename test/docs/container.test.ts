/** doc/sda-format.md describes containers and pickles as the code and real files have them. */
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { load, NdArray, PyObject, Tensor } from "../../lib/torch/index.js";
import { corpus, corpusFile } from "../support/corpus.js";
import { temporaryFolder } from "../support/folder.js";
import { torchPython } from "../support/python.js";
import { torchZip } from "../support/zip-builder.js";
import {
  fixture,
  GLOBALS,
  type Opcode,
  READ,
  REFUSED,
  readText,
  table,
  WRITTEN,
} from "./tables.js";
import { Call, Elements, readLegacy, readZip, records, View } from "./third-party.js";

const source = (name: string) => readText(`native/checkpoint/${name}`);

/** [name without "k", value] of the enum in a source. */
function enumerators(text: string): [string, number][] {
  return [...text.matchAll(/^ {2}k(\w+) = (?:'(.)'|0x(\w\w)),/gm)].map(([, name, letter, hex]) => [
    (name as string).toUpperCase(),
    letter ? letter.charCodeAt(0) : Number.parseInt(hex as string, 16),
  ]);
}

describe("opcodes", () => {
  const known = new Map(enumerators(source("pickle/pickle_opcodes.h")));

  test("the document lists the writer's opcodes", () => {
    const writer = source("pickle/pickle_writer.cc") + source("pickle/pickle_writer_tensors.cc");
    // Members of other enums, such as Kind::kNone, are left out.
    const names = [...writer.matchAll(/(?<!::)\bk(\w+)/g)].map(([, name = ""]) =>
      name.toUpperCase(),
    );
    const written = [...new Set(names)].flatMap((name) => known.get(name) ?? []);
    expect(WRITTEN.map(({ byte }) => byte).sort()).toEqual(written.sort());
    for (const { name, byte } of WRITTEN) expect(known.get(name.replaceAll("_", ""))).toBe(byte);
  });

  test("the document lists the reader's opcodes", () => {
    const bytes = [...WRITTEN, ...READ, ...REFUSED].map(({ byte }) => byte);
    expect(bytes.sort()).toEqual([...known.values()].sort());
  });

  test.each(REFUSED)("$name is refused", async ({ byte, argument }) => {
    const rest = argument === "line" ? Buffer.from("1\n") : Buffer.alloc(argument ? 4 : 0);
    const path = join(temporaryFolder(), "refused.pt");
    writeFileSync(
      path,
      torchZip(Buffer.concat([Buffer.from([0x80, 2, byte]), rest, Buffer.from(".")])).bytes,
    );
    const code = expect.stringMatching(/^ERR_SDA_(UNSAFE|FORMAT)$/);
    await expect(load(path)).rejects.toMatchObject({ code });
  });
});

/** The rows of the reader's table of dtypes. */
const DTYPES = [
  ...source("tensor/dtype.cc").matchAll(/^ {4}\{"(\w+)", (\d+), \d+, "(\w*)", "(\w*)"\},$/gm),
].map(([, name = "", size = "", numpyCode = "", storage = ""]) => ({
  name,
  size,
  numpyCode,
  storage,
}));

test("storages", () => {
  expect(DTYPES.length).toBeGreaterThan(20);
  const said = table(GLOBALS, "class");
  const typed = DTYPES.filter(({ storage }) => storage !== "");
  const rows = typed.map(({ name, size, storage }) => [storage, name, size]);
  expect(said.slice(0, -1).sort()).toEqual(rows.sort());
  expect(said.at(-1)?.[0]).toBe("UntypedStorage");
  const text = readText("doc/sda-format.md").replace(/\s+/g, " ");
  const without = /dtypes without a class, (.*?), and tensors/.exec(text)?.[1] ?? "";
  expect([...without.matchAll(/`(\w+)`/g)].map(([, name]) => name)).toEqual(
    DTYPES.filter(({ storage }) => storage === "").map(({ name }) => name),
  );
});

test("numpy's dtypes", () => {
  const known = DTYPES.filter(({ numpyCode }) => numpyCode !== "");
  const rows = known.map(({ numpyCode, name }) => [numpyCode, name]);
  expect(table("### numpy", "code").sort()).toEqual(rows.sort());
});

test("the reader knows each global in the document", () => {
  const known = source("pickle/globals.cc");
  const said = table(GLOBALS).flatMap(([, how = ""]) => [
    ...how.matchAll(/`((?:torch|numpy|collections|_codecs|__builtin__)[\w.]* \w+)`/g),
  ]);
  expect(said.length).toBeGreaterThan(15);
  for (const [, name = ""] of said) {
    expect(known.includes(`"${name}"`) || name === "torch float32", name).toBe(true);
  }
});

test.each([
  ["## 3 A file, byte by byte", (): Buffer => readFileSync(fixture("torch/bare-tensor.pt"))],
  ["### numpy", () => records(readFileSync(fixture("models/tiny.sda"))).get("data.pkl") as Buffer],
  [
    "## 4 The model",
    () => records(readFileSync(fixture("models/tiny.sda"))).get("data.pkl") as Buffer,
  ],
])("%s: the bytes of the example", (heading, read) => {
  const bytes = read();
  const rows = table(heading, "at");
  expect(rows.length).toBeGreaterThan(4);
  for (const [at, hex = ""] of rows) {
    const expected = Buffer.from(hex.replaceAll(" ", ""), "hex");
    const found = bytes.subarray(Number(at), Number(at) + expected.length);
    expect(found.toString("hex"), `at ${at}`).toBe(expected.toString("hex"));
  }
});

test("the example's size, and its records in order", () => {
  const bytes = readFileSync(fixture("torch/bare-tensor.pt"));
  expect(readText("doc/sda-format.md")).toContain(`makes a file of ${bytes.length} bytes`);
  expect([...records(bytes).keys()]).toEqual(table("## 1 Container").map(([name]) => name));
});

test.each([
  ["local header", 30],
  ["central directory", 46],
  ["zip64 end record", 56],
  ["zip64 locator", 20],
  ["end record", 22],
])("the fields of the %s", (start, size) => {
  const rows = table("## 1 Container", `${start}, field`);
  const fixed = rows.filter(([, bytes = ""]) => !bytes.includes("n")); // the row of the padding
  const numbers = fixed.flatMap(([, bytes = ""]) => bytes.match(/\d+/g) ?? []);
  expect(numbers.reduce((sum, bytes) => sum + Number(bytes), 0)).toBe(size);
  const signature = Buffer.from((rows[0]?.[2] ?? "").replaceAll(" ", ""), "hex");
  expect(signature.length).toBe(4);
  expect(readFileSync(fixture("torch/bare-tensor.pt")).includes(signature)).toBe(true);
});

const programs = [
  ...["tiny.sda", "tiny-bfloat16.sda", "tiny-decoder-only.sda", "tiny-protocol5.sda"].map((name) =>
    fixture(`models/${name}`),
  ),
  ...["tiny-numpy1.sda"].map((name) => fixture(`models/${name}`)),
  fixture("checkpoints/tiny.pt"),
  ...(corpus === null
    ? []
    : [
        ...readdirSync(corpusFile("models"))
          .filter((name) => !name.includes("legacy"))
          .map((name) => corpusFile("models", name)),
        corpusFile("checkpoints/checkpoint_epoch0200.pt"),
      ]),
];

const digest = (bytes: Buffer) => createHash("sha256").update(bytes).digest("hex");

/** Both readers' values in one form. */
function plain(value: unknown): unknown {
  if (value instanceof View) return plain(value.elements());
  if (value instanceof Elements) {
    return { dtype: value.dtype, shape: value.shape, bytes: digest(value.bytes) };
  }
  if (value instanceof Tensor || value instanceof NdArray) {
    const { dtype, shape, data } = value;
    const bytes = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
    return { dtype, shape, bytes: digest(bytes) };
  }
  if (value instanceof Call)
    return { name: value.name, args: value.args, state: value.state ?? null };
  if (value instanceof PyObject) {
    return { name: `${value.module} ${value.name}`, args: [...value.args], state: value.state };
  }
  if (value instanceof Map) return new Map([...value].map(([key, item]) => [key, plain(item)]));
  return Array.isArray(value) ? Array.from(value, (item) => plain(item)) : value;
}

describe("a reader made from the document alone", () => {
  test.each(programs)("reads %s", async (path) => {
    const { value, pickle, pickleBytes } = readZip(readFileSync(path));
    expect(pickle.at).toBe(pickleBytes.length);
    expect(plain(value)).toEqual(plain(await load(path)));
    if (pickleBytes[1] !== 2) return;
    const common = new Set<Opcode>(WRITTEN.filter(({ rare }) => !rare));
    expect([...pickle.seen].filter((opcode) => !common.has(opcode))).toEqual([]);
  });

  const legacy = [fixture("models/tiny-legacy.sda")];
  if (corpus !== null) legacy.push(corpusFile("models/small-legacy.sda"));
  test.each(legacy)("reads %s", async (path) => {
    const bytes = readFileSync(path);
    const { parts, value, end } = readLegacy(bytes);
    expect(end).toBe(bytes.length);
    expect(plain(value)).toEqual(plain(await load(path)));
    const rows = table("## 5 Legacy container");
    expect(rows.length).toBe(parts.length);
    expect(rows[0]?.[1]).toBe(`the int 0x${(parts[0] as bigint).toString(16)}`);
    expect(rows[1]?.[1]).toBe(`the int ${parts[1]}`);
    expect([...(parts[2] as Map<string, unknown>).keys()]).toEqual(
      [...(rows[2]?.[1] ?? "").matchAll(/`(\w+)`/g)].map(([, key]) => key),
    );
    const magic =
      /magic number's\s+pickle\s+is\s+`([^`]+)`/.exec(readText("doc/sda-format.md"))?.[1] ?? "";
    expect(bytes.toString("hex").startsWith(magic.replaceAll(" ", ""))).toBe(true);
  });
});

const repack = `
import sys, zipfile, torch
source = zipfile.ZipFile(sys.argv[1])
with zipfile.ZipFile(sys.argv[2], "w", zipfile.ZIP_STORED) as least:
    for name in ("version", "data/0", "data.pkl"):
        least.writestr("any/" + name, source.read("bare-tensor/" + name))
print(torch.load(sys.argv[2]).tolist(), torch.load(sys.argv[2], mmap=True).tolist())
`;

test.skipIf(!torchPython)(
  "this package reads the smallest file that PyTorch reads",
  async () => {
    const path = join(temporaryFolder(), "least.pt");
    const given = ["-c", repack, fixture("torch/bare-tensor.pt"), path];
    const ended = spawnSync(torchPython as string, given, { encoding: "utf8" });
    expect(ended).toMatchObject({ status: 0 });
    const values = "[[0.0, 1.0, 2.0], [3.0, 4.0, 5.0]]";
    expect(ended.stdout.trim()).toBe(`${values} ${values}`);
    expect(plain(await load(path))).toEqual(plain(await load(fixture("torch/bare-tensor.pt"))));
  },
  60_000,
);
