/** Streams: sound that is read while it is made. engine.test.ts compares it with `generate`. */
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { beforeAll, describe, expect, it } from "vitest";
import {
  type GenerateOptions,
  type LoadedModel,
  loadModel,
  type SdaError,
  wavBytes,
  wavStream,
} from "../../lib/index.js";
import { gather } from "../support/bytes.js";
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

const TINY = fixture("models/tiny.sda");
const CHUNKS = 60;
const LONG: GenerateOptions = { durationS: CHUNKS, seed: 1 };

/** The stream of a long sound. `done` returns how many of its chunks are finished. */
function watched(model: LoadedModel, options: GenerateOptions = {}) {
  const progress: [number, number][] = [];
  const onProgress = (done: number, total: number) => progress.push([done, total]);
  const stream = model.stream({ ...LONG, ...options, onProgress });
  return { stream, progress, done: () => progress.at(-1)?.[0] ?? 0 };
}

describe.skipIf(!engineBuilt)("a stream", () => {
  const model = ofModel(TINY);
  const bundled = ofModel(bundledModel);

  it("gives pieces of about a second, none empty, and reports every chunk", async () => {
    const { stream, progress } = watched(model());
    const lengths: number[] = [];
    for await (const piece of stream) lengths.push(piece.length);
    expect(lengths.reduce((a, b) => a + b)).toBe(model().audioFormat(LONG).frames);
    expect(lengths.length).toBeGreaterThanOrEqual(CHUNKS - 2);
    expect(Math.min(...lengths)).toBeGreaterThan(0);
    expect(Math.max(...lengths)).toBeLessThan(2 * 48000);
    expect(progress.at(-1)).toEqual([CHUNKS, CHUNKS]);
    expect(progress).toEqual(progress.toSorted(([a], [b]) => a - b));
  });

  it.each([16, 24, 32] as const)(
    "is the same WAV file of %d bits, whoever encodes it",
    async (bitDepth) => {
      const options: GenerateOptions = {
        durationS: 2.5,
        seed: 3,
        loudness: "none",
        sampleRate: 96000,
        spatial: { mode: "dual_seed" },
      };
      const format = { ...model().audioFormat(options), bitDepth };
      async function* samples() {
        yield* model().stream(options);
      }
      const whole = async (pieces: AsyncIterable<Float32Array>) =>
        gather(wavStream(pieces, format));
      const expected = await whole(samples());
      expect(expected.length).toBe(wavBytes(format));
      expect((await whole(model().stream(options))).equals(expected)).toBe(true);
      // A stream that was read as samples continues as samples.
      const begun = model().stream(options);
      const first = await begun.next();
      expect(first.value).toBeInstanceOf(Float32Array);
      const rest = wavStream(begun, { ...format, frames: undefined });
      const restBytes = (await gather(rest)).subarray(bitDepth === 32 ? 58 : 44);
      const data = expected.subarray(expected.length - restBytes.length);
      expect(restBytes.length).toBeGreaterThan(0);
      expect(restBytes.equals(data)).toBe(true);
    },
  );

  it("behaves the same as bytes when it is left, aborted or exhausted", async () => {
    const stopped = new AbortController();
    const pieces = model().stream({ ...LONG, signal: stopped.signal });
    const bytes = wavStream(pieces, model().audioFormat(LONG));
    await bytes.next();
    expect((await pieces.next()).done).toBe(true);
    stopped.abort(new Error("enough"));
    await expect(
      (async () => {
        for await (const _ of bytes);
      })(),
    ).rejects.toThrow("enough");
    const left = wavStream(model().stream(LONG), model().audioFormat(LONG));
    await left.next();
    await left.return?.();
    await cpuUntilIdle();
    expect((await left.next()).done).toBe(true);
  });

  it("ends at once when there is not even one sample", async () => {
    const pieces = await collect(model().stream({ durationS: 1e-5 }));
    expect(pieces).toHaveLength(0);
  });

  it("starts its work with the first request for a piece", async () => {
    const { stream, done } = watched(model());
    await cpuUntilIdle();
    expect(done()).toBe(0);
    await stream.return?.();
    expect(await stream.next()).toEqual({ done: true, value: undefined });
    expect(done()).toBe(0);
  });

  // More progress may be reported before the piece arrives, so the best of several attempts counts.
  // If a piece needed more chunks, each attempt would show it.
  it("gives the first of 60 pieces when at most 2 chunks are done", async () => {
    await withEngine({ threads: 1 }, async () => {
      let fewest = CHUNKS;
      for (let attempt = 0; attempt < 5 && fewest > 2; attempt++) {
        const { stream, done } = watched(bundled());
        expect((await stream.next()).done).toBe(false);
        fewest = Math.min(fewest, done());
        await stream.return?.();
        await cpuUntilIdle();
      }
      expect(fewest).toBeGreaterThan(0);
      expect(fewest).toBeLessThanOrEqual(2);
    });
  });

  describe.each([1, 4])("on %d threads", (threads) => {
    it("waits for a slow reader, and goes on with it", async () => {
      await withEngine({ threads }, async () => {
        const { stream, done } = watched(model());
        const ahead = 3 * threads + 4;
        let taken = 0;
        for (; taken < 3; taken++) {
          await stream.next();
          await cpuUntilIdle();
          expect(done()).toBeGreaterThan(taken);
          expect(done()).toBeLessThanOrEqual(taken + 1 + ahead);
        }
        const stalled = done();
        const rest = await collect(stream);
        expect(stalled).toBeLessThan(CHUNKS);
        expect(done()).toBe(CHUNKS);
        expect(rest.length).toBeGreaterThan(0);
      });
    });
  });

  it("that waits for its reader doesn't hold up others", async () => {
    await withEngine({ threads: 1 }, async () => {
      const streams = Array.from({ length: 4 }, () => model().stream(LONG));
      for (const stream of streams) await stream.next();
      await cpuUntilIdle();
      expect((await generated(model(), LONG)).length).toBeGreaterThan(0);
      for (const stream of streams) await stream.return?.();
    });
  });
});

describe.skipIf(!engineBuilt)("the work of a stream ends", () => {
  const model = ofModel(bundledModel);
  let whole: number;
  beforeAll(async () => {
    whole = await cpuOf(() => generated(model(), LONG));
  });

  it("when the reader breaks off", async () => {
    const cpu = await cpuOf(async () => {
      const { stream, done } = watched(model());
      for await (const piece of stream) {
        expect(piece.length).toBeGreaterThan(0);
        break;
      }
      expect(await stream.next()).toEqual({ done: true, value: undefined });
      await cpuUntilIdle();
      expect(done()).toBeLessThan(CHUNKS / 2);
    });
    expect(cpu).toBeLessThan(whole / 2);
  });

  it("when the reader fails", async () => {
    const reason = new Error("the reader's own");
    const reading = async () => {
      for await (const _ of model().stream(LONG)) throw reason;
    };
    const cpu = await cpuOf(() => expect(reading()).rejects.toBe(reason));
    expect(cpu).toBeLessThan(whole / 2);
  });

  it("when it is lost", async () => {
    setFlagsFromString("--expose-gc");
    const collectGarbage = runInNewContext("gc") as () => void;
    await withEngine({ maxRequests: 1 }, async () => {
      await (async () => {
        await model().stream(LONG).next();
      })();
      // The engine has room for another request only after the lost one is gone.
      for (;;) {
        collectGarbage();
        await new Promise((resolve) => setTimeout(resolve, 10));
        try {
          await model().generate({ durationS: 1 });
          break;
        } catch (error) {
          if ((error as SdaError).code !== "ERR_SDA_LIMIT") throw error;
        }
      }
    });
  });
});

describe.skipIf(!engineBuilt)("a model that is disposed of", () => {
  it("stays until its streams have given all their sound", async () => {
    const model = await loadModel(TINY, { device: "cpu" });
    const options = { durationS: 20, seed: 3 };
    const expected = await generated(model, { ...options, loudness: "running" });
    const stream = model.stream(options);
    const first = (await stream.next()).value as Float32Array;
    let disposed = false;
    const disposing = model.disposeAsync().then(() => {
      disposed = true;
    });
    await cpuUntilIdle();
    expect(disposed).toBe(false);
    const rest = await collect(stream);
    expectSameBits(first, expected.subarray(0, first.length));
    expectSameBits(rest, expected.subarray(first.length));
    await disposing;
  });

  it("is freed when its streams are left", async () => {
    const model = await loadModel(TINY, { device: "cpu" });
    const stream = model.stream(LONG);
    await stream.next();
    const disposing = model.disposeAsync();
    await stream.return?.();
    await disposing;
  });

  it("starts no stream", async () => {
    const model = await loadModel(TINY, { device: "cpu" });
    const stream = model.stream(LONG);
    model.dispose();
    expect((await sdaError(() => stream.next())).code).toBe("ERR_SDA_DISPOSED");
    expect((await sdaError(() => model.stream(LONG))).code).toBe("ERR_SDA_DISPOSED");
    expect((await sdaError(() => model.audioFormat(LONG))).code).toBe("ERR_SDA_DISPOSED");
  });
});
