/**
 * Compares sound from a GPU with sound from the CPU. The random draws are made on the CPU, so the
 * sound of a seed is the same. `npm run test:cuda` fails without a GPU; other runs without a GPU
 * only test that "cuda" is refused.
 */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type GenerateOptions, type LoadedModel, loadModel, Tensor } from "../../lib/index.js";
import { attachBackend } from "../../lib/native/backend.js";
import { sdaError } from "../support/errors.js";
import { fixture } from "../support/fixtures.js";
import { libtorchUsable } from "../support/libtorch.js";
import { interleave, likeness, relativeDifference } from "../support/sound.js";

const devices = libtorchUsable ? attachBackend({ cuda: true }).info().cudaDevices : 0;
const wanted = process.env["SDA_TEST_CUDA"] === "1";
const bundled = "assets/models/synthetic-plucks.sda";

if (wanted && devices === 0) {
  it("there is a GPU", async () => {
    await loadModel(bundled, { device: "cuda" });
  });
}

describe.skipIf(!libtorchUsable || devices > 0)("without a GPU", () => {
  it.each(["cuda", "cuda:0", "cuda:7"] as const)(
    "%s is refused, with the reason",
    async (device) => {
      const error = await sdaError(() => loadModel(fixture("models/tiny.sda"), { device }));
      expect(error.code).toBe("ERR_SDA_DEVICE");
      expect(error.details).toMatchObject({ device });
      expect(error.message).toMatch(/CPU build|no driver|cannot be opened/);
    },
  );

  it("auto selects the CPU", async () => {
    using model = await loadModel(fixture("models/tiny.sda"), { device: "auto" });
    expect(model.device).toBe("cpu");
  });
});

describe.skipIf(devices === 0)("on a GPU", () => {
  let cpu: LoadedModel;
  let gpu: LoadedModel;
  beforeAll(async () => {
    cpu = await loadModel(bundled, { device: "cpu" });
    gpu = await loadModel(bundled, { device: "cuda" });
  });
  afterAll(() => {
    cpu.dispose();
    gpu.dispose();
  });

  it("auto selects the GPU, and an index beyond the last GPU is refused", async () => {
    using model = await loadModel(bundled, { device: "auto" });
    expect(model.device).toBe("cuda:0");
    const beyond = `cuda:${devices}` as const;
    const error = await sdaError(() => loadModel(bundled, { device: beyond }));
    expect(error.code).toBe("ERR_SDA_DEVICE");
    expect(error.message).toContain(String(devices));
  });

  it("decodes and encodes as the CPU does", async () => {
    const { latentDim } = cpu.model;
    const z = new Tensor(
      "float32",
      [3, latentDim],
      Float32Array.from({ length: 3 * latentDim }, (_, i) => Math.sin(i)),
    );
    const [here, there] = [await cpu.model.decode(z), await gpu.model.decode(z)];
    expect(there.shape).toEqual(here.shape);
    expect(relativeDifference(there.data as Float32Array, here.data as Float32Array)).toBeLessThan(
      1e-4,
    );
    const [a, b] = [await cpu.model.encode(here), await gpu.model.encode(here)];
    expect(relativeDifference(b.mu.data as Float32Array, a.mu.data as Float32Array)).toBeLessThan(
      1e-3,
    );
  });

  it("plays a model's vocoder as the CPU does", async () => {
    const file = fixture("models/tiny-vocoder.distillgan");
    using here = await loadModel(file, { device: "cpu" });
    using there = await loadModel(file, { device: "cuda" });
    const options = { durationS: 2, seed: 1 };
    const [a, b] = [await here.generate(options), await there.generate(options)];
    expect(relativeDifference(interleave(b.audio), interleave(a.audio))).toBeLessThan(1e-2);
  });

  const CASES: [string, GenerateOptions][] = [
    ["one second", { durationS: 1, seed: 3 }],
    ["more than one batch", { durationS: 40, seed: 4 }],
    [
      "interpolated",
      { durationS: 2, seed: 5, concatMode: "latent_interpolation", stepsBetween: 3 },
    ],
    ["two seeds", { durationS: 2, seed: 6, spatial: { mode: "dual_seed" } }],
    ["resampled", { durationS: 1, seed: 7, sampleRate: 44100 }],
  ];
  it.each(CASES)("gives the sound of the seed: %s", { timeout: 60_000 }, async (_, options) => {
    const here = await cpu.generate(options);
    const there = await gpu.generate(options);
    expect(there.channels).toBe(here.channels);
    here.audio.forEach((samples, channel) => {
      const found = there.audio[channel] as Float32Array;
      expect(found.length).toBe(samples.length);
      expect(likeness(found, samples).correlation).toBeGreaterThanOrEqual(0.999);
    });
  });

  it("streams, and stops when the reader stops", async () => {
    const { frames } = gpu.audioFormat({ durationS: 5, seed: 8 });
    let samples = 0;
    for await (const piece of gpu.stream({ durationS: 5, seed: 8 })) samples += piece.length;
    expect(samples).toBe(frames);
    for await (const piece of gpu.stream({ durationS: 60, seed: 8 })) {
      expect(piece.length).toBeGreaterThan(0);
      break;
    }
  });
});
