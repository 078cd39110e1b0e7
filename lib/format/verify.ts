import { stat } from "node:fs/promises";
import { checkCallback, checkOptions, optionNames, toFilePath } from "../base/check.js";
import { ioError } from "../base/io-error.js";
import { callNative, stoppingProgress } from "../native/call.js";
import { checkpointAddon } from "../native/load.js";

/** The result of `verifyFile`. */
export interface VerifyResult {
  /** Whether `problems` is empty */
  ok: boolean;
  /** The number of checked records (in a legacy file: storages) */
  records: number;
  /** The size of the file */
  bytes: number;
  /** One sentence for each problem */
  problems: string[];
}

/** The options of `verifyFile`. */
export interface VerifyOptions {
  /** Aborting rejects with the signal's reason */
  signal?: AbortSignal;
  /**
   * Called several times a second with the number of checked bytes and the size of the file. If it
   * throws, the check stops and `verifyFile` rejects with that error.
   */
  onProgress?: (done: number, total: number) => void;
}

const OPTIONS = optionNames<VerifyOptions>({ signal: true, onProgress: true });
const PROGRESS_MS = 100;

/**
 * Checks a model file or any other `torch.save` file for damage. Reads the whole file once and
 * checks the headers and the CRC-32 of every record, and the pickle. Continues after a problem.
 * Damage is reported in the result, not thrown.
 *
 * @throws SdaError ERR_SDA_NOT_FOUND or ERR_SDA_IO: the file cannot be read; ERR_SDA_ARGUMENT: a
 *   wrong path or option. `signal.reason` when the signal is aborted.
 * @example
 * ```js
 * const { ok, records, problems } = await verifyFile("data/models/pads.sda");
 * console.log(ok ? `${records} records are undamaged` : problems.join("\n"));
 * ```
 */
export async function verifyFile(
  path: string | URL,
  options: VerifyOptions = {},
): Promise<VerifyResult> {
  const file = toFilePath(path);
  checkOptions("options", options, OPTIONS);
  checkCallback("onProgress", options.onProgress);
  const addon = checkpointAddon();
  const { signal, onProgress, release } = stoppingProgress(options.signal, options.onProgress);
  if (onProgress === undefined) {
    return callNative(addon, signal, (cancel) => addon.verify(file, cancel));
  }
  try {
    const total = await sizeOf(file);
    return await callNative(addon, signal, async (cancel) => {
      const timer = setInterval(() => onProgress(cancel?.done() ?? 0, total), PROGRESS_MS);
      try {
        return await addon.verify(file, cancel);
      } finally {
        clearInterval(timer);
      }
    });
  } finally {
    release();
  }
}

async function sizeOf(path: string): Promise<number> {
  try {
    return (await stat(path)).size;
  } catch (error) {
    throw ioError(error, path, `${path} can't be examined`);
  }
}
