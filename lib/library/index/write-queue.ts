import { onAbort } from "../../base/on-abort.js";
import { type LockOptions, withLock } from "./lock.js";
import type { IndexPlace } from "./place.js";

/** A JSON file, on disk and in memory. */
export interface Store<Patch> {
  readonly folder: IndexPlace;
  /** Changes the file. `change` may be called more than once. The caller must hold the lock. */
  transact(change: (patch: Patch) => void): Promise<void>;
}

interface Change<Patch> {
  run(patch: Patch): void;
  resolve(): void;
  reject(reason: unknown): void;
  lockTimeoutMs: number | undefined;
}

/**
 * Makes the changes of one file, in order. Changes that arrive while the queue waits for the lock,
 * or writes, are written together.
 */
export class WriteQueue<Patch, S extends Store<Patch>> {
  readonly store: S;
  #waiting: Change<Patch>[] = [];
  #isWriting = false;
  /** Ends the wait for the lock when every waiting change has been aborted. */
  #abandon: AbortController | undefined;

  constructor(store: S) {
    this.store = store;
  }

  /**
   * Queues a change.
   *
   * @param run changes the patch and has no other effects, because it may be called more than once.
   *   If it throws, only this change fails, so it must throw before it changes the patch
   */
  change<T>(run: (patch: Patch) => T, { lockTimeoutMs, signal }: LockOptions): Promise<T> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) {
        reject(signal.reason);
        return;
      }
      let result: T;
      let settle = () => {};
      const change: Change<Patch> = {
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
        if (place === -1) return; // the change is being written and can't be stopped
        this.#waiting.splice(place, 1);
        change.reject(signal?.reason);
        if (this.#waiting.length === 0) this.#abandon?.abort();
      };
      settle = onAbort(signal, stop);
      this.#waiting.push(change);
      if (!this.#isWriting) void this.#writeAll();
    });
  }

  async #writeAll(): Promise<void> {
    this.#isWriting = true;
    // Wait for the other changes of this turn of the event loop: they join the batch.
    await Promise.resolve();
    while (this.#waiting.length > 0) {
      let batch: Change<Patch>[] = [];
      this.#abandon = new AbortController();
      const { signal } = this.#abandon;
      const options = { signal, ...longestTimeout(this.#waiting) };
      const refused = new Map<Change<Patch>, unknown>();
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
          // The lock was not obtained, so all waiting changes fail.
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

function longestTimeout(changes: Pick<Change<never>, "lockTimeoutMs">[]): {
  lockTimeoutMs?: number;
} {
  const timeouts = changes.map(({ lockTimeoutMs }) => lockTimeoutMs);
  if (timeouts.includes(undefined)) return {};
  return { lockTimeoutMs: Math.max(...(timeouts as number[])) };
}
