/** Files in the kernel's caches are read on the caller's thread, and the event loop still turns. */
import { copyFileSync, existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { afterEach, describe, expect, it, vi } from "vitest";
import { parseModel } from "../../lib/format/schema.js";
import { loadModel, readMetadata } from "../../lib/index.js";
import { checkpointAddon } from "../../lib/native/load.js";
import { engineAddon } from "../../lib/native/load-engine.js";
import { readNow } from "../../lib/native/read-values.js";
import { load } from "../../lib/torch/index.js";
import { corpus, corpusFile } from "../support/corpus.js";
import { fixture } from "../support/fixtures.js";
import { temporaryFolder } from "../support/folder.js";
import { engineBuilt } from "../support/native.js";
import { turnsDuring } from "../support/turns.js";

const folders = [fixture("models"), ...(corpus === null ? [] : [corpusFile("models")])];
const models = folders.flatMap((folder) =>
  readdirSync(folder)
    .filter((name) => name.endsWith(".sda"))
    .map((name) => join(folder, name)),
);
const model = models[0] as string;

const METADATA = {
  verify: true,
  weights: false,
  unknownGlobals: "reject",
  only: ["format", "version", "metadata"],
} as const;

describe("readAtOnce", () => {
  it("gives what read gives, when the file is in the cache", async () => {
    const addon = checkpointAddon();
    for (const path of models) {
      const options = { ...METADATA, only: [...METADATA.only] };
      const read = await addon.read(path, options);
      // undefined where the system cannot tell what would wait, and for the legacy container.
      const atOnce = addon.readAtOnce(path, options);
      if (atOnce !== undefined) expect(readNow(addon, atOnce)).toEqual(readNow(addon, read));
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

// On kernels and file systems that cannot tell whether a read would wait, outlineAtOnce always
// returns undefined. Both outcomes are forced here, so that they are tested on every system.
describe("readMetadata", () => {
  afterEach(() => vi.restoreAllMocks());

  it.each(models)(
    "reads %s on another thread where reading at once is impossible",
    async (path) => {
      const addon = checkpointAddon();
      const { metadata, generation, vocoder } = parseModel(
        await load(path, { weights: false }),
        path,
      );
      const atOnce = vi.spyOn(addon, "outlineAtOnce").mockReturnValue(undefined);
      const read = vi.spyOn(addon, "outline");
      const expected = { ...metadata, generation: generation.name, vocoder };
      expect(await readMetadata(path)).toEqual(expected);
      expect([atOnce.mock.calls.length, read.mock.calls.length]).toEqual([1, 1]);
    },
  );

  it("does not read a second time where reading at once succeeds", async () => {
    const addon = checkpointAddon();
    const expected = await readMetadata(model);
    const outline = await addon.outline(model, [...METADATA.only]);
    const atOnce = vi.spyOn(addon, "outlineAtOnce").mockReturnValue(outline);
    const read = vi.spyOn(addon, "outline");
    expect(await readMetadata(model)).toEqual(expected);
    expect([atOnce.mock.calls.length, read.mock.calls.length]).toEqual([1, 0]);
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

  it("opens it on another thread where reading at once is impossible", async () => {
    const addon = engineAddon();
    const { metadata } = parseModel(await load(model, { weights: false }), model);
    const atOnce = vi.spyOn(addon, "openAtOnce").mockReturnValue(undefined);
    const open = vi.spyOn(addon, "open");
    const loaded = await loadModel(model, { verify: false, device: "cpu" });
    expect(loaded.metadata).toEqual(metadata);
    expect([atOnce.mock.calls.length, open.mock.calls.length]).toEqual([1, 1]);
    vi.restoreAllMocks();
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
