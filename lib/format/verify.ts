import { stat } from "node:fs/promises";
import { checkCallback, checkOptions, optionNames, toFilePath } from "../base/check.js";
import { ioError } from "../base/io-error.js";
import { callNative, stoppingProgress } from "../native/call.js";
import { checkpointAddon } from "../native/load.js";

/** What a check of every record found; `problems` is empty for a sound file. */
export interface VerifyResult {
  /** Whether there are no problems */
  ok: boolean;
  /** How many records (of a legacy file: storages) were looked at */
  records: number;
  /** Size of the file */
  bytes: number;
  problems: string[];
}

/** How a check is watched and stopped. */
export interface VerifyOptions {
  /** Aborting rejects with the signal's reason */
  signal?: AbortSignal;
  /**
   * Called a few times a second while records are checked, with bytes that are done and the file's size. When it throws, the
   * check ends with what it threw.
   */
  onProgress?: (done: number, total: number) => void;
}

const OPTIONS = optionNames<VerifyOptions>({ signal: true, onProgress: true });
const PROGRESS_MS = 100;

/**
 * Checks a model file or any other `torch.save` file, reading all of it once: every record's headers and CRC-32, and the
 * pickle. Goes on after the first problem.
 *
 * @throws SdaError ERR_SDA_NOT_FOUND or ERR_SDA_IO when the file can't be read; what is wrong with it is the result.
 *   ERR_SDA_ARGUMENT. `signal.reason`
 */
export async function verifyFile(
  path: string | URL,
  options: VerifyOptions = {},
): Promise<VerifyResult> {
  const file = toFilePath(path);
  checkOptions("options", options, OPTIONS);
  checkCallback("onProgress", options.onProgress);
  const addon = checkpointAddon();
  const { signal, onProgress } = stoppingProgress(options.signal, options.onProgress);
  if (onProgress === undefined) {
    return callNative(addon, signal, (cancel) => addon.verify(file, cancel));
  }
  const total = await sizeOf(file);
  return callNative(addon, signal, async (cancel) => {
    const timer = setInterval(() => onProgress(cancel?.done() ?? 0, total), PROGRESS_MS);
    try {
      return await addon.verify(file, cancel);
    } finally {
      clearInterval(timer);
    }
  });
}

async function sizeOf(path: string): Promise<number> {
  try {
    return (await stat(path)).size;
  } catch (error) {
    throw ioError(error, path, `${path} can't be examined`);
  }
}
