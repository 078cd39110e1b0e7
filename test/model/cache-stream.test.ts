/** `ModelCache.stream`: the model stays loaded exactly as long as its stream. */
import { getEventListeners } from "node:events";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import {
  type GenerateOptions,
  type LoadedModel,
  ModelCache,
  type SoundStream,
  toWav,
  wavStream,
} from "../../lib/index.js";
import { engineAddon } from "../../lib/native/load-engine.js";
import type { EngineAddon } from "../../lib/native/types.js";
import { cpuUntilIdle, generated, withEngine } from "../support/engine.js";
import { sdaError } from "../support/errors.js";
import { fixture } from "../support/fixtures.js";
import { engineBuilt } from "../support/native.js";
import { collect, expectSameBits } from "../support/sound.js";

const TINY = fixture("models/tiny.sda");
const SHORT: GenerateOptions = { durationS: 2.5, seed: 3 };
/** Longer than what is made ahead of the reader. */
const LONG: GenerateOptions = { durationS: 60, seed: 3 };

describe.skipIf(!engineBuilt)("ModelCache.stream", () => {
  let engine: EngineAddon;
  /** Keeps no idle model: `cache.size` is 0 as soon as nobody uses the model. */
  let cache: ModelCache;

  beforeEach(() => {
    engine = engineAddon();
    vi.spyOn(engine, "startStream");
    vi.spyOn(engine, "closeStream");
    cache = new ModelCache({ maxBytes: 0, device: "cpu" });
  });
  // No test may leave a model or a request of the engine behind.
  afterEach(async () => {
    await cache.disposeAsync();
    expect(engine.closeStream).toHaveBeenCalledTimes(streamsStarted());
    vi.restoreAllMocks();
  });
  const streamsStarted = () =>
    vi.mocked(engine.startStream).mock.results.filter(({ type }) => type === "return").length;

  describe("the model stays loaded until the stream", () => {
    it("has given its last piece", async () => {
      const sound = await cache.stream(TINY, SHORT);
      expect(cache.size).toBe(1);
      expect((await sound.next()).done).toBe(false);
      expect(cache.size).toBe(1);
      await collect(sound);
      expect(cache.size).toBe(0);
      expect(await sound.next()).toEqual({ done: true, value: undefined });
    });

    it("is left in the middle", async () => {
      for await (const _ of await cache.stream(TINY, LONG)) {
        expect(cache.size).toBe(1);
        break;
      }
      expect(cache.size).toBe(0);
    });

    it.each<[string, (sound: SoundStream) => Promise<unknown>]>([
      ["return", (sound) => sound.return()],
      ["throw", (sound) => sound.throw(new Error("mine")).catch((error) => error)],
      ["await using", (sound) => sound[Symbol.asyncDispose]()],
      ["the return of its WAV file", (sound) => wavStream(sound).return()],
      [
        "the throw of its WAV file",
        (sound) =>
          wavStream(sound)
            .throw(0)
            .catch(() => {}),
      ],
      ["the cancelled body of a response", (sound) => body(sound).cancel()],
    ])("is left unread, by %s", async (_, leave) => {
      const sound = await cache.stream(TINY, LONG);
      expect(cache.size).toBe(1);
      await leave(sound);
      expect(cache.size).toBe(0);
      expect((await sound.next()).done).toBe(true);
    });

    it("fails", async () => {
      const failure = new Error("the engine's");
      vi.spyOn(engine, "nextPiece").mockRejectedValueOnce(failure);
      const sound = await cache.stream(TINY, LONG);
      expect(cache.size).toBe(1);
      await expect(sound.next()).rejects.toBe(failure);
      expect(cache.size).toBe(0);
    });

    it("has a reader that fails", async () => {
      const reason = new Error("the reader's");
      const reading = async () => {
        for await (const _ of wavStream(await cache.stream(TINY, LONG))) throw reason;
      };
      await expect(reading()).rejects.toBe(reason);
      expect(cache.size).toBe(0);
    });

    it.each([
      ["before its first piece", 0],
      ["between two pieces", 1],
    ])("is aborted, %s", async (_, pieces) => {
      const reason = new Error("the client has gone");
      const left = new AbortController();
      const sound = await cache.stream(TINY, { ...LONG, signal: left.signal });
      for (let i = 0; i < pieces; i++) await sound.next();
      expect(cache.size).toBe(1);
      left.abort(reason);
      expect(cache.size).toBe(0);
      await expect(sound.next()).rejects.toBe(reason);
      expect(getEventListeners(left.signal, "abort")).toEqual([]);
    });

    it("is aborted while a piece is awaited", async () => {
      const reason = new Error("the client has gone");
      const left = new AbortController();
      const sound = await cache.stream(TINY, { ...LONG, signal: left.signal });
      const pending = (async () => {
        for await (const _ of sound);
      })();
      setTimeout(() => left.abort(reason), 20);
      await expect(pending).rejects.toBe(reason);
      expect(cache.size).toBe(0);
    });

    it.each<[string, (sound: SoundStream) => unknown]>([
      ["unread", () => {}],
      ["after its first piece", (sound) => sound.next()],
      ["with its WAV file", (sound) => wavStream(sound)],
      ["in a response without a reader", (sound) => new Response(body(sound))],
      ["with the first part of its WAV file", (sound) => wavStream(sound).next()],
    ])("is garbage-collected, %s, even if its signal lives on", async (_, drop) => {
      const { signal } = new AbortController();
      await (async () => {
        await drop(await cache.stream(TINY, { ...LONG, signal }));
      })();
      expect(cache.size).toBe(1);
      const collectGarbage = gc();
      await vi.waitFor(
        () => {
          collectGarbage();
          expect(cache.size).toBe(0);
        },
        { timeout: 100_000, interval: 10 },
      );
      expect(getEventListeners(signal, "abort")).toEqual([]);
    });
  });

  it("keeps the model while its reader is slow, through any garbage collection", async () => {
    const collectGarbage = gc();
    const wav = wavStream(await cache.stream(TINY, { ...SHORT, durationS: 20 }));
    let bytes = 0;
    for await (const part of wav) {
      bytes += part.length;
      collectGarbage();
      await sleep(1);
      if (bytes < (wav.byteLength as number)) expect(cache.size).toBe(1);
    }
    expect(bytes).toBe(wav.byteLength);
    expect(cache.size).toBe(0);
  });

  it("gives the samples, the format and the seed of LoadedModel.stream", async () => {
    const expected = await cache.use(TINY, async (model) => ({
      samples: await generated(model, { ...SHORT, loudness: "running" }),
      format: model.audioFormat(SHORT),
    }));
    const sound = await cache.stream(TINY, SHORT);
    expect(sound).toMatchObject({ format: expected.format, seed: 3 });
    expectSameBits(await collect(sound), expected.samples);
  });

  it("draws a seed, which makes the same sound again", async () => {
    const sound = await cache.stream(TINY, { durationS: 1 });
    const samples = await collect(sound);
    const again = await cache.stream(TINY, { durationS: 1, seed: sound.seed });
    expectSameBits(await collect(again), samples);
  });

  it("is a whole response: its length, and the bytes of toWav", async () => {
    const wav = wavStream(await cache.stream(TINY, SHORT), { bitDepth: 16 });
    const bytes = Buffer.from(await new Response(wav.toReadableStream()).arrayBuffer());
    expect(wav.byteLength).toBe(bytes.length);
    const made = await cache.use(TINY, (model) =>
      model.generate({ ...SHORT, loudness: "running" }),
    );
    expect(bytes.equals(toWav(made, { bitDepth: 16 }))).toBe(true);
  });

  it("shares one model with other streams and uses, which keep it when one of them ends", async () => {
    const first = await cache.stream(TINY, LONG);
    const second = await cache.stream(TINY, LONG);
    await cache.use(TINY, async () => expect(cache.size).toBe(1));
    await first.return();
    await first.return(); // ends one user, not two
    await first[Symbol.asyncDispose]();
    expect(cache.size).toBe(1);
    expect((await second.next()).done).toBe(false);
    await second.return();
    expect(cache.size).toBe(0);
  });

  it("makes dispose wait for it", async () => {
    const sound = await cache.stream(TINY, SHORT);
    let disposed = false;
    const disposing = cache.disposeAsync().then(() => {
      disposed = true;
    });
    await cpuUntilIdle();
    expect(disposed).toBe(false);
    expect((await collect(sound)).length).toBe(sound.format.frames);
    await disposing;
    expect((await sdaError(() => cache.stream(TINY))).code).toBe("ERR_SDA_DISPOSED");
  });

  describe("what fails before the first piece rejects the call and leaves no model", () => {
    it.each<[string, string, () => Promise<unknown>]>([
      ["a bad option", "ERR_SDA_ARGUMENT", () => cache.stream(TINY, { durationS: -1 })],
      ["loudness peak", "ERR_SDA_ARGUMENT", () => cache.stream(TINY, { loudness: "peak" })],
      ["no options", "ERR_SDA_ARGUMENT", () => cache.stream(TINY, null as never)],
      ["an unknown option", "ERR_SDA_ARGUMENT", () => cache.stream(TINY, { duration: 2 } as never)],
      ["a bad signal", "ERR_SDA_ARGUMENT", () => cache.stream(TINY, { signal: {} as never })],
      ["a bad path", "ERR_SDA_ARGUMENT", () => cache.stream("")],
      ["a missing file", "ERR_SDA_NOT_FOUND", () => cache.stream(join(TINY, "no"))],
    ])("%s", async (_, code, call) => {
      expect((await sdaError(call)).code).toBe(code);
      expect(cache.size).toBe(0);
      expect(streamsStarted()).toBe(0);
    });

    it("a full engine", async () => {
      await withEngine({ maxRequests: 1 }, async () => {
        const sound = await cache.stream(TINY, LONG);
        expect((await sdaError(() => cache.stream(TINY, LONG))).code).toBe("ERR_SDA_LIMIT");
        expect(cache.size).toBe(1);
        await sound.return();
      });
      expect(cache.size).toBe(0);
    });

    it("an aborted signal", async () => {
      const reason = new Error("gone already");
      const signal = AbortSignal.abort(reason);
      await expect(cache.stream(TINY, { signal })).rejects.toBe(reason);
      expect(cache.size).toBe(0);
    });

    it("a signal that aborts while the model is loaded", async () => {
      const reason = new Error("gone meanwhile");
      const left = new AbortController();
      const { createModel } = engine;
      vi.spyOn(engine, "createModel").mockImplementationOnce(async (...args) => {
        left.abort(reason);
        return createModel(...args);
      });
      await expect(cache.stream(TINY, { signal: left.signal })).rejects.toBe(reason);
      await cache.disposeAsync();
      expect(cache.size).toBe(0);
    });
  });
});

describe.skipIf(!engineBuilt)("a model that outlives `use`", () => {
  it("says what to do instead, however it is used", async () => {
    await using cache = new ModelCache({ maxBytes: 0, device: "cpu" });
    const lent: LoadedModel = await cache.use(TINY, async (model) => model);
    const unread = await cache.use(TINY, async (model) => wavStream(model.stream(SHORT)));
    for (const call of [
      () => unread.next(),
      () => lent.stream(),
      () => lent.generate(),
      () => lent.sliders(),
      () => lent.model.stateDict(),
    ]) {
      const { code, message } = await sdaError(call);
      expect(code).toBe("ERR_SDA_DISPOSED");
      expect(message).toContain("`use`");
      expect(message).toContain("`cache.stream`");
    }
  });
});

function body(sound: SoundStream): ReadableStream<Uint8Array> {
  return wavStream(sound).toReadableStream();
}

function gc(): () => void {
  setFlagsFromString("--expose-gc");
  return runInNewContext("gc") as () => void;
}
