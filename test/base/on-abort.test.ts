import { getEventListeners } from "node:events";
import { describe, expect, it, vi } from "vitest";
import { onAbort, pause } from "../../lib/base/on-abort.js";
import { ModelLibrary, verifyFile } from "../../lib/index.js";
import { stoppingProgress } from "../../lib/native/call.js";
import { load as loadTorch } from "../../lib/torch/index.js";
import { entry } from "../library/support.js";
import { fixture } from "../support/fixtures.js";
import { temporaryFolder } from "../support/folder.js";

const listeners = (signal: AbortSignal) => getEventListeners(signal, "abort").length;

describe("onAbort", () => {
  it("listens once for all calls, and not at all when none is left", () => {
    const { signal } = new AbortController();
    const releases = Array.from({ length: 30 }, () => onAbort(signal, () => {}));
    expect(listeners(signal)).toBe(1);
    for (const release of releases) {
      release();
      release();
    }
    expect(listeners(signal)).toBe(0);
  });

  it("calls each function that was not released, once", () => {
    const controller = new AbortController();
    const [kept, released] = [vi.fn(), vi.fn()];
    onAbort(controller.signal, kept);
    onAbort(controller.signal, kept);
    onAbort(controller.signal, released)();
    controller.abort();
    expect([kept.mock.calls.length, released.mock.calls.length]).toEqual([2, 0]);
    onAbort(controller.signal, released);
    expect(released).not.toHaveBeenCalled();
    expect(listeners(controller.signal)).toBe(0);
  });

  it("ends a pause", async () => {
    const controller = new AbortController();
    setTimeout(() => controller.abort(), 10);
    const begun = performance.now();
    await pause(60_000, controller.signal);
    expect(performance.now() - begun).toBeLessThan(5000);
    expect(listeners(controller.signal)).toBe(0);
  });
});

describe("stoppingProgress", () => {
  it("reports no more once the callback has thrown or the signal is aborted", () => {
    const failure = new Error("enough");
    const failing = vi.fn(() => {
      throw failure;
    });
    const stopping = stoppingProgress(undefined, failing);
    for (const done of [1, 2, 3]) stopping.onProgress?.(done, 3);
    expect(failing).toHaveBeenCalledExactlyOnceWith(1, 3);
    expect(stopping.signal?.reason).toBe(failure);

    const controller = new AbortController();
    const counting = vi.fn();
    const cancelled = stoppingProgress(controller.signal, counting);
    cancelled.onProgress?.(1, 3);
    controller.abort();
    cancelled.onProgress?.(2, 3);
    expect(counting).toHaveBeenCalledExactlyOnceWith(1, 3);
    cancelled.release();
  });
});

describe("a signal that many calls share", () => {
  it("brings no warning, and keeps no listener", async () => {
    const warned = vi.fn();
    process.on("warning", warned);
    const { signal } = new AbortController();
    const path = fixture("models/tiny.sda");
    const library = await ModelLibrary.open(temporaryFolder());
    await Promise.all(
      Array.from({ length: 30 }, (_, i) => [
        loadTorch(path, { signal }),
        verifyFile(path, { signal, onProgress: () => {} }),
        library.addEntry(entry(i + 1), { signal }),
      ]).flat(),
    );
    await new Promise((resolve) => setImmediate(resolve));
    process.off("warning", warned);
    expect(warned.mock.calls).toEqual([]);
    expect(listeners(signal)).toBe(0);
  });

  it("keeps no memory of calls with onProgress", () => {
    const controller = new AbortController();
    const { signal } = controller;
    const dependants = () =>
      Object.getOwnPropertySymbols(signal)
        .filter((symbol) => String(symbol).includes("DependantSignals"))
        .reduce((sum, symbol) => sum + (Reflect.get(signal, symbol)?.size ?? 0), 0);
    for (let i = 0; i < 1000; i++) stoppingProgress(signal, () => {}).release();
    expect([dependants(), listeners(signal)]).toEqual([0, 0]);
    const stopping = stoppingProgress(signal, () => {});
    controller.abort("reason");
    expect(stopping.signal?.reason).toBe("reason");
  });
});
