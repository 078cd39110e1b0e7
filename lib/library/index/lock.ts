import { setTimeout as sleep } from "node:timers/promises";
import { badArgument, checkSignal } from "../../base/check.js";
import { SdaError } from "../../base/errors.js";
import { callNative, callNativeSync } from "../../native/call.js";
import { checkpointAddon } from "../../native/load.js";
import type { LockHandle } from "../../native/types.js";
import type { ModelsFolder } from "./folder.js";

/** How long a change waits for others' changes of the same folder. */
export const LOCK_TIMEOUT_MS = 30_000;

/** Between two tries, growing from the first to the second, with some chance, so that waiters don't march in step. */
const FIRST_PAUSE_MS = 1;
const LONGEST_PAUSE_MS = 20;

/** How to wait for the folder's lock. */
export interface LockOptions {
  /** How long to wait for another process that changes the same folder; default 30,000. */
  lockTimeoutMs?: number;
  signal?: AbortSignal;
}

/** The names of `LockOptions`. */
export const LOCK_OPTIONS = ["lockTimeoutMs", "signal"] as const;

export function checkLockOptions({ lockTimeoutMs, signal }: LockOptions): void {
  checkSignal(signal);
  if (lockTimeoutMs !== undefined && !(typeof lockTimeoutMs === "number" && lockTimeoutMs >= 0)) {
    throw badArgument("lockTimeoutMs", "a number, 0 or more", lockTimeoutMs);
  }
}

/**
 * Runs `work` while nobody else, in this process or another, holds the folder's lock. The kernel keeps the lock: it is
 * free again as soon as its holder ends, however that happens. Programs that don't ask for it are not held up.
 *
 * @throws SdaError ERR_SDA_LOCKED after the timeout, ERR_SDA_NOT_FOUND, ERR_SDA_IO; `signal.reason`
 */
export async function withLock<T>(
  folder: ModelsFolder,
  { lockTimeoutMs = LOCK_TIMEOUT_MS, signal }: LockOptions,
  work: () => Promise<T>,
): Promise<T> {
  const addon = checkpointAddon();
  const lock = await acquire(folder.lock, lockTimeoutMs, signal);
  try {
    return await work();
  } finally {
    callNativeSync(() => addon.unlock(lock));
  }
}

async function acquire(path: string, timeoutMs: number, signal?: AbortSignal): Promise<LockHandle> {
  const addon = checkpointAddon();
  const deadline = performance.now() + timeoutMs;
  for (let longest = FIRST_PAUSE_MS; ; longest = Math.min(2 * longest, LONGEST_PAUSE_MS)) {
    signal?.throwIfAborted();
    // A try never waits in the kernel, so waiters hold no thread up.
    const lock = await callNative(addon, undefined, () => addon.tryLock(path));
    if (lock) return lock;
    const left = deadline - performance.now();
    if (left <= 0) {
      throw new SdaError(
        "ERR_SDA_LOCKED",
        `Another program has been changing this library for ${timeoutMs / 1000} s (it holds ${path})`,
        { path, timeoutMs },
      );
    }
    await pause(Math.min(left, longest * (0.5 + Math.random() / 2)), signal);
  }
}

async function pause(ms: number, signal?: AbortSignal): Promise<void> {
  try {
    await sleep(ms, undefined, signal && { signal });
  } catch (error) {
    signal?.throwIfAborted(); // with its own reason, which the timer hides
    throw error;
  }
}
