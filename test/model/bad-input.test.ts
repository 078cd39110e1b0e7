/** Bad requests to real models are refused before any work, with the name of the option. */
import { join } from "node:path";
import { setImmediate as nextTurn } from "node:timers/promises";
import { beforeEach, describe, expect, it, vi } from "vitest";
import { type GenerateOptions, loadModel, Tensor } from "../../lib/index.js";
import { load, save } from "../../lib/torch/index.js";
import { ofModel } from "../support/engine.js";
import { sdaError } from "../support/errors.js";
import { fixture } from "../support/fixtures.js";
import { temporaryFolder } from "../support/folder.js";
import { engineBuilt } from "../support/native.js";

/** Three dimensions and three sliders */
const TINY = fixture("models/tiny.sda");

describe.skipIf(!engineBuilt)("refused", () => {
  const model = ofModel(TINY);
  const withoutAnalysis = ofModel(fixture("models/tiny-bfloat16.sda"));
  const onProgress = vi.fn();
  beforeEach(() => {
    onProgress.mockClear();
  });

  const bad: [string, unknown][] = [
    ["durationS", { durationS: 0 }],
    ["durationS", { durationS: -1 }],
    ["durationS", { durationS: Number.NaN }],
    ["durationS", { durationS: 60.01 }],
    ["seed", { seed: -1 }],
    ["seed", { seed: "1" }],
    ["sliders", { sliders: [11, 0, 0] }],
    ["sliders", { sliders: [0, -11, 0] }],
    ["sliders", { sliders: [0, 0] }],
    ["sliders", { sliders: [0, 0, 0, 0] }],
    ["sliders", { sliders: [0, 0.5, 0] }],
    ["sliders", { sliders: [0, Number.NaN, 0] }],
    ["sliders", { sliders: [0, "1", 0] }],
    ["sliders", { sliders: [0, undefined, 0] }],
    ["latent", { latent: new Float32Array(2) }],
    ["latent", { latent: new Float32Array([0, Number.NaN, 0]) }],
    ["latent", { latent: [0, 0, 0] }],
    ["latent", { latent: new Float64Array(3) }],
    ["sampleRate", { sampleRate: 22050 }],
    ["concatMode", { concatMode: "none" }],
    ["spatial.mode", { spatial: { mode: "quad" } }],
    ["spatial.width", { spatial: { mode: "stereo", width: 2 } }],
    ["joint", { joint: "linear" }],
    ["loudness", { loudness: "loud" }],
    ["overlapSamples", { overlapSamples: 24_001 }],
    ["stepsBetween", { stepsBetween: 0 }],
    ["signal", { signal: "stop" }],
    ["options", null],
  ];

  it.each(bad)("%s (%o), by generate, stream and audioFormat", async (option, options) => {
    const given = (options && { onProgress, ...options }) as GenerateOptions;
    for (const call of [
      () => model().generate(given),
      () => model().stream(given), // the call itself fails, not the first piece
      () => model().audioFormat(given),
    ]) {
      const error = await sdaError(call);
      expect(error.code, String(call)).toBe("ERR_SDA_ARGUMENT");
      expect(error.details?.["option"], String(call)).toBe(option);
      expect(error.message).toContain(option);
    }
    await nextTurn();
    expect(onProgress).not.toHaveBeenCalled();
  });

  it('loudness "peak", by a stream', async () => {
    const error = await sdaError(() => model().stream({ loudness: "peak" }));
    expect(error.code).toBe("ERR_SDA_ARGUMENT");
    expect(error.details?.["option"]).toBe("loudness");
  });

  it("sliders of a model without analysis", async () => {
    const options = { sliders: [0, 0, 0] };
    for (const call of [
      () => withoutAnalysis().generate(options),
      () => withoutAnalysis().stream(options),
      () => withoutAnalysis().slidersToLatent([0, 0, 0]),
    ]) {
      const error = await sdaError(call);
      expect(error.code).toBe("ERR_SDA_ARGUMENT");
      expect(error.details?.["option"]).toBe("sliders");
    }
  });

  it("encoding by a decoder-only model, which still generates", async () => {
    const model = await loadModel(fixture("models/tiny-decoder-only.sda"));
    const shape = model.spectrogram.melShape(model.spectrogram.config.sampleRate);
    const mel = new Tensor("float32", [1, 1, ...shape], new Float32Array(shape[0] * shape[1]));
    const error = await sdaError(() => model.model.encode(mel));
    expect(error.code).toBe("ERR_SDA_ARGUMENT");
    expect(error.details?.["option"]).toBe("model");
    expect((await model.generate({ seed: 1 })).audio[0]?.length).toBeGreaterThan(0);
    await model.disposeAsync();
  });
});

describe.skipIf(!engineBuilt)("weights with NaN", () => {
  const names = ["fc.weight", "fc.bias"];
  for (const layer of [0, 4, 8, 12]) names.push(`deconvs.${layer}.weight`, `deconvs.${layer}.bias`);
  for (const layer of [1, 5, 9]) {
    for (const part of ["weight", "bias", "running_mean", "running_var"]) {
      names.push(`deconvs.${layer}.${part}`);
    }
  }

  it.each(names.map((name) => `decoder.${name}`))("in %s are reported", async (name) => {
    const path = join(temporaryFolder(), "poisoned.sda");
    const content = (await load(TINY)) as Map<string, unknown>;
    const tensor = (content.get("model_state_dict") as Map<string, Tensor>).get(name) as Tensor;
    expect(tensor.dtype).toBe("float16");
    tensor.data[tensor.data.length - 1] = 0x7e00; // NaN
    await save(content, path);

    const model = await loadModel(path, { device: "cpu" });
    for (const call of [
      () => model.generate({ seed: 1 }),
      () => model.generate({ seed: 1, spatial: { mode: "dual_seed" }, durationS: 3 }),
      () => model.stream({ seed: 1 }).next(),
    ]) {
      const error = await sdaError(call);
      expect(error.code, String(call)).toBe("ERR_SDA_SCHEMA");
      expect(error.message).toContain("weights");
    }
    await model.disposeAsync();
  });
});
