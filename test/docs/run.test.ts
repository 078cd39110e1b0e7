/** The ```js of the guides runs as it stands, from the built package, beside a model pads.sda. */
import { spawnSync } from "node:child_process";
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { temporaryFolder } from "../support/folder.js";
import { engineBuilt } from "../support/native.js";
import { fixture, readText, root } from "./tables.js";

function workplace(): string {
  const folder = temporaryFolder();
  mkdirSync(join(folder, "node_modules"));
  symlinkSync(root, join(folder, "node_modules/small-dataset-audio"), "dir");
  cpSync(fixture("models/tiny.sda"), join(folder, "pads.sda"));
  return folder;
}

function runIn(folder: string, code: string) {
  writeFileSync(join(folder, "code.mjs"), code);
  return spawnSync(process.execPath, ["code.mjs"], { cwd: folder, encoding: "utf8" });
}

const blocks = (name: string) =>
  [...readText(name).matchAll(/^```js\n(.*?)^```$/gms)].map(([, code]) => code as string);

const built = existsSync(join(root, "dist/index.js"));

describe.skipIf(!built || !engineBuilt)("serving.md", () => {
  const [cache, stream, limits, ...others] = blocks("doc/serving.md") as [string, string, string];

  test("has these snippets", () => expect(others).toEqual([]));

  test("a cache", () => {
    const ended = runIn(workplace(), cache);
    expect(ended).toMatchObject({ status: 0, stderr: "" });
    expect(ended.stdout).toMatch(/^(1\.\d+|2) 1 \d{5,}\n$/);
  });

  test("a stream into a file, and one that is left", { timeout: 60_000 }, () => {
    const folder = workplace();
    expect(runIn(folder, stream)).toMatchObject({ status: 0, stdout: "", stderr: "" });
    // 24 bits at 48 kHz, and as long as the model's chunks make it
    expect(statSync(join(folder, "pads.wav")).size / (3 * 48_000)).toBeGreaterThan(25);
    const leaving = stream.replace("const out =", 'left.abort(new Error("left"));\nconst out =');
    const ended = runIn(folder, leaving);
    expect(ended.status).toBe(1);
    expect(ended.stderr).toContain("Error: left");
  });

  test("limits, which worker threads share", () => {
    const worker = `
import { Worker } from "node:worker_threads";
new Worker(\`
import("small-dataset-audio").then(({ configureEngine }) => console.log(JSON.stringify(configureEngine())));
\`, { eval: true });`;
    const ended = runIn(workplace(), limits + worker);
    expect(ended).toMatchObject({ status: 0, stderr: "" });
    expect(ended.stdout).toBe('4 32\n{"threads":4,"maxRequests":32}\n');
    const numbers = /`threads` is 1 to 64, .*`maxRequests` is 1 to 100,000/s;
    expect(readText("doc/serving.md")).toMatch(numbers);
  });

  test("a model can't be sent to another thread", () => {
    const code = `
import { loadModel } from "small-dataset-audio";
const model = await loadModel("pads.sda");
const sent = structuredClone(model);
console.log(typeof sent.generate, typeof sent.dispose);
model.dispose();`;
    expect(runIn(workplace(), code)).toMatchObject({ status: 0, stdout: "undefined undefined\n" });
  });
});

describe.skipIf(!built)("migration.md", () => {
  test("reads a file, and metadata alone", () => {
    const codes = blocks("doc/migration.md");
    const folder = workplace();
    const outputs = codes.map((code) => {
      const ended = runIn(folder, code);
      expect(ended).toMatchObject({ status: 0, stderr: "" });
      return ended.stdout;
    });
    expect(outputs).toEqual(["Tiny 3\n", expect.stringMatching(/^Tiny [0-9a-f-]{36}\n$/)]);
    expect(readdirSync(folder).sort()).toEqual(["code.mjs", "node_modules", "pads.sda"]);
  });
});
