/** Each function of native/wasm/face.ts against recorded values of PyTorch. */
import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { GenerateOptions } from "../../lib/index.js";
import { packageRoot } from "../../lib/native/package-root.js";
import { createEngine, type WasmEngine, type WasmModel } from "../../native/wasm/face.js";
import { bundledModel } from "../process/run.js";
import { sdaError } from "../support/errors.js";
import { fixture } from "../support/fixtures.js";
import { needs } from "../support/needs.js";
import { collect, expectSameBits, expectSameSound, relativeDifference } from "../support/sound.js";

const VARIANTS = ["wasm", "wasm-threads"];
const folderOf = (variant: string) => join(packageRoot, "build", variant);
const isBuilt = (variant: string) => existsSync(join(folderOf(variant), "sda_wasm.wasm"));
needs(VARIANTS.every(isBuilt), "WebAssembly is not built (npm run test:wasm)");

interface Part {
  file: string;
  shape: number[];
}
/** What PyTorch computed with a model of test/fixtures; see scripts/python/README.md. */
const recorded = (name: string) => JSON.parse(readFileSync(fixture(`golden/${name}.json`), "utf8"));
const expected = recorded("tiny");
const floats = (file: string) =>
  new Float32Array(new Uint8Array(readFileSync(fixture(file))).buffer);
const tensor = ({ file, shape }: Part) => ({ shape, data: floats(file) });
/** Of the largest value; a tenth of the corpora's */
const TOLERANCE = 1e-5;

for (const variant of VARIANTS) {
  describe.skipIf(!isBuilt(variant))(variant, () => testFace(folderOf(variant)));
}

function testFace(folder: string): void {
  const bytes = readFileSync(fixture("models/tiny.sda"));
  let engine: WasmEngine;
  let model: WasmModel;
  beforeAll(async () => {
    const create = createRequire(import.meta.url)(join(folder, "sda_wasm.js"));
    engine = await createEngine({ create, wasm: readFileSync(join(folder, "sda_wasm.wasm")) });
    model = engine.open(bytes, "tiny.sda");
  });
  afterAll(() => {
    model?.close();
    engine?.close();
  });

  /** The recorded generations of the fixture */
  const generations: { options: GenerateOptions; audio: Part }[] = expected.generate.map(
    // biome-ignore lint/suspicious/noExplicitAny: the form of the recorded values
    ({ config, audio }: any) => ({
      options: {
        durationS: config.duration_s,
        seed: config.seed,
        sampleRate: config.sample_rate ?? 48000,
      },
      audio,
    }),
  );

  it("opens what PyTorch saved, and nothing that is damaged", async () => {
    expect(model.latentDim).toBe(expected.latent_dim);
    const damaged = Uint8Array.from(bytes);
    damaged[40_000] = ~(damaged[40_000] as number) & 255;
    const { code, details } = await sdaError(() => engine.open(damaged, "damaged.sda"));
    expect([code, details?.["path"]]).toEqual(["ERR_SDA_CORRUPT", "damaged.sda"]);
    const { code: refused } = await sdaError(() => engine.open(bytes.subarray(0, 100)));
    expect(refused).toBe("ERR_SDA_CORRUPT");
  });

  it("closes a model, which then refuses work", async () => {
    const other = engine.open(bytes);
    other.close();
    other.close();
    const { code } = await sdaError(() => other.decode(tensor(expected.decode.z)));
    expect(code).toBe("ERR_SDA_DISPOSED");
  });

  it("has the metadata", () => {
    const { name, description, tags, modelId, finalValLoss } = model.metadata;
    const { metadata } = expected;
    expect([name, description, tags, modelId]).toEqual([
      metadata.name,
      metadata.description,
      metadata.tags,
      metadata.model_id,
    ]);
    expect(String(finalValLoss)).toBe(metadata.final_val_loss);
  });

  it("has the sliders", () => {
    const named = model.sliders().map((slider) => ({
      index: slider.index,
      label: slider.label,
      suggested_label: slider.suggestedLabel,
      min_step: slider.minStep,
      max_step: slider.maxStep,
      safe_min_step: slider.safeMinStep,
      safe_max_step: slider.safeMaxStep,
      warning_min_step: slider.warningMinStep,
      warning_max_step: slider.warningMaxStep,
      variance_explained_pct: slider.varianceExplainedPct,
    }));
    expect(named).toEqual(expected.slider_info);
  });

  it("computes latents of sliders", () => {
    for (const { positions, latent } of expected.slider_latents)
      expect([...model.slidersToLatent(positions)]).toEqual(latent);
  });

  it("decodes", async () => {
    const { z, mel } = expected.decode;
    const made = await model.decode(tensor(z));
    expect(made.shape).toEqual(mel.shape);
    expect(relativeDifference(made.data, floats(mel.file))).toBeLessThan(TOLERANCE);
  });

  it("encodes", async () => {
    const { mel, mu, logvar } = expected.encode;
    const made = await model.encode(tensor(mel));
    expect(relativeDifference(made.mu.data, floats(mu.file))).toBeLessThan(TOLERANCE);
    expect(relativeDifference(made.logvar.data, floats(logvar.file))).toBeLessThan(TOLERANCE);
  });

  it("makes waveforms of mels", async () => {
    const { mel, waveform, torch_manual_seed: seed } = expected.mel_to_waveform;
    const made = await model.melToWaveform(tensor(mel), seed);
    expect(made.shape).toEqual(waveform.shape);
    expectSameSound(made.data, floats(waveform.file));
  });

  it("generates", async () => {
    for (const { options, audio } of generations) {
      const sound = await model.generate(options);
      expect(sound).toMatchObject({
        channels: 1,
        seed: options.seed,
        durationS: options.durationS,
        quality: { rating: "green" },
      });
      expectSameSound(sound.audio[0] as Float32Array, floats(audio.file));
    }
  });

  it("generates several chunks, and from a latent", async () => {
    const plucks = engine.open(readFileSync(bundledModel));
    for (const { config, audio } of recorded("synthetic-plucks").generate) {
      const latent = config.latent_vector && Float32Array.from(config.latent_vector);
      const { duration_s: durationS, seed } = config;
      const sound = await plucks.generate({ durationS, seed, ...(latent && { latent }) });
      expectSameSound(sound.audio[0] as Float32Array, floats(audio.file));
    }
    plucks.close();
  });

  it("streams what it generates, piece by piece", async () => {
    // "peak", the loudness of the recorded sounds, only multiplies all samples by a factor.
    for (const { options, audio } of generations) {
      const samples = await collect(model.stream({ ...options, loudness: "none" }));
      const whole = floats(audio.file);
      const gain = Math.max(...whole.map(Math.abs)) / Math.max(...samples.map(Math.abs));
      expectSameSound(
        samples.map((sample) => sample * gain),
        whole,
      );
    }
    const options = { durationS: 3, seed: 5, spatial: { mode: "dual_seed" as const } };
    const whole = await model.generate({ ...options, loudness: "running" });
    const streamed = await collect(model.stream(options));
    const left = streamed.filter((_, i) => i % 2 === 0);
    expectSameBits(left, whole.audio[0] as Float32Array);
    const { frames, channels } = model.audioFormat(options);
    expect(streamed.length).toBe(frames * channels);
    for await (const piece of model.stream(options)) {
      expect(piece.length).toBeLessThan(streamed.length);
      break; // stops the work
    }
  });

  it("resamples", async () => {
    // No recorded value: the recorded sounds above contain the same step.
    const sine = (rate: number, count: number) =>
      Float32Array.from({ length: count }, (_, i) => Math.sin((2 * Math.PI * 440 * i) / rate));
    const made = await engine.resample(sine(8000, 2000), 8000, 48_000);
    const inner = (samples: Float32Array) => samples.slice(100, -100);
    expect(relativeDifference(inner(made), inner(sine(48_000, 12_000)))).toBeLessThan(5e-3);
    const { code } = await sdaError(() => engine.resample(made, 0, 48_000));
    expect(code).toBe("ERR_SDA_ARGUMENT");
  });

  it("works on several jobs at once, with the same results", async () => {
    const { options } = generations[0] as (typeof generations)[0];
    const alone = await model.generate(options);
    const all = await Promise.all(Array.from({ length: 4 }, () => model.generate(options)));
    for (const { audio } of all)
      expectSameBits(audio[0] as Float32Array, alone.audio[0] as Float32Array);
  });
}
