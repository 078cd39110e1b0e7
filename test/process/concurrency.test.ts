/** Many processes change one library at once: each acknowledged change is there, and complete. */
import { spawn } from "node:child_process";
import { copyFileSync, readdirSync } from "node:fs";
import { join, resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { expect, test } from "vitest";
import { describeModel, ModelLibrary, readMetadata } from "../../lib/index.js";
import { compiled } from "../support/compiled.js";
import { count } from "../support/effort.js";
import { temporaryFolder } from "../support/folder.js";

const WRITERS = 8;
const MODELS = count({ quick: 6, full: 50 });

function start(folder: string, name: string, count: number) {
  const script = fileURLToPath(new URL("concurrency-child.mjs", import.meta.url));
  const args = [
    script,
    pathToFileURL(compiled("lib")).href,
    folder,
    resolve("test/fixtures"),
    name,
    String(count),
  ];
  const child = spawn(process.execPath, args, { stdio: ["pipe", "pipe", "pipe"] });
  let stdout = "";
  let stderr = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    stderr += text;
  });
  const ended = new Promise<string[]>((done) => {
    child.on("close", (code, signal) => {
      expect({ code, signal, stderr }).toEqual({ code: 0, signal: null, stderr: "" });
      done(stdout.split("\n")[1]?.split(" ") ?? []);
    });
  });
  return { child, ended };
}

test(`${WRITERS} processes save, edit and delete, one reads`, { timeout: 300_000 }, async () => {
  const folder = temporaryFolder();
  copyFileSync("test/fixtures/models/tiny.sda", join(folder, "first.sda"));
  await (await ModelLibrary.open(folder)).repairIndex();

  const reader = start(folder, "reader", 0);
  const writers = Array.from({ length: WRITERS }, (_, i) => start(folder, `writer${i}`, MODELS));
  const kept = (await Promise.all(writers.map(({ ended }) => ended))).flat();
  reader.child.stdin.end();
  expect(Number((await reader.ended)[0])).toBeGreaterThan(10);

  const library = await ModelLibrary.open(folder);
  expect(kept).toHaveLength((WRITERS * MODELS) / 2);
  const found = library.listAll().filter((e) => e.filePath !== "first.sda");
  expect(new Set(found.map((e) => e.modelId))).toEqual(new Set(kept));
  for (const entry of found) {
    const { modelId, description } = await readMetadata(join(folder, entry.filePath));
    const expected = `of ${entry.modelId}`;
    expect([modelId, description, entry.description]).toEqual([entry.modelId, expected, expected]);
  }
  // Four processes edited one field each of the shared model. No edit was overwritten.
  const [shared] = library.listAll().filter((e) => e.filePath === "first.sda");
  const last = (writer: number) => `writer${writer}-${MODELS - 2}`;
  const edits = { name: last(0), description: last(1), tags: [last(2)] };
  expect(shared).toMatchObject(edits);
  const { metadata, sliders } = await describeModel(join(folder, "first.sda"));
  expect(metadata).toMatchObject(edits);
  expect(sliders[0]?.label).toBe(last(3));
  expect(await library.repairIndex()).toEqual({
    removed: 0,
    added: 0,
    updated: 0,
    unreadable: [],
  });
  const files = readdirSync(folder).filter((name) => !/^\.?model_library/.test(name));
  expect(files).toHaveLength(kept.length + 1);
});
