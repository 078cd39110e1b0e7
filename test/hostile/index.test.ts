/** Damaged or malicious indexes: the library opens, or says in one line why it does not. */
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { ModelLibrary } from "../../lib/index.js";
import { temporaryFolder } from "../support/folder.js";

const INDEX = "model_library.json";
const FIELDS = {
  model_id: "a",
  name: "Plucks",
  description: "",
  file_path: "a.sda",
  file_size_bytes: 1,
  dataset_name: "",
  dataset_file_count: 0,
  dataset_total_duration_s: 1.5,
  training_date: "",
  save_date: "",
  training_epochs: 1,
  final_train_loss: 0.5,
  final_val_loss: 0.5,
  has_analysis: true,
  n_active_components: 0,
  tags: [] as string[],
};

const indexOf = (models: Record<string, unknown>) =>
  JSON.stringify({ version: 1, models }, null, 2);
const one = indexOf({ a: FIELDS });

let folder: string;
beforeEach(() => {
  folder = temporaryFolder();
  vi.spyOn(process, "emitWarning").mockImplementation(() => {});
});
afterEach(() => void vi.restoreAllMocks());

async function opened(content: string | Buffer): Promise<string[]> {
  writeFileSync(join(folder, INDEX), content);
  return (await ModelLibrary.open(folder)).listAll().map(({ modelId }) => modelId);
}

test("the index that the others are variants of has one entry", async () => {
  expect(await opened(one)).toEqual(["a"]);
});

test.each<[string, string | Buffer]>([
  ["nothing", ""],
  ["cut off", one.slice(0, 300)],
  ["a byte that is no UTF-8", Buffer.from(one.replace("Plucks", "\xff"), "latin1")],
  ["arrays 100,000 deep", indexOf({ a: 1 }).replace('"a": 1', `"a": ${"[".repeat(100_000)}`)],
  ["objects 100,000 deep", `{"models": ${'{"a": '.repeat(100_000)}`],
  ["an entry of nothing but its key", one.replace(/"a": \{[\s\S]*/, '"a",\n    "b": {}\n  }\n}')],
  ["models that are a list", '{"version": 1, "models": []}'],
  ["text behind the end", `${one}{}`],
  ["NUL bytes", Buffer.alloc(4096)],
])("%s: kept aside, and the files are listed anew", async (_, content) => {
  expect(await opened(content)).toEqual([]);
  const aside = readdirSync(folder).filter((name) => name.includes(".damaged"));
  expect(aside).toHaveLength(1);
  expect(readFileSync(join(folder, aside[0] as string)).equals(Buffer.from(content))).toBe(true);
});

test("an entry that is no model is not listed, and stays in the file", async () => {
  const text = indexOf({ a: 5 });
  expect(await opened(text)).toEqual([]);
  expect(readFileSync(join(folder, INDEX), "utf8")).toBe(text);
});

test("keys that mean something to JavaScript change no prototype", async () => {
  const evil = JSON.stringify({ ...FIELDS, model_id: "__proto__" });
  const text = `{"version": 1, "__proto__": {"polluted": 1}, "models": {"__proto__": ${evil.replace("{", '{"__proto__": {"polluted": 1}, ')}}}`;
  await opened(text).catch(() => {});
  expect(({} as Record<string, unknown>)["polluted"]).toBeUndefined();
  expect(Object.keys(Object.prototype)).toEqual([]);
});

test("of two entries with one key the last counts, as in Python", async () => {
  const second = one
    .slice(one.indexOf('    "a"'), one.lastIndexOf("\n  }"))
    .replace("Plucks", "Last");
  writeFileSync(join(folder, INDEX), one.replace("\n  }\n}", `,\n${second}\n  }\n}`));
  const library = await ModelLibrary.open(folder);
  expect(library.listAll().map(({ name }) => name)).toEqual(["Last"]);
});
