/** Calls the addons. Turns native errors into SdaError, and an AbortSignal into a CancelToken. */

import { SdaError, type SdaErrorCode } from "../base/errors.js";
import { onAbort } from "../base/on-abort.js";
import { isError, ownArrays } from "../base/realm.js";
import type { CancelToken } from "./types.js";

/** The code of the error that a cancelled native call rejects with. */
export const ABORTED = "ERR_SDA_ABORTED";
/** The code of an error of a call that needs bytes that its image of the file lacks. */
export const PART_MISSING = "ERR_SDA_PART_MISSING";

/**
 * Runs one native call, which `signal` can cancel.
 *
 * @param start makes the call, with the cancel token that belongs to `signal`
 * @throws SdaError for an error of the addon; `signal.reason` when the signal is aborted
 */
export async function callNative<T>(
  addon: { createCancelToken(): CancelToken },
  signal: AbortSignal | undefined,
  start: (cancel: CancelToken | undefined) => Promise<T>,
): Promise<T> {
  signal?.throwIfAborted();
  const cancel = signal && addon.createCancelToken();
  const release = onAbort(signal, () => cancel?.cancel());
  try {
    return await callNativeUnder(signal, () => start(cancel));
  } finally {
    release();
  }
}

/**
 * Runs one native call like `callNative`, but does not cancel it: the caller has connected the
 * signal to the work in another way.
 */
export async function callNativeUnder<T>(
  signal: AbortSignal | undefined,
  start: () => Promise<T>,
): Promise<T> {
  try {
    return ownArrays(await start());
  } catch (error) {
    if (signal?.aborted && (error as { code?: unknown }).code === ABORTED) throw signal.reason;
    throw toSdaError(error);
  }
}

/** Receives the progress of work: the units that are done and their total. */
export type OnProgress = (done: number, total: number) => void;

/** What `stoppingProgress` returns. */
export interface StoppingProgress {
  signal: AbortSignal | undefined;
  onProgress: OnProgress | undefined;
  /** Lets go of the caller's signal. To be called when the work has ended. */
  release: () => void;
}

/**
 * Wraps a progress callback so that an error that it throws cancels the work and rejects the call.
 * It isn't called again once the work is cancelled, though reports may be on their way by then.
 * Not with `AbortSignal.any`: the caller's signal would keep some memory for each call.
 *
 * @returns the signal and the callback to use instead of the given ones
 */
export function stoppingProgress(
  signal: AbortSignal | undefined,
  onProgress: OnProgress | undefined,
): StoppingProgress {
  if (onProgress === undefined) return { signal, onProgress, release: () => {} };
  const stopped = new AbortController();
  if (signal?.aborted) stopped.abort(signal.reason);
  return {
    signal: stopped.signal,
    release: onAbort(signal, () => stopped.abort(signal?.reason)),
    onProgress(done, total) {
      if (stopped.signal.aborted) return;
      try {
        onProgress(done, total);
      } catch (error) {
        stopped.abort(error);
      }
    },
  };
}

/** Runs a synchronous native call. Throws SdaError for an error of the addon. */
export function callNativeSync<T>(f: () => T): T {
  try {
    return ownArrays(f());
  } catch (error) {
    throw toSdaError(error);
  }
}

function toSdaError(error: unknown): unknown {
  if (error instanceof SdaError || !isError(error)) return error;
  const { code, details } = error as { code?: unknown; details?: Record<string, unknown> };
  if (typeof code !== "string" || !code.startsWith("ERR_SDA_")) return error;
  return new SdaError(code as SdaErrorCode, error.message, details);
}
