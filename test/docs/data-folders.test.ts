/** doc/data-folders.md: its examples run as they are, and its tables have all fields. */
import { spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { ModelLibrary } from "../../lib/index.js";
import { HISTORY_FIELDS } from "../../lib/library/history/history-entry.js";
import { PRESET_FIELDS } from "../../lib/library/presets/preset.js";
import { fixture, readText, root } from "./tables.js";
import { codeBlocks, workplace } from "./workplace.js";

const text = readText("doc/data-folders.md");
const examples = codeBlocks(text);
const [find, presets] = examples as [string, string];

async function run(code: string) {
  const folder = workplace();
  mkdirSync(join(folder, "data/models"), { recursive: true });
  cpSync(fixture("models/tiny.sda"), join(folder, "data/models/tiny.sda"));
  await (await ModelLibrary.open(join(folder, "data/models"))).repairIndex();
  writeFileSync(join(folder, "code.mjs"), code);
  return spawnSync(process.execPath, ["code.mjs"], { cwd: folder, encoding: "utf8" });
}

test("it has these examples", () => expect(examples).toHaveLength(2));

describe.skipIf(!existsSync(join(root, "dist/index.js")))("doc/data-folders.md", () => {
  test("finds the folders", async () => {
    expect(await run(find)).toMatchObject({ status: 0, stderr: "", stdout: "0 0\n" });
  });

  test("keeps presets", async () => {
    const stdout = "[ 'Night' ] 1\n";
    expect(await run(presets)).toMatchObject({ status: 0, stderr: "", stdout });
  });
});

test.each([
  ["presets.json", PRESET_FIELDS],
  ["history.json", HISTORY_FIELDS],
])("the table of %s has all fields in order", (file, fields) => {
  const table = text.slice(text.indexOf(`| here | in \`${file}\` |`)).split("\n\n")[0] ?? "";
  const rows = table.split("\n").slice(2);
  const ours = rows.flatMap((row) => (row.split("|")[1] ?? "").match(/\w+/g) ?? []);
  expect([...ours].sort()).toEqual(Object.keys(fields).sort());
  for (const { name } of Object.values(fields)) expect(table).toContain(name);
});
