/** Files in the kernel's caches are read on the caller's thread, and the event loop still turns. */
import { copyFileSync, existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { parseModel } from "../../lib/format/schema.js";
import { loadModel, readMetadata } from "../../lib/index.js";
import { checkpointAddon } from "../../lib/native/load.js";
import { load } from "../../lib/torch/index.js";
import { corpus, corpusFile } from "../support/corpus.js";
import { fixture } from "../support/fixtures.js";
import { temporaryFolder } from "../support/folder.js";
import { engineBuilt } from "../support/native.js";

const folders = [fixture("models"), ...(corpus === null ? [] : [corpusFile("models")])];
const models = folders.flatMap((folder) =>
  readdirSync(folder)
    .filter((name) => name.endsWith(".sda"))
    .map((name) => join(folder, name)),
);
const model = models[0] as string;

/** Counts the turns of the event loop during `work`. */
async function turnsDuring(work: () => Promise<void>): Promise<number> {
  let turns = 0;
  let done = false;
  const count = () => {
    if (done) return;
    turns++;
    setImmediate(count);
  };
  setImmediate(count);
  await work();
  done = true;
  return turns;
}

const METADATA = {
  verify: true,
  weights: false,
  unknownGlobals: "reject",
  only: ["metadata"],
} as const;

describe("readAtOnce", () => {
  it("gives what read gives, when the file is in the cache", async () => {
    const addon = checkpointAddon();
    for (const path of models) {
      const options = { ...METADATA, only: [...METADATA.only] };
      const read = await addon.read(path, options);
      // undefined where the system cannot tell what would wait, and for the legacy container.
      const atOnce = addon.readAtOnce(path, options);
      if (atOnce !== undefined) expect(atOnce).toEqual(read);
    }
  });

  it("leaves to read what is missing, no file or no torch file", () => {
    const folder = temporaryFolder();
    const options = { ...METADATA, only: [...METADATA.only] };
    for (const path of [join(folder, "missing.sda"), folder, import.meta.filename])
      expect(checkpointAddon().readAtOnce(path, options)).toBeUndefined();
  });

  it("lets the event loop turn between two files", async () => {
    const turns = await turnsDuring(async () => {
      for (let i = 0; i < 50; i++) await readMetadata(model);
    });
    expect(turns).toBeGreaterThanOrEqual(49);
  });

  it.skipIf(!existsSync("/dev/shm"))("reads files of a file system that always waits", async () => {
    const copy = join(temporaryFolder("/dev/shm"), "copy.sda");
    copyFileSync(model, copy);
    expect(await readMetadata(copy)).toEqual(await readMetadata(model));
  });
});

describe.skipIf(!engineBuilt)("loadModel of a mapped file", () => {
  it.each(models)("understands %s as torch.load does", async (path) => {
    const expected = parseModel(await load(path, { weights: false }), path);
    const loaded = await loadModel(path, { verify: false, device: "cpu" });
    expect(loaded.metadata).toEqual(expected.metadata);
    expect(loaded.trainingConfig).toEqual(expected.trainingConfig);
    expect(loaded.analysis).toEqual(expected.analysis);
    await loaded.disposeAsync();
  });

  it("does many at a time, and lets the event loop turn between some", async () => {
    const together = await Promise.all(
      Array.from({ length: 20 }, () => loadModel(model, { verify: false })),
    );
    expect(new Set(together.map((loaded) => loaded.metadata.modelId)).size).toBe(1);
    await Promise.all(together.map((loaded) => loaded.disposeAsync()));
    const turns = await turnsDuring(async () => {
      for (let i = 0; i < 50; i++) (await loadModel(model, { verify: false })).dispose();
    });
    expect(turns).toBeGreaterThanOrEqual(49);
  });
});
