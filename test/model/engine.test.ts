/** Equal requests give equal samples, bit for bit, whatever the load and the number of threads. */
import { beforeAll, describe, expect, it } from "vitest";
import type { GenerateOptions } from "../../lib/index.js";
import { count } from "../support/effort.js";
import { generated, models, ofModel, withEngine } from "../support/engine.js";
import { engineBuilt } from "../support/native.js";
import { collect, expectSameBits, interleave, peakOf } from "../support/sound.js";

/** Requests of every kind, with one to three chunks a channel. */
const requests = (latentDim: number): GenerateOptions[] => [
  { durationS: 2.7, seed: 1 },
  { durationS: 1, seed: 2, joint: "equal-power", loudness: "none" },
  { durationS: 2, seed: 3, concatMode: "latent_interpolation", stepsBetween: 3 },
  {
    durationS: 3,
    seed: 4,
    latent: new Float32Array(latentDim).fill(0.25),
    overlapSamples: 100,
    loudness: "running",
  },
  {
    durationS: 2,
    seed: 5,
    spatial: { mode: "stereo", width: 1, depth: 0.5 },
    sampleRate: 44100,
    loudness: "running",
  },
  {
    durationS: 1.5,
    seed: 6,
    spatial: { mode: "dual_seed" },
    sampleRate: 96000,
    loudness: "none",
  },
];

interface Sound {
  options: GenerateOptions;
  samples: Float32Array;
}

/** Requests that run beside the compared ones */
const OTHERS = count({ quick: 6, full: 32 });

describe.skipIf(!engineBuilt).each(models)("the same request to %s", (_, path) => {
  const model = ofModel(path);
  const alone: Sound[] = [];
  beforeAll(async () => {
    for (const options of requests(model().model.latentDim)) {
      alone.push({ options, samples: await generated(model(), options) });
    }
  });
  const streamable = () => alone.filter(({ options }) => options.loudness);

  async function expectSame(sounds: Sound[], get: (o: GenerateOptions) => Promise<Float32Array>) {
    const all = await Promise.all(sounds.map(({ options }) => get(options)));
    for (const [i, { options, samples }] of sounds.entries()) {
      expectSameBits(all[i] as Float32Array, samples, JSON.stringify(options));
    }
  }
  const generate = (options: GenerateOptions) => generated(model(), options);
  const stream = (options: GenerateOptions) => collect(model().stream(options));

  it("gives sound, and another sound for another seed", async () => {
    for (const { samples } of alone) expect(peakOf(samples)).toBeGreaterThan(0.001);
    const [{ options, samples }] = alone as [Sound];
    const other = await generate({ ...options, seed: 77 });
    expect(other).toHaveLength(samples.length);
    expect(() => expectSameBits(other, samples)).toThrow("sample 0 is");
  });

  it(`gives the same among ${OTHERS} others`, async () => {
    const kinds = requests(model().model.latentDim);
    const others = Array.from({ length: OTHERS }, (_, i) => {
      const { loudness, ...kind } = { ...kinds[i % kinds.length], seed: 100 + i };
      return i % 2 === 0 ? generate(kind) : stream(kind);
    });
    await Promise.all([expectSame(alone, generate), expectSame(streamable(), stream), ...others]);
  });

  it.each([1, 8])("gives the same on %d threads", async (threads) => {
    await withEngine({ threads }, async () => {
      await expectSame(alone.slice(0, 1), generate); // one request alone
      await Promise.all([expectSame(alone, generate), expectSame(streamable(), stream)]);
    });
  });

  it("gives the same as a stream, in the form that audioFormat says", async () => {
    for (const { options, samples } of streamable()) {
      const streamed = await stream(options);
      expectSameBits(streamed, samples, JSON.stringify(options));
      const { frames, channels, sampleRate } = model().audioFormat(options);
      expect(streamed).toHaveLength(frames * channels);
      expect(channels).toBe(options.spatial ? 2 : 1);
      expect(sampleRate).toBe(options.sampleRate ?? 48000);
    }
  });

  it("gives the same when it is repeated, and reports the same", async () => {
    const options = { durationS: 2, seed: 8, spatial: { mode: "dual_seed" as const } };
    const first = await model().generate(options);
    const [again] = await Promise.all([model().generate(options), model().generate({ seed: 1 })]);
    expectSameBits(interleave(again.audio), interleave(first.audio));
    expect({ ...again, audio: null }).toEqual({ ...first, audio: null });
  });
});
