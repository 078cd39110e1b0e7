import { createHash } from "node:crypto";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ANALYSIS_NAMES, SPECTROGRAM_NAMES } from "../../lib/format/names.js";
import { type LoadedModel, loadModel, Tensor } from "../../lib/index.js";
import { corpus, corpusFile, golden, goldenFloats } from "../support/corpus.js";
import { sdaError } from "../support/errors.js";
import { temporaryFolder } from "../support/folder.js";
import { engineBuilt } from "../support/native.js";
import { expectSameSound, relativeDifference } from "../support/sound.js";

const model = (name: string) => corpusFile("models", `${name}.sda`);

/** [file, its golden values, tolerance for the precision of its weights] */
const MODELS = [
  ["default", "default", 1e-4],
  ["small", "small", 1e-4],
  ["no-analysis", "no-analysis", 1e-4],
  ["decoder-only", "decoder-only", 1e-4],
  ["small-legacy", "small", 1e-4],
  ["small-protocol4", "small", 1e-4],
  ["small-cuda", "small", 1e-4],
  ["small-mps", "small", 1e-4],
  ["small-numpy1", "small", 1e-4],
  ["small-half", "small", 0.02],
] as const;

const available = corpus !== null && engineBuilt;

function snakeCase(names: Record<string, string>, values: object): Record<string, unknown> {
  const entries = Object.entries(values).map(([key, value]) => [names[key], plain(value)]);
  return Object.fromEntries(entries);
}

/** Tensors as nested lists, as in the golden JSON. */
function plain(value: unknown): unknown {
  if (!(value instanceof Tensor)) return value;
  const { data, shape } = value;
  const flat = Array.from(data as Float32Array);
  if (shape.length === 1) return flat;
  const width = shape[1] as number;
  return Array.from({ length: shape[0] as number }, (_, i) =>
    flat.slice(i * width, (i + 1) * width),
  );
}

describe.skipIf(!available).each(MODELS)("loadModel %s", (file, name, tolerance) => {
  const expected = golden(name);
  const tensor = (part: { file: string; shape: number[] }) =>
    new Tensor("float32", part.shape, goldenFloats(part.file));
  let loaded: LoadedModel;
  beforeAll(async () => {
    loaded = await loadModel(model(file), { device: "cpu" });
  });
  afterAll(() => loaded?.disposeAsync());

  it("reads the configuration", () => {
    expect(loaded.device).toBe("cpu");
    expect(loaded.model.latentDim).toBe(expected.latent_dim);
    expect(loaded.model.hasEncoder).toBe(name !== "decoder-only");
    expect(snakeCase(SPECTROGRAM_NAMES, loaded.spectrogram.config)).toEqual(
      expected.spectrogram_config,
    );
    expect(loaded.spectrogram.melShape(expected.spectrogram_config.sample_rate)).toEqual(
      expected.mel_shape,
    );
    expect(loaded.trainingConfig["preset"] ?? null).toBe(expected.training_config_preset);
    expect(loaded.trainingConfig["learning_rate"] ?? null).toBe(
      expected.training_config_learning_rate,
    );
  });

  it("reads the analysis and its sliders", () => {
    if (expected.analysis === undefined) {
      expect(loaded.analysis).toBeNull();
      expect(loaded.sliders()).toEqual([]);
      return;
    }
    expect(snakeCase(ANALYSIS_NAMES, loaded.analysis as object)).toEqual(expected.analysis);
    expect(loaded.sliders()).toHaveLength(expected.slider_info.length);
    for (const { positions, latent } of expected.slider_latents) {
      expect([...loaded.slidersToLatent(positions)]).toEqual(latent);
    }
  });

  it("has the state dict's tensors, byte for byte", () => {
    const state = loaded.model.stateDict();
    expect([...state.keys()]).toEqual(Object.keys(expected.state_dict));
    if (file === "small-half") {
      expect(state.get("decoder.fc.weight")?.dtype).toBe("float16");
      return;
    }
    for (const [key, { data, dtype, shape }] of state) {
      const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
      const sha256 = createHash("sha256").update(bytes).digest("hex");
      expect({ shape, dtype: `torch.${dtype}`, sha256 }, key).toEqual(expected.state_dict[key]);
    }
  });

  it("decodes", async () => {
    const mel = await loaded.model.decode(tensor(expected.decode.z));
    expect(mel.shape).toEqual(expected.decode.mel.shape);
    const difference = relativeDifference(
      mel.data as Float32Array,
      goldenFloats(expected.decode.mel.file),
    );
    expect(difference).toBeLessThan(tolerance);
  });

  it("makes waveforms of mels", async () => {
    const { mel, waveform, torch_manual_seed: seed } = expected.mel_to_waveform;
    const made = await loaded.spectrogram.melToWaveform(tensor(mel), { seed });
    expect(made.shape).toEqual(waveform.shape);
    expectSameSound(made.data as Float32Array, goldenFloats(waveform.file));
  });

  it("makes mels of waveforms and encodes them, when it has an encoder", async () => {
    if (expected.encode === undefined) {
      const [mels, time] = expected.mel_shape;
      const mel = new Tensor("float32", [1, 1, mels, time], new Float32Array(mels * time));
      await sdaError(() => loaded.model.encode(mel));
      return;
    }
    const { waveform, mel, mu, logvar } = expected.encode;
    const made = await loaded.spectrogram.waveformToMel(tensor(waveform));
    expect(made.shape).toEqual(mel.shape);
    expect(relativeDifference(made.data as Float32Array, goldenFloats(mel.file))).toBeLessThan(
      1e-4,
    );
    const encoded = await loaded.model.encode(made);
    for (const [part, { shape, file: values }] of [
      [encoded.mu, mu],
      [encoded.logvar, logvar],
    ] as const) {
      expect(part.shape).toEqual(shape);
      const difference = relativeDifference(part.data as Float32Array, goldenFloats(values));
      expect(difference).toBeLessThan(tolerance);
    }
  });
});

describe.skipIf(!available)("generate, as the Python program", () => {
  let loaded: LoadedModel;
  beforeAll(async () => {
    loaded = await loadModel(model("default"), { device: "cpu", verify: false });
  });
  afterAll(() => loaded?.disposeAsync());

  // biome-ignore lint/suspicious/noExplicitAny: as in golden()
  const cases: any[] = golden("default").generate ?? [];
  it.each(cases.map((c) => [c.case, c]))("%s", async (_, expected) => {
    const { config } = expected;
    const mode = config.spatial?.mode ?? config.stereo_mode ?? "mono";
    const result = await loaded.generate({
      durationS: config.duration_s,
      seed: config.seed,
      concatMode: config.concat_mode,
      stepsBetween: config.steps_between,
      sampleRate: config.sample_rate,
      spatial: { mode, width: config.spatial?.width, depth: config.spatial?.depth },
      ...(config.latent_vector && { latent: Float32Array.from(config.latent_vector) }),
    });
    expect(result).toMatchObject({
      seed: expected.seed_used,
      channels: expected.channels,
      sampleRate: expected.sample_rate,
      durationS: expected.duration_s,
    });
    expect(result.quality.rating).toBe(expected.quality.rating);
    expect(result.quality.ratingReason).toBe(expected.quality.rating_reason);
    expect(result.quality.clipping.peakValue).toBeCloseTo(expected.quality.clipping.peak_value, 3);
    const audio = goldenFloats(expected.audio.file);
    const length = audio.length / expected.channels;
    result.audio.forEach((channel, i) => {
      expectSameSound(channel, audio.subarray(i * length, (i + 1) * length));
    });
  });

  it("sliders sound like their latent", async () => {
    const [, { positions, latent }] = golden("default").slider_latents;
    const common = { durationS: 1.5, seed: 9 };
    const bySliders = await loaded.generate({ ...common, sliders: positions });
    const byLatent = await loaded.generate({ ...common, latent: Float32Array.from(latent) });
    expect(bySliders.audio).toEqual(byLatent.audio);
  });

  it("reports progress up to its end", async () => {
    const steps: [number, number][] = [];
    await loaded.generate({ durationS: 3, onProgress: (...step) => steps.push(step) });
    expect(steps.length).toBeGreaterThan(1);
    const [done, total] = steps.at(-1) as [number, number];
    expect(done).toBe(total);
  });

  it("rejects with the signal's reason soon after an abort", async () => {
    const controller = new AbortController();
    const reason = new Error("enough");
    const generating = loaded.generate({ durationS: 60, signal: controller.signal });
    setTimeout(() => controller.abort(reason), 50);
    const start = performance.now();
    await expect(generating).rejects.toBe(reason);
    expect(performance.now() - start).toBeLessThan(2000);
  });

  it("is the same for a seed whether alone or among others", async () => {
    const alone = await loaded.generate({ seed: 3 });
    const among = await Promise.all([4, 3, 5].map((seed) => loaded.generate({ seed })));
    expect(among[1]?.audio).toEqual(alone.audio);
    expect(among[0]?.audio).not.toEqual(alone.audio);
  });
});

describe.skipIf(!available)("dispose", () => {
  const z = (loaded: LoadedModel) =>
    new Tensor("float32", [1, loaded.model.latentDim], new Float32Array(loaded.model.latentDim));

  it("during each operation lets it end", async () => {
    const operations: ((m: LoadedModel) => Promise<unknown>)[] = [
      (m) => m.generate({ durationS: 2 }),
      (m) => m.model.decode(z(m)),
      (m) => m.model.encode(new Tensor("float32", [1, 1, 64, 63], new Float32Array(64 * 63))),
      (m) =>
        m.spectrogram.waveformToMel(new Tensor("float32", [1, 1, 16000], new Float32Array(16000))),
      (m) =>
        m.spectrogram.melToWaveform(
          new Tensor("float32", [1, 1, 64, 63], new Float32Array(64 * 63)),
        ),
    ];
    for (const operation of operations) {
      const loaded = await loadModel(model("small"), { device: "cpu" });
      const running = operation(loaded);
      loaded.dispose();
      await expect(running, String(operation)).resolves.toBeDefined();
      expect((await sdaError(() => operation(loaded))).code).toBe("ERR_SDA_DISPOSED");
    }
  });

  it("keeps tensors that were returned before", async () => {
    const loaded = await loadModel(model("small"), { device: "cpu", verify: false });
    const weight = loaded.model.stateDict().get("decoder.fc.weight") as Tensor;
    const before = Float32Array.from(weight.data as Float32Array);
    await loaded.disposeAsync();
    expect(weight.data).toEqual(before);
  });
});

describe.skipIf(!available)("loadModel refuses", () => {
  it.each([
    ["path", () => loadModel("")],
    ["path", () => loadModel(new URL("https://example.org/a.sda"))],
    ["device", () => loadModel(model("small"), { device: "gpu" as "cpu" })],
    ["device", () => loadModel(model("small"), { device: "cuda:x" as "cpu" })],
    ["verify", () => loadModel(model("small"), { verify: "no" as never })],
    ["signal", () => loadModel(model("small"), { signal: {} as never })],
  ])("a bad %s", async (option, load) => {
    const error = await sdaError(load);
    expect(error.code).toBe("ERR_SDA_ARGUMENT");
    expect(error.details?.["option"]).toBe(option);
  });

  it("a file that is not there", async () => {
    const path = join(temporaryFolder(), "none.sda");
    expect((await sdaError(() => loadModel(path))).code).toBe("ERR_SDA_NOT_FOUND");
  });

  it("a training checkpoint", async () => {
    const path = corpusFile("checkpoints", "checkpoint_epoch0200.pt");
    expect((await sdaError(() => loadModel(path))).code).toBe("ERR_SDA_FORMAT");
  });

  it("a device that is not there", async () => {
    const error = await sdaError(() => loadModel(model("small"), { device: "cuda:99" }));
    expect(error.code).toBe("ERR_SDA_DEVICE");
  });

  it("to go on when the signal is aborted", async () => {
    const reason = new Error("no longer wanted");
    const loading = loadModel(model("small"), { signal: AbortSignal.abort(reason) });
    await expect(loading).rejects.toBe(reason);
  });
});
