/** The examples of doc/guide.md run as they are, with the built package. */
import { spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { engineBuilt } from "../support/native.js";
import { fixture, readText, root } from "./tables.js";
import { codeBlocks, workplace } from "./workplace.js";

const guide = readText("doc/guide.md");
const examples = codeBlocks(guide);
const [encode, library] = examples as [string, string];

function run(code: string, prepare: (folder: string) => void) {
  const folder = workplace();
  prepare(folder);
  writeFileSync(join(folder, "code.mjs"), code);
  return spawnSync(process.execPath, ["code.mjs"], { cwd: folder, encoding: "utf8" });
}

test("it has these examples", () => expect(examples).toHaveLength(2));

describe.skipIf(!existsSync(join(root, "dist/index.js")))("doc/guide.md", () => {
  test.skipIf(!engineBuilt)("encodes a recording and decodes it again", () => {
    const given =
      "const recording = Float32Array.from({ length: 48000 }, (_, i) => Math.sin(i / 9));\n";
    const told =
      "console.log(mu.shape.length, back.shape.length, back.data.every(Number.isFinite));\n";
    const ended = run(given + encode + told, (folder) =>
      cpSync(join(root, "assets/models/synthetic-plucks.sda"), join(folder, "pads.sda")),
    );
    expect(ended).toMatchObject({ status: 0, stderr: "", stdout: "2 3 true\n" });
  });

  test("keeps a library", () => {
    const ended = run(library, (folder) => {
      mkdirSync(join(folder, "data/models"), { recursive: true });
      cpSync(fixture("checkpoints/tiny.pt"), join(folder, "checkpoint.pt"));
    });
    expect(ended).toMatchObject({ status: 0, stderr: "", stdout: "[ 'Pads' ] false\n" });
  });
});
