/** doc/sda-format.md says what the code and real files say. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { completeMetadata, spectrogramDict } from "../../lib/model/file-content.js";
import { parseHeader } from "../../lib/model/header.js";
import { ANALYSIS_NAMES, ENTRY_NAMES, METADATA_NAMES } from "../../lib/model/names.js";
import { parseMetadata } from "../../lib/model/schema.js";
import { load } from "../../lib/torch/index.js";

const root = fileURLToPath(new URL("../..", import.meta.url));
const text = readFileSync(join(root, "doc/sda-format.md"), "utf8");
const fixture = (name: string) => join(root, "test/fixtures", name);

/** The cells of the first table after a heading, without their backticks. */
function table(heading: string): string[][] {
  const section = text.slice(text.indexOf(`\n${heading}\n`) + 1);
  const rows = /(?:^\|.*\n)+/m.exec(section)?.[0].trim().split("\n").slice(2) ?? [];
  return rows.map((row) =>
    row
      .slice(2, -2)
      .split(" | ")
      .map((cell) => cell.replace(/^`(.*)`$/, "$1")),
  );
}

const python = (value: unknown) => (value === null ? "None" : value === false ? "False" : value);
const number = (value: string) => (/^[\d.]+$/.test(value) ? Number(value) : value);

test("the keys of a model, in order", async () => {
  const model = (await load(fixture("models/tiny.sda"))) as Map<string, Map<string, unknown>>;
  expect(table("## 4 The model").map(([key]) => key)).toEqual([...model.keys()]);
  expect(table("### Metadata").map(([key]) => key)).toEqual([
    ...(model.get("metadata") as Map<string, unknown>).keys(),
  ]);
  expect(table("### Analysis").map(([key]) => key)).toEqual([
    ...(model.get("latent_analysis") as Map<string, unknown>).keys(),
  ]);
  expect(table("### Spectrogram").map(([key]) => key)).toEqual([
    ...(model.get("spectrogram_config") as Map<string, unknown>).keys(),
  ]);
  expect(table("### Analysis").map(([key]) => key)).toEqual(Object.values(ANALYSIS_NAMES));
});

test("the defaults of metadata, for readers and writers", () => {
  const read = parseMetadata(parseHeader(new Map([["format", "sda_model"]]), "x"));
  const written = completeMetadata({ modelId: "m", saveDate: "d" }, {}, null);
  for (const [field, name] of Object.entries(METADATA_NAMES)) {
    const [, type, said] = table("### Metadata").find(([key]) => key === name) as string[];
    const value = read[field as keyof typeof read];
    const shown =
      typeof value === "string" || Array.isArray(value) ? JSON.stringify(value) : python(value);
    expect({ name, said: number(said as string) }).toEqual({ name, said: shown });
    expect(said?.includes("."), name).toBe(type === "float");
    if (field !== "modelId" && field !== "saveDate")
      expect(written).toMatchObject({ [field]: value });
  }
});

test("the defaults of the spectrogram", () => {
  const said = table("### Spectrogram").map(([key, , value]) => [key, number(value as string)]);
  expect(said).toEqual([...spectrogramDict({})].map(([key, value]) => [key, python(value)]));
});

test("the fields of the index", () => {
  expect(table("## 7 The library").map(([key]) => key)).toEqual(Object.values(ENTRY_NAMES));
});

test("the example, byte by byte", () => {
  const bytes = readFileSync(fixture("torch/bare-tensor.pt"));
  expect(text).toContain(`makes a file of ${bytes.length} bytes`);
  const rows = table("## 3 A file, byte by byte");
  expect(rows.length).toBeGreaterThan(8);
  for (const [at, hex] of rows as [string, string][]) {
    const expected = Buffer.from(hex.replaceAll(" ", ""), "hex");
    const found = bytes.subarray(Number(at), Number(at) + expected.length);
    expect(found.toString("hex"), `at ${at}`).toBe(expected.toString("hex"));
  }
});

test("the records, in order", () => {
  const bytes = readFileSync(fixture("torch/bare-tensor.pt"));
  const found: string[] = [];
  for (let at = bytes.readUInt32LE(bytes.length - 6); bytes.readUInt32LE(at) === 0x02014b50; ) {
    const [name, extra, comment] = [28, 30, 32].map((field) => bytes.readUInt16LE(at + field));
    const end = at + 46 + (name as number);
    found.push(bytes.toString("utf8", at + 46, end).replace("bare-tensor/", ""));
    at = end + (extra as number) + (comment as number);
  }
  const said = table("## 1 Container").map(
    ([name]) => /^[\w./]+/.exec(name?.replace("`", "") ?? "")?.[0],
  );
  expect(found).toEqual(said);
});
