/** doc/sound-files.md: its example runs as it is, and its tables say what the code does. */
import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { KBPS, SOUND_FORMATS } from "../../lib/audio/files/settings.js";
import { id3Fields, riffFields, vorbisFields } from "../../lib/audio/files/tags.js";
import { updateModel } from "../../lib/index.js";
import { importModel } from "../../lib/library/writes/add.js";
import { engineBuilt, packageBuilt } from "../support/native.js";
import { fixture, readTable, readText } from "./tables.js";
import { codeBlocks, workplace } from "./workplace.js";

const text = readText("doc/sound-files.md");
const examples = codeBlocks(text);

test.skipIf(!engineBuilt || !packageBuilt)("the example runs", async () => {
  const folder = workplace();
  const models = join(folder, "data/models");
  mkdirSync(models, { recursive: true });
  const { modelId } = await importModel(fixture("models/tiny.sda"), models);
  const { filePath } = await updateModel(modelId, { name: "Pads" }, models);
  cpSync(join(models, filePath), join(models, "pads.sda"));
  expect(examples).toHaveLength(1);
  writeFileSync(join(folder, "code.mjs"), examples[0] as string);
  const ended = spawnSync(process.execPath, ["code.mjs"], { cwd: folder, encoding: "utf8" });
  expect(ended).toMatchObject({ status: 0, stderr: "", stdout: "42 Pads true\n" });
});

test("the table of formats has all of them", () => {
  const rows = readTable(text, "## Formats");
  expect(rows.map(([format]) => format)).toEqual([...SOUND_FORMATS]);
  expect(text).toContain(`\`kbps\` ${KBPS[0]} to ${KBPS.at(-1)}`);
});

test("the table of tags has the names in the files", () => {
  const rows = readTable(text, "## Tags");
  const keys = rows.map(([key = ""]) => key.replace("model's name", "model"));
  const tagging = Object.fromEntries(keys.map((key) => [key, key]));
  for (const [column, fields] of [vorbisFields, id3Fields, riffFields].entries()) {
    const names = fields(tagging).map(([name, key]) => [key, name]);
    const cells = rows.map((row, i) => [keys[i], row[column + 1]]).filter(([, cell]) => cell);
    expect(names.sort()).toEqual(cells.sort());
  }
});
