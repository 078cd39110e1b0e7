/** Many requests at once: their limit, their order, and how they are stopped. */
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeAll, describe, expect, it } from "vitest";
import {
  configureEngine,
  type GenerateOptions,
  type LoadedModel,
  loadModel,
  Tensor,
} from "../../lib/index.js";
import { count } from "../support/effort.js";
import {
  bundledModel,
  cpuOf,
  cpuUntilIdle,
  generated,
  ofModel,
  withEngine,
} from "../support/engine.js";
import { sdaError } from "../support/errors.js";
import { fixture } from "../support/fixtures.js";
import { engineBuilt } from "../support/native.js";
import { collect, expectSameBits } from "../support/sound.js";
import { turnsDuring } from "../support/turns.js";

const LONG: GenerateOptions = { durationS: 60, seed: 1 };
const SHORT: GenerateOptions = { durationS: 1, seed: 2 };

const STOP_STEP_MS = count({ quick: 20, full: 5 });

/** Starts a request. `first` resolves after the first of many chunks. */
function begun(model: LoadedModel, options: GenerateOptions) {
  let result: Promise<unknown> = Promise.resolve();
  const first = new Promise<void>((done) => {
    result = model.generate({ ...options, onProgress: () => done() });
  });
  result.catch(() => {}); // awaited later
  return { first, result };
}

describe.skipIf(!engineBuilt)("the engine", () => {
  const tiny = ofModel(fixture("models/tiny.sda"));

  it("stops when onProgress throws, and rejects with that", async () => {
    const failure = new Error("enough");
    let calls = 0;
    const onProgress = () => {
      calls++;
      throw failure;
    };
    await expect(tiny().generate({ ...LONG, onProgress })).rejects.toBe(failure);
    expect(calls).toBe(1);
    await expect(tiny().generate({ ...SHORT, onProgress })).rejects.toBe(failure);
    await expect(collect(tiny().stream({ ...LONG, onProgress }))).rejects.toBe(failure);
  });

  it("returns its settings, and changes only those that are given", () => {
    const before = configureEngine();
    try {
      expect(configureEngine({ threads: 3 })).toEqual({ ...before, threads: 3 });
      expect(configureEngine({ maxRequests: 5 })).toEqual({ threads: 3, maxRequests: 5 });
      expect(configureEngine({})).toEqual({ threads: 3, maxRequests: 5 });
    } finally {
      expect(configureEngine(before)).toEqual(before);
    }
  });

  it.each([
    ["threads", { threads: 0 }],
    ["threads", { threads: 65 }],
    ["threads", { threads: 1.5 }],
    ["maxRequests", { maxRequests: 0 }],
    ["maxRequests", { maxRequests: 100_001 }],
    ["maxRequests", { threads: 7, maxRequests: Number.NaN }],
    ["options", null],
  ])("refuses bad %s (%o), and changes nothing", async (option, options) => {
    const before = configureEngine();
    const error = await sdaError(() => configureEngine(options as never));
    expect(error.code).toBe("ERR_SDA_ARGUMENT");
    expect(error.details?.["option"]).toBe(option);
    expect(configureEngine()).toEqual(before);
  });

  it("refuses a request above its limit, and goes on with the others", async () => {
    // A model of its own shows whether a refused request still holds it.
    const model = await loadModel(fixture("models/tiny.sda"), { device: "cpu" });
    await withEngine({ maxRequests: 2 }, async () => {
      const options = { durationS: 20, seed: 3 };
      const stream = model.stream(options);
      const others = [model.generate(options), stream.next()];
      const latent = new Float32Array(model.model.latentDim);
      for (const refused of [
        () => model.generate(SHORT),
        () => model.stream(SHORT).next(),
        () => model.model.decode(new Tensor("float32", [1, latent.length], latent)),
      ]) {
        const error = await sdaError(refused);
        expect(error.code).toBe("ERR_SDA_LIMIT");
        expect(error.details?.["limit"]).toBe(2);
      }
      const [generation, piece] = await Promise.all(others);
      expect(generation).toHaveProperty("durationS");
      expect(piece).toMatchObject({ done: false });
      await stream.return?.();
    });
    await model.generate(SHORT);
    await model.disposeAsync();
  });

  it("has room again when a request has ended, failed or been stopped", async () => {
    await withEngine({ maxRequests: 1 }, async () => {
      await tiny().generate(SHORT);
      await tiny().generate(SHORT);
      const controller = new AbortController();
      const { first, result } = begun(tiny(), { ...LONG, signal: controller.signal });
      await first;
      controller.abort();
      await expect(result).rejects.toBe(controller.signal.reason);
      await tiny().generate(SHORT);
    });
  });

  it.each([1, 2])("gives %d threads to short requests in between long ones", async (threads) => {
    await withEngine({ threads }, async () => {
      const ended: string[] = [];
      const long = Array.from({ length: 4 }, (_, i) => begun(tiny(), { durationS: 30, seed: i }));
      const all = long.map(({ result }) => result.then(() => ended.push("long")));
      await Promise.all(long.map(({ first }) => first));
      await tiny()
        .generate(SHORT)
        .then(() => ended.push("short"));
      await Promise.all(all);
      expect(ended).toEqual(["short", "long", "long", "long", "long"]);
    });
  });

  it("leaves the event loop free under 16 requests", async () => {
    const done: number[] = [];
    const turns = await turnsDuring(() =>
      Promise.all(
        Array.from({ length: 16 }, (_, seed) =>
          tiny().generate({ durationS: 20, seed, onProgress: (chunks) => done.push(chunks) }),
        ),
      ),
    );
    expect(done.length).toBeGreaterThan(16);
    expect(turns).toBeGreaterThan(200);
  });
});

describe.skipIf(!engineBuilt)("a signal", () => {
  const model = ofModel(bundledModel);
  /** The CPU time of a whole long request */
  let whole: number;
  beforeAll(async () => {
    await model().generate(SHORT);
    whole = await cpuOf(() => model().generate(LONG));
  });
  // After each test, no unwanted work may go on.
  afterEach(async () => {
    expect(await cpuUntilIdle()).toBeLessThan(whole / 4);
  });
  const reason = new Error("no longer wanted");

  it("stops a request that runs", async () => {
    const controller = new AbortController();
    const { first, result } = begun(model(), { ...LONG, signal: controller.signal });
    await first;
    controller.abort(reason);
    await expect(result).rejects.toBe(reason);
  });

  it("stops a request that waits for its turn, and leaves the one before it alone", async () => {
    const expected = await generated(model(), { durationS: 5, seed: 4 });
    await withEngine({ threads: 1 }, async () => {
      const progress: number[] = [];
      const busy = generated(model(), { durationS: 5, seed: 4 });
      const controller = new AbortController();
      const options = {
        ...LONG,
        signal: controller.signal,
        onProgress: (n: number) => progress.push(n),
      };
      const queued = model().generate(options);
      controller.abort(reason);
      await expect(queued).rejects.toBe(reason);
      expect(progress).toEqual([]);
      expectSameBits(await busy, expected);
    });
  });

  // Waiting requests are decoded together. A stopped request must not change the others' sounds.
  it.each([1, 2])(
    "does not affect requests that were decoded together, %d threads",
    async (threads) => {
      const seeds = Array.from({ length: 12 }, (_, seed) => seed);
      const latent = new Float32Array(model().model.latentDim).fill(0.25);
      const optionsOf = (seed: number): GenerateOptions => ({
        durationS: 1,
        seed,
        ...(seed % 4 === 3 && { latent }),
        ...(seed % 6 === 5 && { spatial: { mode: "dual_seed" } }),
      });
      const expected: Float32Array[] = [];
      for (const seed of seeds) expected.push(await generated(model(), optionsOf(seed)));
      await withEngine({ threads }, async () => {
        for (let stopAfterMs = 0; stopAfterMs < 40; stopAfterMs += STOP_STEP_MS) {
          const stopping = seeds.map(() => new AbortController());
          const stopped = stopping.map(({ signal }, seed) => {
            const result = model().generate({ ...optionsOf(seed), signal });
            return result.catch((error) => expect(error).toBe(reason));
          });
          const kept = seeds.map((seed) => generated(model(), optionsOf(seed)));
          await sleep(stopAfterMs);
          for (const controller of stopping) controller.abort(reason);
          for (const [seed, sound] of kept.entries())
            expectSameBits(await sound, expected[seed] as Float32Array, `seed ${seed}`);
          await Promise.all(stopped);
        }
      });
    },
  );

  it("stops all its requests, and no other", async () => {
    const controller = new AbortController();
    const { signal } = controller;
    const stopped = Array.from({ length: 8 }, (_, seed) =>
      begun(model(), { ...LONG, seed, signal }),
    );
    const other = model().generate({ durationS: 3, seed: 9 });
    await stopped[0]?.first;
    controller.abort(reason);
    for (const { result } of stopped) await expect(result).rejects.toBe(reason);
    expect((await other).durationS).toBeGreaterThan(2.5);
  });

  it("stops a stream while a piece is waited for", async () => {
    const controller = new AbortController();
    const stream = model().stream({ ...LONG, signal: controller.signal });
    await stream.next();
    const waiting = (async () => {
      for await (const _ of stream);
    })();
    controller.abort(reason);
    await expect(waiting).rejects.toBe(reason);
    expect(await stream.next()).toEqual({ done: true, value: undefined });
  });

  it("stops a stream between two pieces", async () => {
    const controller = new AbortController();
    const stream = model().stream({ ...LONG, signal: controller.signal });
    await stream.next();
    controller.abort(reason);
    await expect(stream.next()).rejects.toBe(reason);
    expect((await stream.next()).done).toBe(true);
  });

  it("that is already aborted starts no work", async () => {
    const progress: number[] = [];
    const signal = AbortSignal.abort(reason);
    const options = { ...LONG, signal, onProgress: (n: number) => progress.push(n) };
    await expect(model().generate(options)).rejects.toBe(reason);
    await expect(model().stream(options).next()).rejects.toBe(reason);
    expect(await cpuUntilIdle()).toBeLessThan(whole / 10);
    expect(progress).toEqual([]);
  });

  it("that is aborted later, or never, has no effect", async () => {
    const controller = new AbortController();
    const { signal } = controller;
    const { audio } = await model().generate({ ...SHORT, signal });
    const stream = model().stream({ ...SHORT, signal });
    for await (const piece of stream) expect(piece.length).toBeGreaterThan(0);
    controller.abort(reason);
    expectSameBits(audio[0] as Float32Array, await generated(model(), SHORT));
  });
});
