/** Streams, threads, stopping and sharing, for every version of the program. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type GenerateOptions, type LoadedModel, loadModel, ModelCache } from "../../lib/index.js";
import { distill, distillFile } from "../support/corpus-distill.js";
import { withEngine } from "../support/engine.js";
import { sdaError } from "../support/errors.js";
import { engineBuilt } from "../support/native.js";
import { collect, expectSameBits, interleave } from "../support/sound.js";

const PLAYABLE = [
  "copper_rain.distill",
  "glass_harbour.distillgan",
  "singing_wires.distillgan",
  "phase_lattice.distill",
  "tide_pool_early.distill",
  "whispered_grid.distill",
];

describe.skipIf(distill === null || !engineBuilt).each(PLAYABLE)("%s", (name) => {
  let model: LoadedModel;
  beforeAll(async () => {
    model = await loadModel(distillFile("models", name));
  });
  afterAll(() => model.dispose());
  const isOfCodes = () => model.vq !== null;

  /** Requests that the model's program can make. */
  function requests(): GenerateOptions[] {
    const loudness = "running";
    if (isOfCodes()) return [{ durationS: 2.2, seed: 2, overlapSamples: 500, loudness }];
    const latent = new Float32Array(model.vae.latentDim).fill(0.3);
    return [
      { durationS: 2.2, seed: 2, loudness },
      { durationS: 1, seed: 3, loudness: "none", sampleRate: 96000 },
      { durationS: 1.5, seed: 4, latent, spatial: { mode: "dual_seed" }, loudness },
    ];
  }

  it("streams what generate makes, in pieces, with any number of threads", async () => {
    for (const options of requests()) {
      const { audio, sampleRate } = await model.generate(options);
      const whole = interleave(audio);
      const format = model.audioFormat(options);
      expect([audio[0]?.length, audio.length, sampleRate]).toEqual([
        format.frames,
        format.channels,
        format.sampleRate,
      ]);
      const stream = model.stream(options);
      expectSameBits(await collect(stream), whole, JSON.stringify(options));
      await withEngine({ threads: 1 }, async () => {
        expectSameBits(interleave((await model.generate(options)).audio), whole, "one thread");
        expectSameBits(await collect(model.stream(options)), whole, "a stream, one thread");
      });
    }
  });

  it("gives requests at the same time their own sounds", async () => {
    const [options] = requests() as [GenerateOptions];
    const seeds = [11, 12, 13, 14];
    const alone: Float32Array[] = [];
    for (const seed of seeds)
      alone.push(interleave((await model.generate({ ...options, seed })).audio));
    const together = await Promise.all(seeds.map((seed) => model.generate({ ...options, seed })));
    together.forEach(({ audio }, i) => {
      expectSameBits(interleave(audio), alone[i] as Float32Array, `seed ${seeds[i]}`);
    });
  });

  it("reports progress up to the end, and stops when told", async () => {
    const seen: [number, number][] = [];
    await model.generate({
      durationS: 1.5,
      seed: 1,
      onProgress: (done, total) => seen.push([done, total]),
    });
    const [done, total] = seen.at(-1) as [number, number];
    expect(done).toBe(total);
    expect(seen.every(([, t]) => t === total)).toBe(true);
    const stopped = new AbortController();
    const running = model.generate({
      durationS: 20,
      signal: stopped.signal,
      onProgress: () => stopped.abort("enough"),
    });
    await expect(running).rejects.toBe("enough");
    for await (const piece of model.stream({ durationS: 20, seed: 1 })) {
      expect(piece.length).toBeGreaterThan(0);
      break; // leaving stops the work
    }
  });

  it("works by a cache, which counts its bytes", async () => {
    const cache = new ModelCache({ maxBytes: 1 });
    const path = distillFile("models", name);
    const seconds = await cache.use(path, async (lent) => {
      expect(lent.byteLength).toBe(model.byteLength);
      return (await lent.generate({ durationS: 1, seed: 1 })).durationS;
    });
    expect(seconds).toBeGreaterThan(0.9);
    await cache.clear();
  });

  it("takes Griffin-Lim, but for the phases of a complex model", async () => {
    const options = { durationS: 1, seed: 5, vocoder: "griffin_lim" } as const;
    if (model.generation === "distill-complex") {
      const { code, details } = await sdaError(() => model.generate(options));
      expect([code, details?.["option"]]).toEqual(["ERR_SDA_ARGUMENT", "vocoder"]);
      return;
    }
    const { audio } = await model.generate(options);
    expect(audio[0]?.every(Number.isFinite)).toBe(true);
    const own = await model.generate({ durationS: 1, seed: 5 });
    const isSame = model.vocoder === null;
    if (isSame) expectSameBits(audio[0] as Float32Array, own.audio[0] as Float32Array);
    else expect(audio[0]).not.toEqual(own.audio[0]);
  });
});

describe.skipIf(distill === null || !engineBuilt)("a vocoder of another model", () => {
  it("plays a model without one, and stays alive as long as the sound", async () => {
    const [plain, sung, early] = (await Promise.all(
      ["glass_harbour.distillgan", "singing_wires.distillgan", "tide_pool_early.distill"].map(
        (name) => loadModel(distillFile("models", name)),
      ),
    )) as [LoadedModel, LoadedModel, LoadedModel];
    const options = { durationS: 1, seed: 5, vocoder: sung } as const;
    const making = plain.generate(options);
    const stream = plain.stream({ ...options, loudness: "none" });
    const iterator = stream[Symbol.asyncIterator]();
    await iterator.next();
    sung.dispose();
    expect((await making).audio[0]).toHaveLength(44100);
    for (let next = await iterator.next(); !next.done; next = await iterator.next())
      expect(next.value.length).toBeGreaterThan(0);
    expect((await sdaError(() => plain.generate(options))).code).toBe("ERR_SDA_DISPOSED");
    const refused = async (model: LoadedModel, vocoder: GenerateOptions["vocoder"]) =>
      (await sdaError(() => model.generate({ vocoder: vocoder as "model" }))).details?.["option"];
    expect(await refused(plain, "model")).toBe("vocoder");
    expect(await refused(plain, early)).toBe("vocoder");
    expect(await refused(early, "model")).toBe("vocoder");
    plain.dispose();
    early.dispose();
  });
});
