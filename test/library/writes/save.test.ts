import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { completeMetadata, pythonIsoDate } from "../../../lib/format/file-content.js";
import {
  type LoadedModel,
  loadModel,
  ModelLibrary,
  readMetadata,
  saveModel,
  saveModelFromCheckpoint,
  type Tensor,
  verifyFile,
} from "../../../lib/index.js";
import { encode } from "../../../lib/torch/encode.js";
import { load, OrderedDict, PyObject, save } from "../../../lib/torch/index.js";
import { corpus, corpusFile } from "../../support/corpus.js";
import { sdaError } from "../../support/errors.js";
import { fixture } from "../../support/fixtures.js";
import { temporaryFolder } from "../../support/folder.js";
import { engineBuilt } from "../../support/native.js";

type Dict = Map<string, unknown>;

const UUID4 = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
const DATE = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{6})?\+00:00$/;
const KEYS = [
  "format",
  "version",
  "model_state_dict",
  "latent_dim",
  "spectrogram_config",
  "latent_analysis",
  "training_config",
  "metadata",
];
const FIELDS = [
  "model_id",
  "name",
  "description",
  "dataset_name",
  "dataset_file_count",
  "dataset_total_duration_s",
  "training_date",
  "save_date",
  "training_epochs",
  "final_train_loss",
  "final_val_loss",
  "tags",
  "has_analysis",
  "n_active_components",
];

const content = async (path: string) => (await load(path)) as Dict;

function expectCarried(copy: Dict, original: Dict): void {
  for (const key of ["spectrogram_config", "latent_analysis", "training_config"]) {
    expect(encode(copy.get(key)), key).toEqual(encode(original.get(key)));
  }
  const [a, b] = [copy, original].map((dict) => dict.get("model_state_dict") as OrderedDict);
  expect([...(a as OrderedDict).keys()]).toEqual([...(b as OrderedDict).keys()]);
  expect(a?.attributes).toEqual(b?.attributes);
  for (const [name, tensor] of a as Map<string, Tensor>) {
    const expected = (b as Map<string, Tensor>).get(name) as Tensor;
    const bytes = ({ data }: Tensor) =>
      Buffer.from(data.buffer as ArrayBuffer, data.byteOffset, data.byteLength);
    expect([tensor.dtype, tensor.shape]).toEqual([expected.dtype, expected.shape]);
    expect(bytes(tensor).equals(bytes(expected)), name).toBe(true);
  }
}

describe("saveModel of tensors", () => {
  let original: Dict;
  let source: { stateDict: Map<string, Tensor>; latentDim: number };
  let spectrogramConfig: { sampleRate: number; nFft: number; hopLength: number; nMels: number };
  beforeAll(async () => {
    original = await content(fixture("models/tiny.sda"));
    const config = original.get("spectrogram_config") as Map<string, number>;
    const setting = (name: string) => config.get(name) as number;
    spectrogramConfig = {
      sampleRate: setting("sample_rate"),
      nFft: setting("n_fft"),
      hopLength: setting("hop_length"),
      nMels: setting("n_mels"),
    };
    source = {
      stateDict: original.get("model_state_dict") as Map<string, Tensor>,
      latentDim: original.get("latent_dim") as number,
    };
  });

  it("writes the dict of the format, in its order and types", async () => {
    const modelsDir = join(temporaryFolder(), "new", "models");
    const metadata = { name: "My Model", tags: ["a"], trainingEpochs: 3, finalTrainLoss: 1 };
    const path = await saveModel(source, { modelsDir, metadata, spectrogramConfig });
    expect(basename(path)).toBe("my_model.sda");
    const saved = await content(path);
    expect([...saved.keys()]).toEqual(KEYS);
    expect([...(saved.get("metadata") as Dict).keys()]).toEqual(FIELDS);
    expect(saved.get("latent_analysis")).toBeNull();
    expect(saved.get("training_config")).toEqual(new Map());
    expect(saved.get("model_state_dict")).toBeInstanceOf(OrderedDict);
    const { modelId, saveDate, generation, ...rest } = await readMetadata(path);
    expect(generation).toBe("sda");
    expect(modelId).toMatch(UUID4);
    expect(saveDate).toMatch(DATE);
    expect(rest).toEqual({
      name: "My Model",
      description: "",
      datasetName: "",
      datasetFileCount: 0,
      datasetTotalDurationS: 0,
      trainingDate: "",
      trainingEpochs: 3,
      finalTrainLoss: 1,
      finalValLoss: 0,
      tags: ["a"],
      hasAnalysis: false,
      nActiveComponents: 0,
      vocoder: null,
    });
    const library = await ModelLibrary.open(modelsDir);
    expect(library.listAll()).toEqual([
      { ...rest, modelId, saveDate, filePath: "my_model.sda", fileSizeBytes: statSync(path).size },
    ]);
  });

  it("gives each model of the same name its own file", async () => {
    const modelsDir = temporaryFolder();
    const paths = await Promise.all(
      Array.from({ length: 8 }, () =>
        saveModel(source, { modelsDir, metadata: { name: "Same" }, spectrogramConfig }),
      ),
    );
    expect(new Set(paths).size).toBe(8);
    const names = ["same.sda", ...[1, 2, 3, 4, 5, 6, 7].map((n) => `same_${n}.sda`)];
    expect(paths.map((path) => basename(path)).sort()).toEqual(names.sort());
    expect((await ModelLibrary.open(modelsDir)).count()).toBe(8);
    for (const path of paths) expect((await verifyFile(path)).ok).toBe(true);
  });

  it("never replaces a file, whatever it is", async () => {
    const modelsDir = temporaryFolder();
    writeFileSync(join(modelsDir, "untitled_model.sda"), "not ours");
    const path = await saveModel(source, { modelsDir, spectrogramConfig });
    expect(basename(path)).toBe("untitled_model_1.sda");
  });

  it("refuses a model that could not be loaded", async () => {
    const modelsDir = temporaryFolder();
    const refused = async (
      change: Partial<typeof source>,
      options: Record<string, unknown> = {},
    ) => {
      const value = { ...source, ...change };
      return sdaError(() => saveModel(value, { modelsDir, spectrogramConfig, ...options }));
    };
    const less = new Map(source.stateDict);
    less.delete("decoder.fc.bias");
    const more = new Map(source.stateDict).set("extra", less.get("decoder.fc.weight") as Tensor);
    for (const [change, tensor] of [
      [{ stateDict: less }, "decoder.fc.bias"],
      [{ stateDict: more }, "extra"],
      [{ latentDim: source.latentDim + 1 }, "encoder.fc_mu.weight"],
    ] as const) {
      const error = await refused(change);
      expect(error.code).toBe("ERR_SDA_ARGUMENT");
      expect(error.details?.["tensor"]).toBe(tensor);
    }
    for (const options of [
      { metadata: { nmae: "x" } },
      { metadata: { tags: "a" } },
      { metadata: { trainingEpochs: 0.5 } },
      { spectrogramConfig: { nmels: 3 } },
      { analysis: 5 },
      { trainingConfig: { when: new Date() } },
      { modelsDir: "" },
    ]) {
      expect((await refused({}, options)).code, JSON.stringify(options)).toBe("ERR_SDA_ARGUMENT");
    }
    expect((await refused({}, { spectrogramConfig: { nFft: 7 } })).code).toBe("ERR_SDA_SCHEMA");
    expect(readdirSync(modelsDir)).toEqual([]);
  });
});

describe.skipIf(!engineBuilt)("saveModel of a loaded model", () => {
  const files = ["tiny.sda", "tiny-numpy1.sda", "tiny-legacy.sda", "tiny-decoder-only.sda"];

  describe.each(files.flatMap((f) => [true, false].map((verify) => [f, verify] as const)))(
    "%s, verify %s",
    (name, verify) => {
      let model: LoadedModel;
      beforeAll(async () => {
        model = await loadModel(fixture(`models/${name}`), { device: "cpu", verify });
      });
      afterAll(() => model?.disposeAsync());

      it("carries over what the file holds, value for value", async () => {
        const modelsDir = temporaryFolder();
        const path = await saveModel(model, { modelsDir, metadata: { description: "copy" } });
        expectCarried(await content(path), await content(fixture(`models/${name}`)));
        const { modelId, saveDate, ...rest } = await readMetadata(path);
        expect(modelId).not.toBe(model.metadata.modelId);
        expect(saveDate > model.metadata.saveDate).toBe(true);
        const { modelId: _, saveDate: __, ...before } = model.metadata;
        const nActiveComponents = model.analysis?.nActiveComponents ?? 0;
        const hasAnalysis = model.analysis !== null;
        expect(rest).toEqual({
          ...before,
          description: "copy",
          hasAnalysis,
          nActiveComponents,
          generation: "sda",
          vocoder: null,
        });
        (await loadModel(path, { device: "cpu" })).dispose();
      });

      it("writes given values instead", async () => {
        const modelsDir = temporaryFolder();
        const path = await saveModel(model, {
          modelsDir,
          analysis: null,
          trainingConfig: { rate: 0.5 },
          metadata: { modelId: "own", saveDate: "2026-01-02T03:04:05+00:00" },
          spectrogramConfig: { fMin: 10 },
        });
        const saved = await content(path);
        expect(saved.get("latent_analysis")).toBeNull();
        expect(saved.get("training_config")).toEqual(new Map([["rate", 0.5]]));
        expect((saved.get("spectrogram_config") as Dict).get("f_min")).toBe(10);
        const found = await readMetadata(path);
        expect(found).toMatchObject({ modelId: "own", hasAnalysis: false, nActiveComponents: 0 });
        expect(found.saveDate).toBe("2026-01-02T03:04:05+00:00");
        const misfit = { modelsDir, spectrogramConfig: { nMels: 80 } };
        expect((await sdaError(() => saveModel(model, misfit))).code).toBe("ERR_SDA_ARGUMENT");
      });
    },
  );

  it("writes an analysis that it is given as numpy arrays", async () => {
    const model = await loadModel(fixture("models/tiny.sda"), { device: "cpu" });
    const path = await saveModel(model, { modelsDir: temporaryFolder(), analysis: model.analysis });
    const [a, b] = [await content(path), await content(fixture("models/tiny.sda"))].map(
      (dict) => dict.get("latent_analysis") as Dict,
    );
    expect(a).toEqual(b);
    model.dispose();
    const disposed = await sdaError(() => saveModel(model, { modelsDir: temporaryFolder() }));
    expect(disposed.code).toBe("ERR_SDA_DISPOSED");
  });
});

describe("saveModelFromCheckpoint", () => {
  const checkpoint = fixture("checkpoints/tiny.pt");

  it("keeps the model and leaves out the training state", async () => {
    const modelsDir = temporaryFolder();
    const path = await saveModelFromCheckpoint(checkpoint, { name: "From PT" }, modelsDir);
    expect(basename(path)).toBe("from_pt.sda");
    const [saved, original] = [await content(path), await content(checkpoint)];
    expect([...saved.keys()]).toEqual(KEYS);
    expectCarried(saved, original);
    expect((await verifyFile(path)).ok).toBe(true);
    const analysis = original.get("latent_analysis") as Dict | null;
    expect(await readMetadata(path)).toMatchObject({
      name: "From PT",
      trainingEpochs: original.get("epoch"),
      finalTrainLoss: original.get("train_loss"),
      finalValLoss: original.get("val_loss"),
      hasAnalysis: analysis !== null,
      nActiveComponents: analysis?.get("n_active_components") ?? 0,
    });
    expect((await ModelLibrary.open(modelsDir)).count()).toBe(1);
  });

  it("prefers given metadata to the checkpoint's", async () => {
    const metadata = { trainingEpochs: 5, finalValLoss: 0.25 };
    const path = await saveModelFromCheckpoint(checkpoint, metadata, temporaryFolder());
    expect(await readMetadata(path)).toMatchObject(metadata);
  });

  it.skipIf(corpus === null)("is a third of the size of the corpus's checkpoint", async () => {
    const file = corpusFile("checkpoints", "checkpoint_epoch0200.pt");
    const path = await saveModelFromCheckpoint(file, {}, temporaryFolder());
    const share = statSync(path).size / statSync(file).size;
    expect(share).toBeGreaterThan(0.3);
    expect(share).toBeLessThan(0.36);
    const config = (await content(path)).get("training_config") as Dict;
    expect(config.get("preset")).toBeInstanceOf(PyObject);
  });

  it("accepts a checkpoint that this package wrote", async () => {
    const original = await content(checkpoint);
    const again = join(temporaryFolder(), "again.pt");
    await save(original, again);
    const path = await saveModelFromCheckpoint(again, {}, temporaryFolder());
    expectCarried(await content(path), original);
  });

  it("finds damage in the weights, and leaves no file", async () => {
    const folder = temporaryFolder();
    const original = await content(checkpoint);
    const broken = join(folder, "broken.pt");
    await save(original, broken);
    const bytes = readFileSync(broken);
    const weight = (original.get("model_state_dict") as Map<string, Tensor>).get(
      "decoder.deconvs.0.bias",
    );
    const { data } = weight as Tensor;
    const needle = Buffer.from(data.buffer as ArrayBuffer, data.byteOffset, 64);
    expect(bytes.indexOf(needle)).toBeGreaterThan(0);
    const at = bytes.indexOf(needle) + 5;
    bytes[at] = (bytes[at] as number) ^ 1;
    writeFileSync(broken, bytes);
    const modelsDir = join(folder, "models");
    const error = await sdaError(() => saveModelFromCheckpoint(broken, {}, modelsDir));
    expect(error.code).toBe("ERR_SDA_CORRUPT");
    expect(readdirSync(modelsDir)).toEqual([]);
  });

  it("refuses what is not a training checkpoint", async () => {
    const modelsDir = temporaryFolder();
    const refused = (file: string) =>
      sdaError(() => saveModelFromCheckpoint(file, {}, modelsDir)).then(({ code }) => code);
    expect(await refused(fixture("models/tiny.sda"))).toBe("ERR_SDA_FORMAT");
    expect(await refused(fixture("torch/dtypes.pt"))).toBe("ERR_SDA_FORMAT");
    expect(await refused(join(modelsDir, "missing.pt"))).toBe("ERR_SDA_NOT_FOUND");
    expect(await refused(fixture("torch/module.pt"))).toBe("ERR_SDA_UNSAFE");
    const changed = async (change: (dict: Dict) => void) => {
      const dict = await content(checkpoint);
      change(dict);
      const file = join(temporaryFolder(), "changed.pt");
      await save(dict, file);
      return refused(file);
    };
    expect(await changed((dict) => dict.set("version", 2))).toBe("ERR_SDA_VERSION");
    expect(await changed((dict) => dict.set("epoch", "two"))).toBe("ERR_SDA_SCHEMA");
    const config = (dict: Dict) => dict.get("spectrogram_config") as Dict;
    expect(await changed((dict) => config(dict).set("n_mels", 80))).toBe("ERR_SDA_SCHEMA");
    const state = (dict: Dict) => dict.get("model_state_dict") as Dict;
    expect(await changed((dict) => state(dict).delete("decoder.fc.weight"))).toBe("ERR_SDA_SCHEMA");
    expect(await changed((dict) => state(dict).delete("decoder.fc.bias"))).toBe("ERR_SDA_SCHEMA");
    expect(readdirSync(modelsDir)).toEqual([]);
  });
});

describe("metadata", () => {
  it("has dates as Python prints them", () => {
    expect(pythonIsoDate(new Date(Date.UTC(2026, 1, 14, 1, 2, 3)))).toBe(
      "2026-02-14T01:02:03+00:00",
    );
    expect(pythonIsoDate(new Date(Date.UTC(2026, 1, 14, 1, 2, 3, 40)))).toBe(
      "2026-02-14T01:02:03.040000+00:00",
    );
  });

  it("gets a new id and date if the given ones are empty", () => {
    const completed = completeMetadata({ modelId: "", saveDate: "" }, { modelId: "old" }, null);
    expect(completed.modelId).toMatch(UUID4);
    expect(completed.saveDate).toMatch(DATE);
  });
});
