/** Writes of a library that is open: no other program reads the index, nothing is read twice. */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { describe, expect, it } from "vitest";
import {
  addModelFile,
  deleteModel,
  importModel,
  loadModel,
  ModelLibrary,
  readMetadata,
  saveModel,
  saveModelFromCheckpoint,
  updateModel,
  verifyFile,
} from "../../../lib/index.js";
import { checkpointAddon } from "../../../lib/native/load.js";
import { load } from "../../../lib/torch/index.js";
import type { Tensor } from "../../../lib/values/values.js";
import { sdaError } from "../../support/errors.js";
import { fixture } from "../../support/fixtures.js";
import { temporaryFolder } from "../../support/folder.js";
import { engineBuilt } from "../../support/native.js";

const TINY = fixture("models/tiny.sda");
const CHECKPOINT = fixture("checkpoints/tiny.pt");

async function openLibrary() {
  const folder = temporaryFolder();
  return { folder, library: await ModelLibrary.open(folder) };
}

/** What is on disk, as another process sees it. */
const onDisk = async (folder: string) => (await ModelLibrary.open(folder)).listAll();

/** How often the index is read while `f` runs. */
async function indexReads(f: () => Promise<unknown>): Promise<number> {
  const addon = checkpointAddon() as { readIndex: (path: string) => Promise<unknown> };
  const original = addon.readIndex;
  let reads = 0;
  addon.readIndex = (path) => {
    reads++;
    return original.call(addon, path);
  };
  try {
    await f();
  } finally {
    addon.readIndex = original;
  }
  return reads;
}

describe("an open library", () => {
  it("imports a model file, and knows it at once", async () => {
    const { folder, library } = await openLibrary();
    const entry = await library.import(TINY, { metadata: { name: "Kitchen" } });
    expect(library.get(entry.modelId)).toEqual(entry);
    expect(await onDisk(folder)).toEqual([entry]);
    expect(entry).toMatchObject({ name: "Kitchen", filePath: "kitchen.sda" });
    expect(await verifyFile(join(folder, entry.filePath))).toMatchObject({ ok: true });
  });

  it("imports a checkpoint, by URL", async () => {
    const { folder, library } = await openLibrary();
    const entry = await library.import(pathToFileURL(CHECKPOINT), { metadata: { name: "Pads" } });
    expect(await onDisk(folder)).toEqual([entry]);
    expect((await load(join(folder, entry.filePath))) as Map<string, unknown>).toSatisfy(
      (top: Map<string, unknown>) => top.get("format") === "sda_model",
    );
  });

  it("gives an imported model another id when the library has its own", async () => {
    const { library } = await openLibrary();
    const ids = [await library.import(TINY), await library.import(TINY)].map((e) => e.modelId);
    expect(ids[0]).toBe((await readMetadata(TINY)).modelId);
    expect(ids[1]).not.toBe(ids[0]);
    const metadata = { modelId: ids[1] as string };
    const error = await sdaError(() => library.import(TINY, { metadata }));
    expect(error.details?.["option"]).toBe("metadata.modelId");
    expect(library.count()).toBe(2);
  });

  it("saves weights, and replaces the entry with the same id", async () => {
    const { folder, library } = await openLibrary();
    const top = (await load(TINY)) as Map<string, unknown>;
    const stateDict = top.get("model_state_dict") as Map<string, Tensor>;
    const latentDim = top.get("latent_dim") as number;
    const spectrogramConfig = { sampleRate: 8000, nFft: 256, hopLength: 64, nMels: 32 };
    const { spectrogramConfig: own } = await import("../../../lib/index.js").then((sda) =>
      sda.describeModel(TINY),
    );
    const metadata = { name: "Weights", modelId: "w" };
    const source = { stateDict, latentDim };
    const first = await library.save(source, { spectrogramConfig: own, metadata });
    const second = await library.save(source, {
      spectrogramConfig: own,
      metadata: { ...metadata, name: "Weights again" },
    });
    expect([first.filePath, second.filePath]).toEqual(["weights.sda", "weights_again.sda"]);
    expect(await onDisk(folder)).toEqual([second]);
    const misfit = await sdaError(() => library.save(source, { spectrogramConfig }));
    expect(misfit.code).toBe("ERR_SDA_ARGUMENT");
  });

  it.skipIf(!engineBuilt)("saves a loaded model", async () => {
    const { folder, library } = await openLibrary();
    using model = await loadModel(TINY);
    const entry = await library.save(model, { metadata: { name: "Copy" } });
    expect(await onDisk(folder)).toEqual([entry]);
    const other = await saveModel(model, pathToFileURL(`${folder}/`), { metadata: { name: "B" } });
    expect(other).toBe(join(folder, "b.sda"));
  });

  it("refuses what is no model", async () => {
    const { library } = await openLibrary();
    for (const source of [null, {}, "x", { stateDict: {} }]) {
      const error = await sdaError(() => library.save(source as never));
      expect(error.code).toBe("ERR_SDA_ARGUMENT");
    }
  });

  it("updates file and entry", async () => {
    const { folder, library } = await openLibrary();
    const { modelId, filePath } = await library.import(TINY);
    const updated = await library.update(modelId, { name: "Warm Pads", tags: ["warm"] });
    expect(updated).toMatchObject({ name: "Warm Pads", tags: ["warm"], filePath });
    expect(library.get(modelId)).toEqual(updated);
    expect(await onDisk(folder)).toEqual([updated]);
    expect((await readMetadata(join(folder, filePath))).name).toBe("Warm Pads");
    expect((await sdaError(() => library.update("none", { name: "x" }))).code).toBe(
      "ERR_SDA_NOT_FOUND",
    );
  });

  it("deletes file and entry", async () => {
    const { folder, library } = await openLibrary();
    const { modelId, filePath } = await library.import(TINY);
    expect(await library.delete(modelId)).toBe(true);
    expect(await library.delete(modelId)).toBe(false);
    expect(existsSync(join(folder, filePath))).toBe(false);
    expect([library.count(), (await onDisk(folder)).length]).toEqual([0, 0]);
  });

  it("does not read its index again for a write", async () => {
    const { library } = await openLibrary();
    const { modelId } = await library.import(TINY);
    const reads = await indexReads(async () => {
      await library.import(CHECKPOINT);
      await library.update(modelId, { name: "Other" });
      await library.delete(modelId);
    });
    expect(reads).toBe(0);
  });

  it("reads its index once when another program has changed it, and loses nothing", async () => {
    const { folder, library } = await openLibrary();
    const theirs = await importModel(TINY, folder, { metadata: { name: "Theirs" } });
    let ours: unknown;
    const reads = await indexReads(async () => {
      ours = await library.import(CHECKPOINT, { metadata: { name: "Ours" } });
    });
    expect(reads).toBe(1);
    expect(library.count()).toBe(2);
    expect(new Set(await onDisk(folder))).toEqual(new Set([theirs, ours]));
  });

  it("makes many writes at once", async () => {
    const { folder, library } = await openLibrary();
    const names = [...Array(20).keys()].map((i) => `model ${i}`);
    const entries = await Promise.all(
      names.map((name) => library.import(TINY, { metadata: { name } })),
    );
    await Promise.all([
      ...entries.slice(0, 10).map(({ modelId }) => library.delete(modelId)),
      ...entries.slice(10).map(({ modelId }) => library.update(modelId, { tags: ["kept"] })),
    ]);
    const left = await onDisk(folder);
    expect(left.map(({ name }) => name).sort()).toEqual(names.slice(10).sort());
    expect(left.every(({ tags }) => tags[0] === "kept")).toBe(true);
  });

  it("leaves no file behind when the entry can't be written", async () => {
    const { folder, library } = await openLibrary();
    await library.import(TINY);
    const path = join(folder, "model_library.json");
    writeFileSync(path, readFileSync(path, "utf8").replace('"version": 1', '"version": 99'));
    const error = await sdaError(() => library.import(CHECKPOINT, { metadata: { name: "New" } }));
    expect(error.code).toBe("ERR_SDA_VERSION");
    expect(existsSync(join(folder, "new.sda"))).toBe(false);
  });

  it("stops an import by its signal", async () => {
    const { folder, library } = await openLibrary();
    const reason = new Error("enough");
    const signal = AbortSignal.abort(reason);
    await expect(library.import(TINY, { signal })).rejects.toBe(reason);
    await expect(library.update("x", { name: "y" }, { signal })).rejects.toThrow();
    expect(await onDisk(folder)).toEqual([]);
  });

  it("makes its folder on request only", async () => {
    const folder = join(temporaryFolder(), "new/folder");
    expect((await sdaError(() => ModelLibrary.open(folder))).code).toBe("ERR_SDA_NOT_FOUND");
    const library = await ModelLibrary.open(folder, { create: true });
    await library.import(TINY);
    expect((await onDisk(folder)).length).toBe(1);
  });
});

describe("the free functions", () => {
  it("take URLs for files and folders", async () => {
    const folder = temporaryFolder();
    const url = pathToFileURL(`${folder}/`);
    const { modelId } = await importModel(pathToFileURL(TINY), url);
    await addModelFile(pathToFileURL(TINY), url);
    await saveModelFromCheckpoint(pathToFileURL(CHECKPOINT), url, { metadata: { name: "P" } });
    await updateModel(modelId, { name: "Q" }, url);
    expect(await deleteModel(modelId, url)).toBe(true);
    expect(await onDisk(folder)).toHaveLength(2);
  });

  it("take the order of arguments of version 0.1", async () => {
    const folder = temporaryFolder();
    const path = await saveModelFromCheckpoint(CHECKPOINT, { name: "Old order" }, folder);
    expect(path).toBe(join(folder, "old_order.sda"));
    const [entry] = await onDisk(folder);
    const updated = await updateModel(entry?.modelId ?? "", folder, { name: "Older" });
    expect(updated.name).toBe("Older");
  });
});
