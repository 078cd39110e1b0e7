import { getEventListeners } from "node:events";
import {
  constants,
  copyFileSync,
  linkSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { stat } from "node:fs/promises";
import { join, relative } from "node:path";
import { setImmediate as nextTurn } from "node:timers/promises";
import { pathToFileURL } from "node:url";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { type LoadedModel, loadModel, ModelCache, Tensor } from "../../lib/index.js";
import { engineAddon } from "../../lib/native/load-engine.js";
import type { CancelToken, EngineAddon, ModelHandle } from "../../lib/native/types.js";
import { corpus, corpusFile } from "../support/corpus.js";
import { count } from "../support/effort.js";
import { sdaError } from "../support/errors.js";
import { fixture } from "../support/fixtures.js";
import { temporaryFolder } from "../support/folder.js";
import { engineBuilt } from "../support/native.js";

const TINY = fixture("models/tiny.sda");
/** Another model: without an encoder, so its size differs. */
const OTHER = fixture("models/tiny-decoder-only.sda");

// Copies of a model of 12 MB: 2.5 GB for 200 of them.
const MODELS = count({ quick: 40, full: 200 });
const TASKS = 16;
const USES = count({ quick: 400, full: 10_000 });

let engine: EngineAddon;
/** All models in memory, and the bytes of their weights. */
let live: Map<ModelHandle, number>;
/** `engine.open` without the spy. */
let open: EngineAddon["open"];

describe.skipIf(!engineBuilt)("ModelCache", () => {
  beforeEach(() => {
    engine = engineAddon();
    live = new Map();
    open = engine.open;
    const { createModel, dispose } = engine;
    vi.spyOn(engine, "open");
    vi.spyOn(engine, "createModel").mockImplementation(async (...args) => {
      const created = await createModel(...args);
      live.set(created.model, created.byteLength);
      return created;
    });
    vi.spyOn(engine, "dispose").mockImplementation((...args) => {
      live.delete(args[0]);
      return dispose(...args);
    });
  });
  // Every test disposes of its cache, so no model may be left after any test.
  afterEach(() => {
    expect(live.size).toBe(0);
    vi.restoreAllMocks();
  });

  describe("one load", () => {
    it("serves all uses that begin while it runs, however they spell the path", async () => {
      await using cache = new ModelCache({ device: "cpu" });
      const folder = temporaryFolder();
      const path = copy(folder);
      symlinkSync(path, join(folder, "symbolic.sda"));
      linkSync(path, join(folder, "hard.sda"));
      const spellings = [
        path,
        relative(".", path),
        `${folder}/./x/../a.sda`,
        pathToFileURL(path),
        join(folder, "symbolic.sda"),
        join(folder, "hard.sda"),
      ];
      const models = await Promise.all(spellings.map((spelling) => cache.use(spelling, itself)));
      expect(new Set(models).size).toBe(1);
      expect(engine.open).toHaveBeenCalledTimes(1);
      expect(cache.size).toBe(1);
    });

    it("serves all later uses", async () => {
      await using cache = new ModelCache();
      const first = await cache.use(TINY, itself);
      expect(await cache.use(TINY, itself)).toBe(first);
      expect(engine.open).toHaveBeenCalledTimes(1);
    });

    it("is made for each file: a copy is another file", async () => {
      await using cache = new ModelCache();
      const folder = temporaryFolder();
      const paths = [copy(folder), copy(folder, "b.sda")];
      const models = await Promise.all(paths.map((path) => cache.use(path, itself)));
      expect(new Set(models).size).toBe(2);
      expect(cache.size).toBe(2);
    });

    it("follows the options", async () => {
      const openAtOnce = vi.spyOn(engine, "openAtOnce");
      await using verifying = new ModelCache();
      await verifying.use(TINY, itself);
      expect(engine.open).toHaveBeenCalledWith(TINY, { verify: true }, expect.anything());
      expect(openAtOnce).not.toHaveBeenCalled();
      await using mapping = new ModelCache({ verify: false });
      await mapping.use(TINY, itself);
      expect(openAtOnce).toHaveBeenCalledTimes(1);
      await using elsewhere = new ModelCache({ device: "cuda:99" });
      expect((await sdaError(() => elsewhere.use(TINY, itself))).code).toBe("ERR_SDA_DEVICE");
    });
  });

  describe("the budget", () => {
    it("counts the weights", async () => {
      await using cache = new ModelCache();
      expect(cache.bytes).toBe(0);
      let expected = 0;
      for (const path of [TINY, OTHER, fixture("models/tiny-bfloat16.sda")]) {
        const weights = await cache.use(path, async (model) => {
          const counts = [...model.model.stateDict()].filter(([name]) => !name.endsWith("tracked"));
          const floats = counts.reduce((sum, [, { data }]) => sum + data.length, 0);
          expect(model.byteLength).toBe(4 * floats);
          return model.byteLength;
        });
        expected += weights;
        expect(cache.bytes).toBe(expected);
      }
      expect(cache.size).toBe(3);
    });

    it("is kept by dropping the model that has been idle longest", async () => {
      await using cache = new ModelCache({ maxBytes: 2 * (await weightsOf(TINY)) });
      const [a, b, c] = [copy(), copy(), copy()];
      const modelA = await cache.use(a, itself);
      const modelB = await cache.use(b, itself);
      await cache.use(a, itself);
      await cache.use(c, itself);
      expect(isDisposed(modelB)).toBe(true);
      expect(await cache.use(a, itself)).toBe(modelA);
      expect(cache.size).toBe(2);
      expect(await cache.use(b, itself)).not.toBe(modelB);
      expect(isDisposed(modelA)).toBe(false);
    });

    it("is kept as soon as a model is loaded", async () => {
      const size = await weightsOf(TINY);
      await using cache = new ModelCache({ maxBytes: size });
      const [a, b] = [copy(), copy()];
      const idle = await cache.use(a, itself);
      await cache.use(b, async () => {
        expect(isDisposed(idle)).toBe(true);
        expect(cache.bytes).toBe(size);
      });
    });

    it("is exceeded only by models in use, and kept again when their uses end", async () => {
      const size = await weightsOf(TINY);
      await using cache = new ModelCache({ maxBytes: size });
      const uses = await Promise.all([
        begin(cache, copy()),
        begin(cache, copy()),
        begin(cache, copy()),
      ]);
      const [first, second, third] = uses;
      expect(uses.map(({ model }) => isDisposed(model))).toEqual([false, false, false]);
      expect([cache.size, cache.bytes]).toEqual([3, 3 * size]);
      await second.end();
      expect(uses.map(({ model }) => isDisposed(model))).toEqual([false, true, false]);
      expect([cache.size, cache.bytes]).toEqual([2, 2 * size]);
      await first.end();
      await third.end();
      expect(uses.map(({ model }) => isDisposed(model))).toEqual([true, true, false]);
      expect([cache.size, cache.bytes]).toEqual([1, size]);
    });

    it("of 0 keeps models that are in use or awaited", async () => {
      await using cache = new ModelCache({ maxBytes: 0 });
      const first = deferred<void>();
      let firstIsDone = false;
      const uses = [
        cache.use(TINY, async () => first.resolve()).then(() => (firstIsDone = true)),
        cache.use(TINY, async (model) => {
          await first.promise;
          await nextTurn();
          expect(firstIsDone).toBe(true);
          expect(isDisposed(model)).toBe(false);
        }),
      ];
      await Promise.all(uses);
      expect(engine.open).toHaveBeenCalledTimes(1);
      expect([cache.size, cache.bytes, live.size]).toEqual([0, 0, 0]);
    });

    it("of Infinity keeps all models", async () => {
      await using cache = new ModelCache({ maxBytes: Infinity });
      for (let i = 0; i < 5; i++) await cache.use(copy(), itself);
      expect(cache.size).toBe(5);
    });
  });

  describe("a file that changes", () => {
    const inPlace = (path: string) => writeFileSync(path, readFileSync(OTHER));
    const byAnother = (path: string) => {
      copyFileSync(OTHER, `${path}.new`);
      renameSync(`${path}.new`, path);
    };

    it.each([
      ["overwritten", inPlace],
      ["replaced", byAnother],
    ])("%s, is loaded again; running uses keep the old model", async (_, change) => {
      await using cache = new ModelCache();
      const path = copy();
      const old = await begin(cache, path);
      change(path);
      const model = await cache.use(path, itself);
      expect(model.model.hasEncoder).toBe(false);
      expect(isDisposed(old.model)).toBe(false);
      expect(old.model.model.hasEncoder).toBe(true);
      expect([cache.size, cache.bytes]).toEqual([2, model.byteLength + old.model.byteLength]);
      await old.end();
      expect(isDisposed(old.model)).toBe(true);
      expect([cache.size, cache.bytes]).toEqual([1, model.byteLength]);
      expect(await cache.use(path, itself)).toBe(model);
    });

    it("while its model is idle: the next use drops that model", async () => {
      await using cache = new ModelCache();
      const path = copy();
      const old = await cache.use(path, itself);
      byAnother(path);
      await cache.use(path, itself);
      expect(isDisposed(old)).toBe(true);
      expect(cache.size).toBe(1);
    });

    it("is noticed through a symbolic link, and when the link changes its target", async () => {
      await using cache = new ModelCache();
      const folder = temporaryFolder();
      const path = copy(folder);
      const link = join(folder, "link.sda");
      symlinkSync(path, link);
      await cache.use(path, itself);
      byAnother(path);
      expect((await cache.use(link, itself)).model.hasEncoder).toBe(false);
      rmSync(link);
      symlinkSync(TINY, link);
      expect((await cache.use(link, itself)).model.hasEncoder).toBe(true);
    });

    it("is noticed by its ctime alone", async () => {
      await using cache = new ModelCache();
      const path = copy();
      const old = await cache.use(path, itself);
      const { atime, mtime } = statSync(path);
      utimesSync(path, atime, mtime);
      const before = await cache.use(path, itself);
      expect(before).not.toBe(old);
      const { ctimeNs } = statSync(path, { bigint: true });
      do {
        writeFileSync(path, readFileSync(TINY));
        utimesSync(path, atime, mtime);
      } while (statSync(path, { bigint: true }).ctimeNs === ctimeNs);
      expect(await cache.use(path, itself)).not.toBe(before);
      expect(cache.size).toBe(1);
    });

    it("before it is read: the model is not kept for the old file", async () => {
      await using cache = new ModelCache();
      const path = copy();
      const loads = holdLoads();
      const using = cache.use(path, itself);
      await loads.begun(1);
      byAnother(path);
      loads.go();
      expect((await using).model.hasEncoder).toBe(false);
      expect([cache.size, cache.bytes, live.size]).toEqual([0, 0, 0]);
      const model = await cache.use(path, itself);
      expect(await cache.use(path, itself)).toBe(model);
      expect(engine.open).toHaveBeenCalledTimes(2);
    });

    it("after it is read, but not yet loaded: the model is not kept for the new file", async () => {
      await using cache = new ModelCache();
      const path = copy();
      vi.mocked(engine.open).mockImplementationOnce(async (...args) => {
        const opened = await open(...args);
        byAnother(path);
        return opened;
      });
      expect((await cache.use(path, itself)).model.hasEncoder).toBe(true);
      expect(cache.size).toBe(0);
      expect((await cache.use(path, itself)).model.hasEncoder).toBe(false);
      expect(cache.size).toBe(1);
    });

    it("while it is loaded: no use gets the model of a file that its path never led to", async () => {
      await using cache = new ModelCache();
      const folder = temporaryFolder();
      const path = copy(folder);
      const link = join(folder, "link.sda");
      symlinkSync(path, link);
      const loads = holdLoads();
      const byLink = cache.use(link, itself);
      await loads.begun(1);
      const byPath = cache.use(path, itself);
      await fileLookups();
      rmSync(link);
      symlinkSync(OTHER, link);
      loads.go();
      expect((await byLink).model.hasEncoder).toBe(false);
      expect((await byPath).model.hasEncoder).toBe(true);
      expect(engine.open).toHaveBeenCalledTimes(2);
    });
  });

  describe("a failed load", () => {
    it("rejects all waiting uses, and the next use tries again", async () => {
      await using cache = new ModelCache();
      const path = copy();
      const good = readFileSync(path);
      const bad = Buffer.from(good);
      bad.fill(0xff, 30_000, 30_100);
      writeFileSync(path, bad);
      const f = vi.fn(itself);
      const loads = holdLoads();
      const uses = [1, 2, 3].map(() => sdaError(() => cache.use(path, f)));
      await loads.begun(1);
      await fileLookups();
      loads.go();
      const errors = await Promise.all(uses);
      expect(new Set(errors).size).toBe(1);
      expect(errors[0]?.code).toBe("ERR_SDA_CORRUPT");
      expect(engine.open).toHaveBeenCalledTimes(1);
      await sdaError(() => cache.use(path, f));
      expect(engine.open).toHaveBeenCalledTimes(2);
      expect(f).not.toHaveBeenCalled();
      expect([cache.size, cache.bytes]).toEqual([0, 0]);
      writeFileSync(path, good);
      await cache.use(path, f);
      expect(f).toHaveBeenCalledTimes(1);
    });

    it("has the code of the reason", async () => {
      await using cache = new ModelCache();
      const path = copy();
      const long = join(temporaryFolder(), "x".repeat(300));
      expect((await sdaError(() => cache.use(`${path}.no`, itself))).code).toBe(
        "ERR_SDA_NOT_FOUND",
      );
      expect((await sdaError(() => cache.use(join(path, "a"), itself))).code).toBe(
        "ERR_SDA_NOT_FOUND",
      );
      expect((await sdaError(() => cache.use(long, itself))).code).toBe("ERR_SDA_IO");
      expect((await sdaError(() => cache.use(temporaryFolder(), itself))).code).toBe(
        "ERR_SDA_FORMAT",
      );
    });
  });

  describe("a file that is deleted", () => {
    it("is not found, and its idle model is dropped", async () => {
      await using cache = new ModelCache();
      const folder = temporaryFolder();
      const path = copy(folder);
      const link = join(folder, "link.sda");
      symlinkSync(path, link);
      for (const name of [path, link]) {
        copy(folder);
        const model = await cache.use(name, itself);
        rmSync(path);
        const error = await sdaError(() => cache.use(name, itself));
        expect(error.code).toBe("ERR_SDA_NOT_FOUND");
        expect(error.details?.["path"]).toBe(name);
        expect(isDisposed(model)).toBe(true);
        expect(cache.size).toBe(0);
      }
    });

    it("keeps its model for running uses", async () => {
      await using cache = new ModelCache();
      const path = copy();
      const use = await begin(cache, path);
      rmSync(path);
      await sdaError(() => cache.use(path, itself));
      expect(isDisposed(use.model)).toBe(false);
      await use.end();
      expect(isDisposed(use.model)).toBe(true);
      expect(cache.size).toBe(0);
    });
  });

  describe("the function", () => {
    const failure = new Error("mine");
    it.each<[string, () => Promise<unknown>]>([
      [
        "throws",
        () => {
          throw failure;
        },
      ],
      ["rejects at once", () => Promise.reject(failure)],
      [
        "rejects later",
        () =>
          nextTurn().then(() => {
            throw failure;
          }),
      ],
    ])("%s: `use` rejects with the same error, and the model is free again", async (_, f) => {
      await using cache = new ModelCache({ maxBytes: 0 });
      await expect(cache.use(TINY, f)).rejects.toBe(failure);
      expect([cache.size, live.size]).toEqual([0, 0]);
    });

    it("returns the result of `use`", async () => {
      await using cache = new ModelCache();
      const value = { any: "thing" };
      expect(await cache.use(TINY, async () => value)).toBe(value);
      expect(await cache.use(TINY, () => undefined as never)).toBeUndefined();
    });

    it("may use the cache, and the same model", async () => {
      await using cache = new ModelCache({ maxBytes: 0 });
      await cache.use(TINY, async (outer) => {
        expect(await cache.use(TINY, itself)).toBe(outer);
        await cache.use(OTHER, itself);
        expect(isDisposed(outer)).toBe(false);
      });
    });

    it("can't dispose of a model that other uses have", async () => {
      await using cache = new ModelCache();
      const other = await begin(cache, TINY);
      await cache.use(TINY, async (model) => {
        model.dispose();
        model[Symbol.dispose]();
        await model.disposeAsync();
        await using mine = model;
        expect(mine.sliders()).toHaveLength(3);
      });
      expect(isDisposed(other.model)).toBe(false);
      await other.end();
      expect(await cache.use(TINY, itself)).toBe(other.model);
      expect(live.size).toBe(1);
    });
  });

  describe("clear", () => {
    it("drops idle models only", async () => {
      await using cache = new ModelCache();
      const use = await begin(cache, TINY);
      const idle = await cache.use(OTHER, itself);
      cache.clear();
      expect(isDisposed(idle)).toBe(true);
      expect([cache.size, cache.bytes]).toEqual([1, use.model.byteLength]);
      await use.end();
      expect(await cache.use(TINY, itself)).toBe(use.model);
    });
  });

  describe("dispose", () => {
    it("drops idle models at once, and the others when their uses end", async () => {
      const cache = new ModelCache();
      const use = await begin(cache, TINY);
      const idle = await cache.use(OTHER, itself);
      cache.dispose();
      expect(isDisposed(idle)).toBe(true);
      expect(isDisposed(use.model)).toBe(false);
      expect(cache.size).toBe(1);
      await use.end();
      expect(isDisposed(use.model)).toBe(true);
      expect([cache.size, cache.bytes]).toEqual([0, 0]);
    });

    it("refuses later uses, whatever the path", async () => {
      const cache = new ModelCache();
      cache.dispose();
      for (const path of [TINY, "missing.sda", "x".repeat(300)]) {
        expect((await sdaError(() => cache.use(path, itself))).code).toBe("ERR_SDA_DISPOSED");
      }
      expect(engine.open).not.toHaveBeenCalled();
    });

    it("refuses uses that still look up their file, and serves uses that wait for a load", async () => {
      const cache = new ModelCache();
      const loads = holdLoads();
      const waiting = cache.use(TINY, async (model) => isDisposed(model));
      await loads.begun(1);
      const early = sdaError(() => cache.use(TINY, itself));
      const disposing = cache.disposeAsync();
      loads.go();
      expect((await early).code).toBe("ERR_SDA_DISPOSED");
      expect(await waiting).toBe(false);
      await disposing;
      expect(live.size).toBe(0);
    });

    it("can be repeated, and resolves when all models are free", async () => {
      const cache = new ModelCache();
      const use = await begin(cache, TINY);
      await cache.use(OTHER, itself);
      let free = false;
      cache.dispose();
      const disposing = cache.disposeAsync().then(() => {
        free = true;
      });
      cache[Symbol.dispose]();
      await nextTurn();
      expect(free).toBe(false);
      await use.end();
      await disposing;
      await cache.disposeAsync();
      await cache[Symbol.asyncDispose]();
      expect(engine.dispose).toHaveBeenCalledTimes(2);
    });

    it("waits for work that outlives the function, and refuses later work", async () => {
      const cache = new ModelCache();
      let work: Promise<unknown> = Promise.resolve();
      const model = await cache.use(TINY, async (model) => {
        work = model.model.decode(latent(model));
        return model;
      });
      await cache.disposeAsync();
      await expect(work).resolves.toBeInstanceOf(Tensor);
      expect((await sdaError(() => model.model.decode(latent(model)))).code).toBe(
        "ERR_SDA_DISPOSED",
      );
    });

    it("works on an empty cache, and at the end of a `using` block", async () => {
      await new ModelCache().disposeAsync();
      let cache: ModelCache;
      {
        using mine = new ModelCache();
        cache = mine;
        await cache.use(TINY, itself);
      }
      expect(cache.size).toBe(0);
    });
  });

  describe("a signal", () => {
    const reason = new Error("no longer wanted");

    it("rejects a waiting use at once, and no other use", async () => {
      await using cache = new ModelCache();
      const loads = holdLoads();
      const controller = new AbortController();
      const aborted = cache.use(TINY, itself, { signal: controller.signal });
      const other = cache.use(TINY, itself, { signal: new AbortController().signal });
      await loads.begun(1);
      await fileLookups();
      controller.abort(reason);
      await expect(aborted).rejects.toBe(reason); // while the load is held
      loads.go();
      expect(isDisposed(await other)).toBe(false);
      expect(engine.open).toHaveBeenCalledTimes(1);
      expect(cache.size).toBe(1);
    });

    it("stops a load when no use waits for it, and the next use begins another load", async () => {
      await using cache = new ModelCache();
      const cancelled = watchCancelled();
      const loads = holdLoads();
      const controllers = [new AbortController(), new AbortController()];
      const uses = controllers.map(({ signal }) => cache.use(TINY, itself, { signal }));
      const outcomes = Promise.allSettled(uses);
      await loads.begun(1);
      await fileLookups();
      controllers[0]?.abort(reason);
      await nextTurn();
      expect(cancelled).toHaveLength(0);
      controllers[1]?.abort(reason);
      await outcomes;
      expect(cancelled).toEqual([vi.mocked(engine.open).mock.calls[0]?.[2]]);
      const next = cache.use(TINY, itself);
      await loads.begun(2);
      loads.go();
      expect(isDisposed(await next)).toBe(false);
      expect(cache.size).toBe(1);
    });

    it("leaves no model behind when it comes too late to stop the load", async () => {
      await using cache = new ModelCache();
      const controller = new AbortController();
      const { createModel } = engine;
      vi.mocked(engine.createModel).mockImplementationOnce(async (...args) => {
        const created = await createModel(...args);
        controller.abort(reason);
        return created;
      });
      await expect(cache.use(TINY, itself, { signal: controller.signal })).rejects.toBe(reason);
      await cache.disposeAsync(); // waits for the load
      expect(engine.dispose).toHaveBeenCalledTimes(1);
      expect([cache.size, cache.bytes]).toEqual([0, 0]);
    });

    it("that is aborted before the load begins prevents the load", async () => {
      await using cache = new ModelCache();
      const early = cache.use(TINY, itself, { signal: AbortSignal.abort(reason) });
      await expect(early).rejects.toBe(reason);
      const controller = new AbortController();
      const using = cache.use(TINY, itself, { signal: controller.signal });
      controller.abort(reason);
      await expect(using).rejects.toBe(reason);
      await fileLookups();
      expect(engine.open).not.toHaveBeenCalled();
    });

    it("that serves many uses keeps no listener of them", async () => {
      await using cache = new ModelCache();
      const { signal } = new AbortController();
      for (let i = 0; i < 3; i++) await cache.use(TINY, itself, { signal });
      await nextTurn();
      expect(getEventListeners(signal, "abort")).toEqual([]);
    });

    it("does not stop the function, once it runs", async () => {
      await using cache = new ModelCache();
      const controller = new AbortController();
      const f = async () => {
        controller.abort(reason);
        await nextTurn();
        return "done";
      };
      expect(await cache.use(TINY, f, { signal: controller.signal })).toBe("done");
    });
  });

  describe(`${MODELS} models, a budget for 20 of them, ${TASKS} tasks, ${USES} uses`, () => {
    it("of two kinds of small models", async () => {
      const budget = 10 * ((await weightsOf(TINY)) + (await weightsOf(OTHER)));
      await stress([TINY, OTHER], budget);
    });

    it.skipIf(corpus === null)("of models of 12 MB", { timeout: 300_000 }, async () => {
      const MiB = 2 ** 20;
      const before = process.memoryUsage.rss();
      const { peakRss, largest } = await stress([corpusFile("models", "default.sda")], 256 * MiB);
      // A leak in a few dozen of the loads would exceed this.
      expect(peakRss - before).toBeLessThan((256 + 256) * MiB + TASKS * largest);
    });
  });

  it.each<[string, () => unknown]>([
    ["maxBytes", () => new ModelCache({ maxBytes: -1 })],
    ["maxBytes", () => new ModelCache({ maxBytes: Number.NaN })],
    ["maxBytes", () => new ModelCache({ maxBytes: "1" as never })],
    ["device", () => new ModelCache({ device: "gpu" as never })],
    ["verify", () => new ModelCache({ verify: 1 as never })],
    ["path", () => new ModelCache().use("", itself)],
    ["path", () => new ModelCache().use(new URL("https://example.org/a.sda"), itself)],
    ["f", () => new ModelCache().use(TINY, undefined as never)],
    ["signal", () => new ModelCache().use(TINY, itself, { signal: {} as never })],
    ["maxbytes", () => new ModelCache({ maxbytes: 1 } as never)],
    ["singal", () => new ModelCache().use(TINY, itself, { singal: null } as never)],
  ])("refuses a bad %s", async (option, call) => {
    const error = await sdaError(call);
    expect(error.code).toBe("ERR_SDA_ARGUMENT");
    expect(error.details?.["option"]).toBe(option);
  });
});

/** A use that lasts until `end`. */
async function begin(cache: ModelCache, path: string) {
  const model = deferred<LoadedModel>();
  const end = deferred<void>();
  const done = cache.use(path, async (given) => {
    model.resolve(given);
    await end.promise;
  });
  await Promise.race([model.promise, done]);
  return {
    model: await model.promise,
    end: () => {
      end.resolve();
      return done;
    },
  };
}

function deferred<T>() {
  let resolve: (value: T) => void = () => {};
  const promise = new Promise<T>((done) => {
    resolve = done;
  });
  return { promise, resolve };
}

async function itself(model: LoadedModel): Promise<LoadedModel> {
  return model;
}

function isDisposed(model: LoadedModel): boolean {
  try {
    model.model.stateDict();
    return false;
  } catch (error) {
    expect(error).toMatchObject({ code: "ERR_SDA_DISPOSED" });
    return true;
  }
}

function latent({ model }: LoadedModel): Tensor {
  return new Tensor("float32", [1, model.latentDim], new Float32Array(model.latentDim));
}

async function weightsOf(path: string): Promise<number> {
  await using model = await loadModel(path);
  return model.byteLength;
}

/** A file with the tiny model, in a folder of its own unless one is given. */
function copy(folder = temporaryFolder(), name = "a.sda", from = TINY): string {
  const path = join(folder, name);
  copyFileSync(from, path, constants.COPYFILE_FICLONE);
  return path;
}

/** Lets loads begin, and holds them until `go` is called. */
function holdLoads() {
  const gate = deferred<void>();
  const opening = vi.mocked(engine.open).mockImplementation(async (...args) => {
    await gate.promise;
    return open(...args);
  });
  return {
    begun: (times: number) => vi.waitFor(() => expect(opening).toHaveBeenCalledTimes(times)),
    go: () => gate.resolve(),
  };
}

/** Leaves time for the file look-ups that precede the load. */
async function fileLookups(): Promise<void> {
  for (let i = 0; i < 20; i++) await stat(TINY);
}

/** Collects the tokens that are cancelled from now on. */
function watchCancelled(): CancelToken[] {
  const cancelled: CancelToken[] = [];
  const { createCancelToken } = engine;
  vi.spyOn(engine, "createCancelToken").mockImplementation(() => {
    const token = createCancelToken();
    const cancel = token.cancel.bind(token);
    token.cancel = () => {
      cancelled.push(token);
      cancel();
    };
    return token;
  });
  return cancelled;
}

/** Uses copies of the sources at random, some far more often. Some uses fail or are aborted. */
async function stress(sources: string[], maxBytes: number) {
  const folder = temporaryFolder();
  const files = Array.from({ length: MODELS }, (_, i) => {
    const source = sources[i % sources.length] as string;
    return { path: copy(folder, `${i}.sda`, source), withoutEncoder: source === OTHER };
  });
  const largest = Math.max(...(await Promise.all(sources.map(weightsOf))));
  const cache = new ModelCache({ maxBytes, device: "cpu" });
  const random = randomNumbers();
  const failure = new Error("mine");
  const reason = new Error("no longer wanted");
  const outcomes = { served: 0, failed: 0, aborted: 0 };
  let begun = 0;
  let peak = 0;
  let peakRss = 0;

  async function task(): Promise<void> {
    while (begun++ < USES) {
      const { path, withoutEncoder } = files[
        Math.floor(MODELS * random() ** 6)
      ] as (typeof files)[number];
      const kind = Math.floor(20 * random());
      const f = async (model: LoadedModel) => {
        if (kind === 0) throw failure;
        await (kind < 5 ? model.model.decode(latent(model)) : nextTurn());
        const positions = model.sliders().map(() => 0);
        expect(model.slidersToLatent(positions)).toHaveLength(model.model.latentDim);
        expect(model.model.hasEncoder).toBe(!withoutEncoder);
        peak = Math.max(peak, liveBytes());
        peakRss = Math.max(peakRss, process.memoryUsage.rss());
      };
      const controller = new AbortController();
      const use = cache.use(path, f, { signal: controller.signal });
      if (kind === 19) setTimeout(() => controller.abort(reason), 3 * random());
      await use.then(
        () => outcomes.served++,
        (error) => {
          if (error === failure) outcomes.failed++;
          else if (error === reason) outcomes.aborted++;
          else throw error;
        },
      );
    }
  }
  await Promise.all(Array.from({ length: TASKS }, task));

  const { served, failed, aborted } = outcomes;
  expect(served + failed + aborted).toBe(USES);
  expect(Math.min(served, failed, aborted)).toBeGreaterThan(0);
  expect(peak).toBeLessThanOrEqual(maxBytes + TASKS * largest);
  await vi.waitFor(() => expect(live.size).toBe(cache.size)); // stopped loads may still be ending
  expect(cache.bytes).toBe(liveBytes());
  expect(cache.bytes).toBeLessThanOrEqual(maxBytes);
  expect(cache.bytes).toBeGreaterThan(maxBytes - largest);
  await cache.disposeAsync();
  expect([cache.size, cache.bytes, live.size]).toEqual([0, 0, 0]);
  return { peakRss, largest };
}

function liveBytes(): number {
  let sum = 0;
  for (const bytes of live.values()) sum += bytes;
  return sum;
}

/** Random numbers from 0 to below 1, the same in every run. */
function randomNumbers(): () => number {
  let state = 1;
  return () => {
    state = (state * 48_271) % 0x7fff_ffff; // Lehmer's generator, "minimal standard"
    return state / 0x7fff_ffff;
  };
}
