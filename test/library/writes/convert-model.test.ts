/** Conversion between the versions, against the rules of each version's own loader. */
import { readFileSync } from "node:fs";
import { basename, extname, join } from "node:path";
import { describe, expect, it } from "vitest";
import {
  convertModel,
  importModel,
  loadModel,
  ModelLibrary,
  readMetadata,
  saveModel,
  saveModelFromCheckpoint,
  Tensor,
  verifyFile,
} from "../../../lib/index.js";
import { load, type PyObject } from "../../../lib/torch/index.js";
import { corpus, corpusFile } from "../../support/corpus.js";
import { distill, distillFile } from "../../support/corpus-distill.js";
import { sdaError } from "../../support/errors.js";
import { temporaryFolder } from "../../support/folder.js";
import { engineBuilt } from "../../support/native.js";
import { runTorchPython, torchPython } from "../../support/python.js";
import { expectSameBits } from "../../support/sound.js";
import { warningsOf } from "../../support/warnings.js";

type Dict = Map<string, unknown>;
/**
 * Of a file with a cancelled training, whose tensors are a gigabyte of expanded zeros, no weights.
 */
const content = async (path: string) =>
  (await load(path, { weights: !path.endsWith("half_finished_wires.distillgan") })) as Dict;
const models = (name: string) => distillFile("models", name);
const presetModule = (dict: Dict) =>
  ((dict.get("training_config") as Dict).get("preset") as PyObject).module;

async function weights(path: string): Promise<Map<string, string>> {
  const dict = (await content(path)).get("model_state_dict") as Map<string, Tensor>;
  return new Map(
    [...dict].map(([name, { dtype, shape, data }]) => [
      name,
      `${dtype} ${shape} ${Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString("base64")}`,
    ]),
  );
}

describe.skipIf(distill === null)("convertModel", () => {
  it("carries a .distill file to .distillgan and back, weights bit for bit", async () => {
    const modelsDir = temporaryFolder();
    const from = models("copper_rain.distill");
    const gan = await convertModel(from, { to: "distillgan", modelsDir });
    expect(basename(gan)).toBe("copper_rain.distillgan");
    const dict = await content(gan);
    expect([dict.get("format"), dict.get("version")]).toEqual(["distillgan_model", 1]);
    expect([...dict.keys()]).toEqual([...(await content(from)).keys()]);
    expect(presetModule(dict)).toBe("distill.training.config");
    expect((await readMetadata(gan)).generation).toBe("distillgan");
    expect(await weights(gan)).toEqual(await weights(from));
    const back = await convertModel(gan, { to: "distill", modelsDir });
    expect((await readMetadata(back)).generation).toBe("distill-2");
    expect(await weights(back)).toEqual(await weights(from));
    const library = await ModelLibrary.open(modelsDir);
    const names = library.listAll().map(({ filePath }) => filePath);
    expect(names.sort()).toEqual(["copper_rain.distill", "copper_rain.distillgan"]);
    expect((await verifyFile(back)).ok).toBe(true);
  });

  it("adds a vocoder from another file, and leaves one out", async () => {
    const modelsDir = temporaryFolder();
    const vocoderFrom = models("half_finished_wires.distillgan");
    const from = models("copper_rain.distill");
    const path = await convertModel(from, { to: "distillgan", modelsDir, vocoderFrom });
    const { vocoder } = await readMetadata(path);
    expect(vocoder).toEqual((await readMetadata(vocoderFrom)).vocoder);
    const state = (await content(path)).get("vocoder_state") as Dict;
    expect([...state.keys()]).toEqual([
      "type",
      "generator_state_dict",
      "config",
      "training_metadata",
    ]);
    const without = await convertModel(path, { to: "distillgan", modelsDir, vocoder: false });
    expect((await readMetadata(without)).vocoder).toBeNull();
    expect((await content(without)).has("vocoder_state")).toBe(false);
    const dropped = await convertModel(path, { to: "distill", modelsDir });
    expect((await content(dropped)).has("vocoder_state")).toBe(false);
    if (!engineBuilt) return;
    const [a, b] = await Promise.all([loadModel(path), loadModel(vocoderFrom)]);
    const mel = new Tensor("float32", [1, 1, 128, 30], new Float32Array(128 * 30).fill(0.5));
    const [x, y] = await Promise.all(
      [a, b].map(async ({ spectrogram }) => (await spectrogram.melToWaveform(mel)).data),
    );
    expectSameBits(x as Float32Array, y as Float32Array);
    a.dispose();
    b.dispose();
  });

  it("carries an .sda file to the first Distill with a warning, and back", async () => {
    const modelsDir = temporaryFolder();
    const warnings = await warningsOf(async () => {
      const sda = await convertModel(models("tide_pool_early.distill"), { to: "sda", modelsDir });
      expect((await readMetadata(sda)).generation).toBe("sda");
      expect(presetModule(await content(sda))).toBe("small_dataset_audio.training.config");
      const back = await convertModel(sda, { to: "distill", modelsDir });
      expect((await readMetadata(back)).generation).toBe("distill-1");
      expect(presetModule(await content(back))).toBe("distill.training.config");
    });
    expect(warnings.map(({ code }) => code)).toContain("SDA_SOUNDS_DIFFERENT");
  });

  it.skipIf(corpus === null)("keeps what the corpus's .sda files hold", async () => {
    const modelsDir = temporaryFolder();
    const from = corpusFile("models/small.sda");
    const path = await convertModel(from, { to: "distill", modelsDir });
    const [a, b] = [await content(from), await content(path)];
    for (const key of ["spectrogram_config", "latent_analysis", "metadata", "latent_dim"])
      expect(b.get(key), key).toEqual(a.get(key));
  });

  it("refuses what would sound wrong, with the reason", async () => {
    const modelsDir = temporaryFolder();
    const refusal = async (name: string, to: never, more = {}) => {
      const error = await sdaError(() => convertModel(models(name), { to, modelsDir, ...more }));
      expect(error.code).toBe("ERR_SDA_ARGUMENT");
      return `${error.details?.["option"]}: ${error.message}`;
    };
    const to = (name: string) => name as never;
    expect(await refusal("tide_pool_early.distill", to("distillgan"))).toContain("sound wrong");
    expect(await refusal("copper_rain.distill", to("sda"))).toContain("sound wrong");
    expect(await refusal("copper_rain.distill", to("distill"))).toContain("already");
    expect(await refusal("phase_lattice.distill", to("distillgan"))).toContain("no other version");
    expect(await refusal("whispered_grid.distill", to("sda"))).toContain("no other version");
    expect(await refusal("copper_rain.distill", to("wav"))).toMatch(/^to: /);
    const vocoderFrom = models("copper_rain.distill");
    expect(await refusal("copper_rain.distill", to("distillgan"), { vocoderFrom })).toMatch(
      /^vocoderFrom: /,
    );
    expect(await refusal("glass_harbour.distillgan", to("distill"), { vocoderFrom })).toMatch(
      /^vocoderFrom: /,
    );
    const library = await ModelLibrary.open(modelsDir, { create: true });
    expect(library.count()).toBe(0);
  });
});

/**
 * v1.1's own rules (load_model): torch.load with only the package `distill` at hand, "format"
 * "distillgan_model", "version" 1 or less, and a decoder with these names.
 */
const V11_LOADER = `
import enum, json, sys, types
import torch
for name in ("distill", "distill.training", "distill.training.config"):
    sys.modules[name] = types.ModuleType(name)
class OverfittingPreset(enum.Enum):
    CONSERVATIVE = "conservative"
    BALANCED = "balanced"
    AGGRESSIVE = "aggressive"
sys.modules["distill.training.config"].OverfittingPreset = OverfittingPreset
OverfittingPreset.__module__ = "distill.training.config"
saved = torch.load(sys.argv[1], map_location="cpu", weights_only=False)
assert saved["format"] == "distillgan_model", saved["format"]
assert saved["version"] <= 1
assert isinstance(saved["training_config"]["preset"], OverfittingPreset)
assert type(saved["training_config"]["kl_weight_max"]) is float
vocoder = saved.get("vocoder_state")
if vocoder is not None:
    assert vocoder["type"] == "hifigan_v2"
    assert len(vocoder["generator_state_dict"]) == 234
weights = saved["model_state_dict"]
assert list(weights["decoder.deconvs.0.weight"].shape) == [256, 128, 3, 3]
print(json.dumps({"latent_dim": saved["latent_dim"], "keys": list(saved), "tensors": len(weights)}))
`;

it.skipIf(distill === null || torchPython === null)("v1.1's loader takes the result", async () => {
  const modelsDir = temporaryFolder();
  const options = { to: "distillgan", modelsDir } as const;
  const plain = await convertModel(models("copper_rain.distill"), options);
  const vocoderFrom = models("singing_wires.distillgan");
  const sung = await convertModel(models("copper_rain.distill"), { ...options, vocoderFrom });
  for (const path of [plain, sung]) {
    const told = JSON.parse(await runTorchPython(["-c", V11_LOADER, path]));
    expect(told).toMatchObject({ latent_dim: 16, tensors: 57 });
  }
});

const ALL = [
  "copper_rain.distill",
  "glass_harbour.distillgan",
  "half_finished_wires.distillgan",
  "phase_lattice.distill",
  "sand_codes.distill",
  "singing_wires.distillgan",
  "tide_pool_early.distill",
  "whispered_grid.distill",
];

describe.skipIf(distill === null).each(ALL)("%s", (name) => {
  it("is imported with everything in it", async () => {
    const modelsDir = temporaryFolder();
    const metadata = { name: "Another Name" };
    const entry = await importModel(models(name), modelsDir, { metadata });
    expect(entry.filePath).toBe(`another_name${extname(name)}`);
    const path = join(modelsDir, entry.filePath);
    const copy = (await load(path, { weights: !name.startsWith("half_finished") })) as Dict;
    const [a, b] = [await content(models(name)), copy];
    expect([...b.keys()]).toEqual([...a.keys()]);
    expect((b.get("metadata") as Dict).get("name")).toBe("Another Name");
    for (const key of a.keys()) {
      if (key !== "metadata") expect(b.get(key), key).toEqual(a.get(key));
    }
    expect((await readMetadata(join(modelsDir, entry.filePath))).generation).toBe(
      (await readMetadata(models(name))).generation,
    );
  });

  it.skipIf(!engineBuilt)("is saved by a loaded model, without a cancelled training", async () => {
    const modelsDir = temporaryFolder();
    const model = await loadModel(models(name));
    const path = await saveModel(model, modelsDir, { metadata: { name: "Copy" } });
    model.dispose();
    expect(basename(path)).toBe(`copy${extname(name)}`);
    const [a, b] = [await content(models(name)), await content(path)];
    expect([...b.keys()]).toEqual([...a.keys()]);
    const state = b.get("vocoder_state") as Dict | undefined;
    expect(state?.has("checkpoint") ?? false).toBe(false);
    if (!name.startsWith("half_finished")) {
      expect(b.get("model_state_dict")).toEqual(a.get("model_state_dict"));
    }
    const again = await loadModel(path);
    expect(again.metadata.name).toBe("Copy");
    again.dispose();
  });
});

describe.skipIf(distill === null)("training checkpoints", () => {
  const json = () => JSON.parse(readFileSync(distillFile("checkpoints/v1.1.json"), "utf8"));

  it("of v1.1, whose latent_dim stands only in its settings", async () => {
    const modelsDir = temporaryFolder();
    const path = await saveModelFromCheckpoint(
      distillFile("checkpoints/v1.1/checkpoint_epoch0002.pt"),
      modelsDir,
      { metadata: { name: "From v1.1" } },
    );
    expect(basename(path)).toBe("from_v1_1.distillgan");
    const dict = await content(path);
    expect(dict.get("latent_dim")).toBe(64);
    expect(presetModule(dict)).toBe("distill.training.config");
    const { trainingEpochs, hasAnalysis, generation } = await readMetadata(path);
    expect([trainingEpochs, hasAnalysis, generation]).toEqual([2, true, "distillgan"]);
    expect(json()).toBeTypeOf("object");
    if (!engineBuilt) return;
    const model = await loadModel(path);
    expect((await model.generate({ durationS: 1, seed: 1 })).audio[0]).toHaveLength(43748);
    model.dispose();
  });

  it("of the branch with codes", async () => {
    const modelsDir = temporaryFolder();
    const path = await saveModelFromCheckpoint(
      distillFile("checkpoints/vq/checkpoint_epoch0002.pt"),
      modelsDir,
      { metadata: { name: "Codes" } },
    );
    expect(basename(path)).toBe("codes.distill");
    const dict = await content(path);
    expect([...dict.keys()]).toEqual([...(await content(models("sand_codes.distill"))).keys()]);
    expect((dict.get("loss_curve_history") as Dict).get("train_losses")).toHaveLength(3);
    expect((await readMetadata(path)).generation).toBe("distill-vq");
    if (!engineBuilt) return;
    const model = await loadModel(path);
    expect(model.vq?.hasPrior).toBe(false);
    model.dispose();
  });
});
