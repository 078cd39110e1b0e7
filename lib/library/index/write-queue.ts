import type { Patch } from "./index-image.js";
import { type LockOptions, withLock } from "./lock.js";
import type { IndexStore } from "./store.js";

interface Change {
  run(patch: Patch): void;
  resolve(): void;
  reject(reason: unknown): void;
  lockTimeoutMs: number | undefined;
}

/** Changes of one library's index, in order. Those that come while others wait or are written go together in one write. */
export class WriteQueue {
  readonly store: IndexStore;
  #waiting: Change[] = [];
  #isWriting = false;
  /** Ends the wait for the lock when nobody is left who wants it. */
  #abandon: AbortController | undefined;

  constructor(store: IndexStore) {
    this.store = store;
  }

  /**
   * `run` must not do anything but change the patch: it may be called more than once. What it throws rejects this change
   * alone, so it must throw before it changes anything.
   */
  change<T>(run: (patch: Patch) => T, { lockTimeoutMs, signal }: LockOptions): Promise<T> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) {
        reject(signal.reason);
        return;
      }
      let result: T;
      const settle = () => signal?.removeEventListener("abort", stop);
      const change: Change = {
        run: (patch) => {
          result = run(patch);
        },
        resolve: () => {
          settle();
          resolve(result);
        },
        reject: (reason) => {
          settle();
          reject(reason);
        },
        lockTimeoutMs,
      };
      const stop = () => {
        const place = this.#waiting.indexOf(change);
        if (place === -1) return; // being written: too late
        this.#waiting.splice(place, 1);
        change.reject(signal?.reason);
        if (this.#waiting.length === 0) this.#abandon?.abort();
      };
      signal?.addEventListener("abort", stop, { once: true });
      this.#waiting.push(change);
      if (!this.#isWriting) void this.#writeAll();
    });
  }

  async #writeAll(): Promise<void> {
    this.#isWriting = true;
    // The changes of this turn of the event loop first, so that they are one batch.
    await Promise.resolve();
    while (this.#waiting.length > 0) {
      let batch: Change[] = [];
      this.#abandon = new AbortController();
      const { signal } = this.#abandon;
      const options = { signal, ...longestTimeout(this.#waiting) };
      const refused = new Map<Change, unknown>();
      try {
        await withLock(this.store.folder, options, async () => {
          batch = this.#waiting;
          this.#waiting = [];
          await this.store.transact((patch) => {
            refused.clear();
            for (const change of batch) {
              try {
                change.run(patch);
              } catch (error) {
                refused.set(change, error);
              }
            }
          });
        });
        for (const change of batch) {
          if (refused.has(change)) change.reject(refused.get(change));
          else change.resolve();
        }
      } catch (error) {
        if (batch.length === 0) {
          // No lock: that goes for all who wait for it.
          if (signal.aborted && this.#waiting.length > 0) continue;
          batch = this.#waiting;
          this.#waiting = [];
        }
        for (const change of batch) change.reject(error);
      }
    }
    this.#isWriting = false;
  }
}

function longestTimeout(changes: Change[]): { lockTimeoutMs?: number } {
  const timeouts = changes.map(({ lockTimeoutMs }) => lockTimeoutMs);
  if (timeouts.includes(undefined)) return {};
  return { lockTimeoutMs: Math.max(...(timeouts as number[])) };
}
