/** A writer made from doc/sda-format.md alone writes what PyTorch and this package read. */
import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { loadModel } from "../../lib/model/load.js";
import { load, NdArray, type OrderedDict, PyObject, type Tensor } from "../../lib/torch/index.js";
import { temporaryFolder } from "../support/folder.js";
import { engineBuilt } from "../support/native.js";
import { torchPython } from "../support/python.js";
import { fixture, table } from "./tables.js";
import { records } from "./third-party.js";
import {
  array,
  call,
  Float,
  orderedDict,
  type Pickled,
  tensor,
  wholePickle,
  writeZip,
} from "./third-party-writer.js";

test.each(["torch/bare-tensor.pt", "models/tiny.sda", "torch/layouts.pt"])(
  "%s: packing its records again gives the same file",
  (name) => {
    const file = readFileSync(fixture(name));
    const folder = file.toString("utf8", 30, file.indexOf("/"));
    expect(writeZip(folder, [...records(file)]).equals(file)).toBe(true);
  },
);

const LATENT_DIM = 3;
const CONFIG = new Map<string, Pickled>([
  ["sample_rate", 4000],
  ["n_fft", 256],
  ["hop_length", 256],
  ["n_mels", 16],
  ["f_min", new Float(0)],
  ["f_max", null],
  ["power", new Float(2)],
]);
/** ceil(16 / 16) · ceil((4000 // 256 + 1) / 16) = 1 */
const FEATURES = 256;

/** A model with the required fields only. Weights are zero except the variances. */
function writeModel(): Buffer {
  const stored: Buffer[] = [];
  const weights = new Map<string, Pickled>();
  const size = (text: string) => ({ L: LATENT_DIM, F: FEATURES })[text] ?? Number(text);
  for (const [module = "", kind, weight = "", bias = ""] of table("### Weights")) {
    const add = (name: string, shape: number[], value = 0) => {
      const numel = shape.reduce((a, b) => a * b, 1);
      weights.set(`${module}.${name}`, tensor("FloatStorage", String(stored.length), shape));
      stored.push(Buffer.from(new Float32Array(numel).fill(value).buffer));
    };
    const shape = (text: string) => text.slice(1, -1).split(", ").map(size);
    add("weight", shape(weight));
    add("bias", shape(bias));
    if (kind !== "normalisation") continue;
    add("running_mean", shape(weight));
    add("running_var", shape(weight), 1);
    weights.set(`${module}.num_batches_tracked`, tensor("LongStorage", String(stored.length), []));
    stored.push(Buffer.alloc(8));
  }
  const perAxis = (value: number) => array([1], [value]);
  const analysis = new Map<string, Pickled>([
    ["version", 1],
    ["pca_components", array([1, LATENT_DIM], [1, 0, -0.5])],
    ["pca_mean", array([LATENT_DIM], [0, 0.25, -300])],
    ["explained_variance_ratio", perAxis(1)],
    ["n_active_components", 1],
    ["safe_min", perAxis(-1)],
    ["safe_max", perAxis(1)],
    ["warning_min", perAxis(-2)],
    ["warning_max", perAxis(2)],
    ["step_size", perAxis(0.25)],
  ]);
  const program = "small_dataset_audio.training.config OverfittingPreset";
  const model = new Map<string, Pickled>([
    ["format", "sda_model"],
    ["version", 1],
    ["model_state_dict", orderedDict(weights)],
    ["latent_dim", LATENT_DIM],
    ["spectrogram_config", CONFIG],
    ["latent_analysis", analysis],
    ["training_config", new Map([["preset", call(program, "conservative")]])],
    [
      "metadata",
      new Map<string, Pickled>([
        ["name", "Wörter"],
        ["tags", ["a", "b"]],
      ]),
    ],
  ]);
  return writeZip("any", [
    ["data.pkl", wholePickle(model)],
    ["byteorder", Buffer.from("little")],
    ...stored.map((bytes, i): [string, Buffer] => [`data/${i}`, bytes]),
    ["version", Buffer.from("3\n")],
  ]);
}

test("a model", async () => {
  const path = join(temporaryFolder(), "written.sda");
  writeFileSync(path, writeModel());
  const model = (await load(path)) as Map<string, Map<string, unknown>>;
  const weights = model.get("model_state_dict") as OrderedDict<string, Tensor>;
  expect(weights.size).toBe(57);
  expect(weights.get("decoder.fc.weight")?.shape).toEqual([FEATURES, LATENT_DIM]);
  const mean = model.get("latent_analysis")?.get("pca_mean");
  expect(mean).toEqual(new NdArray("float32", [3], Float32Array.of(0, 0.25, -300)));
  expect(model.get("training_config")?.get("preset")).toBeInstanceOf(PyObject);
  if (!engineBuilt) return;
  const loaded = await loadModel(path, { device: "cpu" });
  expect(loaded.metadata).toMatchObject({ name: "Wörter", tags: ["a", "b"] });
  expect(loaded.trainingConfig).toEqual({ preset: "conservative" });
  expect(Array.from(loaded.slidersToLatent([2]))).toEqual([0.5, 0.25, -300.25]);
  expect(loaded.sliders()[0]).toMatchObject({ safeMinStep: -4, warningMaxStep: 8, maxStep: 10 });
  loaded.dispose();
});

const check = `
import enum, sys, types, numpy, torch
class OverfittingPreset(enum.Enum):
    conservative = "conservative"
for name in ("small_dataset_audio", "small_dataset_audio.training", "small_dataset_audio.training.config"):
    sys.modules[name] = types.ModuleType(name)
sys.modules["small_dataset_audio.training.config"].OverfittingPreset = OverfittingPreset
model = torch.load(sys.argv[1], weights_only=False)
state = model["model_state_dict"]
mean = model["latent_analysis"]["pca_mean"]
assert isinstance(mean, numpy.ndarray) and mean.dtype == "float32"
print(len(state), list(state["encoder.fc_mu.weight"].shape), state["encoder.convs.1.running_var"].sum().item(),
      mean.tolist(), model["training_config"]["preset"], model["metadata"], model["spectrogram_config"]["power"])
torch.load(sys.argv[1], weights_only=False, mmap=True)`;

test.skipIf(!torchPython)("a model, in Python", { timeout: 300_000 }, () => {
  const path = join(temporaryFolder(), "written.sda");
  writeFileSync(path, writeModel());
  const ended = spawnSync(torchPython as string, ["-c", check, path], { encoding: "utf8" });
  expect(ended).toMatchObject({ status: 0, stderr: "" });
  expect(ended.stdout.trim()).toBe(
    "57 [3, 256] 32.0 [0.0, 0.25, -300.0] OverfittingPreset.conservative {'name': 'Wörter', 'tags': ['a', 'b']} 2.0",
  );
});
