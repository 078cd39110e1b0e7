/** Adding files from elsewhere to a library. */
import { copyFileSync, existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import {
  addModelFile,
  deleteModel,
  describeModel,
  importModel,
  loadModel,
  ModelLibrary,
  readMetadata,
  verifyFile,
} from "../../../lib/index.js";
import { encode } from "../../../lib/torch/encode.js";
import { load, save } from "../../../lib/torch/index.js";
import { sdaError } from "../../support/errors.js";
import { fixture } from "../../support/fixtures.js";
import { temporaryFolder } from "../../support/folder.js";
import { engineBuilt } from "../../support/native.js";

type Dict = Map<string, unknown>;

const TINY = fixture("models/tiny.sda");
const UUID4 = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
const content = async (path: string) => (await load(path)) as Dict;
const filesIn = (folder: string) => readdirSync(folder).filter((name) => /sda/.test(name));

/** A changed copy of the tiny model. */
async function changed(change: (top: Dict) => void): Promise<string> {
  const top = await content(TINY);
  change(top);
  const path = join(temporaryFolder(), "upload.tmp");
  await save(top, path);
  return path;
}

describe("a model file", () => {
  it.each(["tiny", "tiny-bfloat16", "tiny-decoder-only", "tiny-legacy", "tiny-numpy1"])(
    "%s is added value for value, under its own id",
    async (name) => {
      const folder = join(temporaryFolder(), "new/folder");
      const original = fixture(`models/${name}.sda`);
      const entry = await addModelFile(original, folder);
      const path = join(folder, entry.filePath);
      const metadata = await readMetadata(original);
      const { filePath, fileSizeBytes, ...said } = { ...entry, generation: "sda" };
      // The metadata of an old file may be wrong about the analysis.
      const { analysis } = await describeModel(original);
      const nActiveComponents = analysis?.nActiveComponents ?? 0;
      expect(said).toEqual({ ...metadata, hasAnalysis: analysis !== null, nActiveComponents });
      expect(fileSizeBytes).toBe(readFileSync(path).length);
      expect((await ModelLibrary.open(folder)).listAll()).toEqual([entry]);
      expect(await verifyFile(path)).toMatchObject({ ok: true });
      const [copy, before] = [await content(path), await content(original)];
      for (const key of before.keys()) {
        if (key === "metadata") continue;
        expect(encode(copy.get(key)), key).toEqual(encode(before.get(key)));
      }
      expect([...copy.keys()]).toEqual([...before.keys()]);
    },
  );

  it("may get another name and description", async () => {
    const folder = temporaryFolder();
    const metadata = { name: "Küche", tags: ["new"], finalTrainLoss: 1, modelId: "my-id" };
    const entry = await addModelFile(TINY, folder, { metadata });
    expect(entry).toMatchObject({ ...metadata, filePath: "k_che.sda" });
    expect(await readMetadata(join(folder, "k_che.sda"))).toMatchObject(metadata);
    const again = await addModelFile(TINY, folder, { metadata: { name: "Küche" } });
    expect(again.filePath).toBe("k_che_1.sda");
  });

  it("gets another id if its own is taken or empty", async () => {
    const folder = temporaryFolder();
    const own = (await readMetadata(TINY)).modelId;
    const entries = await Promise.all([1, 2, 3, 4].map(() => addModelFile(TINY, folder)));
    const ids = entries.map(({ modelId }) => modelId);
    expect(new Set(ids).size).toBe(4);
    expect(ids.filter((id) => id === own)).toHaveLength(1);
    for (const { modelId, filePath } of entries) {
      if (modelId !== own) expect(modelId).toMatch(UUID4);
      expect((await readMetadata(join(folder, filePath))).modelId).toBe(modelId);
    }
    expect((await ModelLibrary.open(folder)).count()).toBe(4);
    expect(filesIn(folder)).toHaveLength(4);
    const nameless = await changed((top) => (top.get("metadata") as Dict).set("model_id", ""));
    expect((await addModelFile(nameless, folder)).modelId).toMatch(UUID4);
  });

  it("sounds the same after it is added", { skip: !engineBuilt }, async () => {
    const folder = temporaryFolder();
    const { filePath } = await addModelFile(TINY, folder);
    using original = await loadModel(TINY, { device: "cpu" });
    using copy = await loadModel(join(folder, filePath), { device: "cpu" });
    const request = { durationS: 0.5, seed: 3 };
    expect((await copy.generate(request)).audio).toEqual((await original.generate(request)).audio);
  });

  it("may be in the library already", async () => {
    const folder = temporaryFolder();
    const path = join(folder, "mine.sda");
    copyFileSync(TINY, path);
    const entry = await addModelFile(path, folder, { metadata: { name: "mine" } });
    expect(entry.filePath).toBe("mine_1.sda");
    await deleteModel(entry.modelId, folder);
    expect(filesIn(folder)).toEqual(["mine.sda"]);
  });
});

describe("refused, with the library unchanged", () => {
  const damaged = () => {
    const bytes = readFileSync(TINY);
    const at = bytes.length >> 1;
    bytes[at] = (bytes[at] as number) ^ 0xff;
    const path = join(temporaryFolder(), "damaged");
    writeFileSync(path, bytes);
    return path;
  };
  const written = (bytes: string | Uint8Array) => {
    const path = join(temporaryFolder(), "upload");
    writeFileSync(path, bytes);
    return path;
  };
  it.each<[string, () => string | Promise<string>, string]>([
    ["nothing", () => join(temporaryFolder(), "none"), "ERR_SDA_NOT_FOUND"],
    ["a checkpoint", () => fixture("checkpoints/tiny.pt"), "ERR_SDA_FORMAT"],
    ["HTML", () => written("<!doctype html><p>Not found"), "ERR_SDA_FORMAT"],
    ["an empty file", () => written(""), "ERR_SDA_FORMAT"],
    ["half a file", () => written(readFileSync(TINY).subarray(0, 20_000)), "ERR_SDA_CORRUPT"],
    ["damaged weights", damaged, "ERR_SDA_CORRUPT"],
    ["a newer version", () => changed((top) => top.set("version", 2)), "ERR_SDA_VERSION"],
    ["no weights", () => changed((top) => top.delete("model_state_dict")), "ERR_SDA_SCHEMA"],
    [
      "weights that are none",
      () => changed((top) => top.set("model_state_dict", 1)),
      "ERR_SDA_SCHEMA",
    ],
    [
      "a missing tensor",
      () => changed((top) => (top.get("model_state_dict") as Dict).delete("decoder.fc.bias")),
      "ERR_SDA_SCHEMA",
    ],
    ["another latent size", () => changed((top) => top.set("latent_dim", 5)), "ERR_SDA_SCHEMA"],
  ])("%s", async (_, make, code) => {
    const folder = temporaryFolder();
    const path = await make();
    expect((await sdaError(() => addModelFile(path, folder))).code).toBe(code);
    expect(filesIn(folder)).toEqual([]);
    expect(existsSync(join(folder, "model_library.json"))).toBe(false);
  });

  it("an id that is taken, and bad metadata", async () => {
    const folder = temporaryFolder();
    const { modelId } = await addModelFile(TINY, folder, { metadata: { modelId: "mine" } });
    for (const [metadata, option] of [
      [{ modelId }, "metadata.modelId"],
      [{ name: 1 }, "metadata.name"],
      [{ nome: "x" }, "metadata.nome"],
    ] as const) {
      for (const add of [addModelFile, importModel]) {
        const { code, details } = await sdaError(() =>
          add(TINY, folder, { metadata: metadata as object }),
        );
        expect([code, details?.["option"]]).toEqual(["ERR_SDA_ARGUMENT", option]);
      }
    }
    const { code } = await sdaError(() =>
      importModel(fixture("checkpoints/tiny.pt"), folder, { metadata: { modelId } }),
    );
    expect(code).toBe("ERR_SDA_ARGUMENT");
    expect(filesIn(folder)).toHaveLength(1);
  });

  it("an aborted call", async () => {
    const folder = temporaryFolder();
    const reason = new Error("enough");
    const signal = AbortSignal.abort(reason);
    await expect(addModelFile(TINY, folder, { signal })).rejects.toBe(reason);
    await expect(importModel(TINY, folder, { signal })).rejects.toBe(reason);
    expect(readdirSync(folder)).toEqual([]);
  });
});

describe("importModel", () => {
  it("recognises models and checkpoints by their content", async () => {
    const folder = temporaryFolder();
    const [model, checkpoint] = ["upload-1", "upload-2"].map((name) =>
      join(temporaryFolder(), name),
    ) as [string, string];
    copyFileSync(TINY, model);
    copyFileSync(fixture("checkpoints/tiny.pt"), checkpoint);
    const added = await importModel(model, folder);
    const converted = await importModel(checkpoint, folder, { metadata: { name: "Converted" } });
    expect(added.modelId).toBe((await readMetadata(TINY)).modelId);
    expect(converted.modelId).toMatch(UUID4);
    expect(converted).toMatchObject({ name: "Converted", filePath: "converted.sda" });
    const { sliders } = await describeModel(join(folder, converted.filePath));
    expect(sliders.length).toBeGreaterThan(0);
    expect((await ModelLibrary.open(folder)).listAll({ sortBy: "name" })).toEqual([
      added,
      converted,
    ]);
  });

  it("refuses other files", async () => {
    const path = join(temporaryFolder(), "other.pt");
    await save(new Map([["weights", 1]]), path);
    expect((await sdaError(() => importModel(path, temporaryFolder()))).code).toBe(
      "ERR_SDA_FORMAT",
    );
  });
});
