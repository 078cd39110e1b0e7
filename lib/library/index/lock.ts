import { badArgument, checkSignal } from "../../base/check.js";
import { SdaError } from "../../base/errors.js";
import { pause } from "../../base/on-abort.js";
import type { LockKind } from "./lock-kind.js";
import type { IndexPlace } from "./place.js";
import { tryLockOf } from "./try-lock.js";

/** How long a change waits for the folder's lock by default. */
export const LOCK_TIMEOUT_MS = 30_000;

/**
 * The pause between two attempts doubles from the first value to the second. It is randomized, so
 * that waiting processes do not try at the same time.
 */
const FIRST_PAUSE_MS = 1;
const LONGEST_PAUSE_MS = 20;

/** How to wait for the lock of a models folder. */
export interface LockOptions {
  /** How long to wait for other processes that change the folder, in ms; default 30,000. */
  lockTimeoutMs?: number;
  /** Aborting rejects with the signal's reason. */
  signal?: AbortSignal;
}

/** Options of a function that opens a models folder to change it. */
export interface FolderOptions extends LockOptions {
  /** How the folder's writers exclude each other; default "flock". See `LockKind` */
  lock?: LockKind;
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
 * Runs `work` while it holds the folder's lock, which excludes other work in this process and in
 * others. The lock ends with its process, even by a crash; `LockKind` tells how. It is advisory: it
 * does not stop programs that do not take it.
 *
 * @throws SdaError ERR_SDA_LOCKED after the timeout, ERR_SDA_NOT_FOUND, ERR_SDA_IO; `signal.reason`
 */
export async function withLock<T>(
  folder: IndexPlace,
  { lockTimeoutMs = LOCK_TIMEOUT_MS, signal }: LockOptions,
  work: () => Promise<T>,
): Promise<T> {
  const unlock = await acquire(folder, lockTimeoutMs, signal);
  try {
    return await work();
  } finally {
    await unlock();
  }
}

/**
 * Repeats a change of the JSON file until no program that takes no lock writes it meanwhile.
 *
 * @param attempt makes the change; false: such a program was faster
 * @throws SdaError ERR_SDA_LOCKED: attempts have failed for `LOCK_TIMEOUT_MS`; what `attempt`
 *   throws
 */
export async function untilWritten(
  { index: path }: IndexPlace,
  attempt: () => Promise<boolean>,
): Promise<void> {
  const deadline = performance.now() + LOCK_TIMEOUT_MS;
  while (!(await attempt())) {
    if (performance.now() < deadline) continue;
    const seconds = LOCK_TIMEOUT_MS / 1000;
    const problem = `Another program has kept changing ${path} for ${seconds} s`;
    throw new SdaError("ERR_SDA_LOCKED", problem, { path, timeoutMs: LOCK_TIMEOUT_MS });
  }
}

async function acquire(
  folder: IndexPlace,
  timeoutMs: number,
  signal?: AbortSignal,
): Promise<() => Promise<void>> {
  const path = folder.lock;
  const tryLock = tryLockOf(folder.lockKind, path);
  const deadline = performance.now() + timeoutMs;
  for (let longest = FIRST_PAUSE_MS; ; longest = Math.min(2 * longest, LONGEST_PAUSE_MS)) {
    signal?.throwIfAborted();
    const unlock = await tryLock();
    if (unlock) return unlock;
    const left = deadline - performance.now();
    if (left <= 0) {
      const seconds = timeoutMs / 1000;
      const problem = `Another program has held the lock ${path} for ${seconds} s`;
      throw new SdaError("ERR_SDA_LOCKED", problem, { path, timeoutMs });
    }
    await pause(Math.min(left, longest * (0.5 + Math.random() / 2)), signal);
  }
}
