/** Calls into the addons: native errors become SdaError, an AbortSignal becomes a CancelToken. */
import { SdaError, type SdaErrorCode } from "../base/errors.js";
import type { CancelToken } from "./types.js";

export const ABORTED = "ERR_SDA_ABORTED";

/**
 * Runs one native call that `signal` can stop.
 *
 * @throws SdaError for what the addon reports; `signal.reason` when the signal is or gets aborted.
 */
export async function callNative<T>(
  addon: { createCancelToken(): CancelToken },
  signal: AbortSignal | undefined,
  start: (cancel: CancelToken | undefined) => Promise<T>,
): Promise<T> {
  signal?.throwIfAborted();
  const cancel = signal && addon.createCancelToken();
  const stop = () => cancel?.cancel();
  signal?.addEventListener("abort", stop, { once: true });
  try {
    return await callNativeUnder(signal, () => start(cancel));
  } finally {
    signal?.removeEventListener("abort", stop);
  }
}

/** The same for work that something else stops when the signal is aborted. */
export async function callNativeUnder<T>(
  signal: AbortSignal | undefined,
  start: () => Promise<T>,
): Promise<T> {
  try {
    return await start();
  } catch (error) {
    if (signal?.aborted && (error as { code?: unknown }).code === ABORTED) throw signal.reason;
    throw toSdaError(error);
  }
}

export type OnProgress = (done: number, total: number) => void;

/** A callback that stops the work when it throws: then the call rejects with what it threw. */
export function stoppingProgress(
  signal: AbortSignal | undefined,
  onProgress: OnProgress | undefined,
): { signal: AbortSignal | undefined; onProgress: OnProgress | undefined } {
  if (onProgress === undefined) return { signal, onProgress };
  const stopped = new AbortController();
  return {
    signal: signal ? AbortSignal.any([signal, stopped.signal]) : stopped.signal,
    onProgress(done, total) {
      try {
        onProgress(done, total);
      } catch (error) {
        stopped.abort(error);
      }
    },
  };
}

/** Runs a native call that answers at once. */
export function callNativeSync<T>(f: () => T): T {
  try {
    return f();
  } catch (error) {
    throw toSdaError(error);
  }
}

function toSdaError(error: unknown): unknown {
  if (error instanceof SdaError || !(error instanceof Error)) return error;
  const { code, details } = error as { code?: unknown; details?: Record<string, unknown> };
  if (typeof code !== "string" || !code.startsWith("ERR_SDA_")) return error;
  return new SdaError(code as SdaErrorCode, error.message, details);
}
