import { toFilePath } from "../check.js";
import { callNative } from "../native/call.js";
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

/**
 * Checks a model file or any other `torch.save` file, reading all of it once: every record's headers and CRC-32, and the
 * pickle. Goes on after the first problem.
 *
 * @throws SdaError ERR_SDA_NOT_FOUND or ERR_SDA_IO when the file can't be read; what is wrong with it is the result
 */
export async function verifyFile(
  path: string | URL,
  options: { signal?: AbortSignal } = {},
): Promise<VerifyResult> {
  const file = toFilePath(path);
  const addon = checkpointAddon();
  return callNative(addon, options.signal, (cancel) => addon.verify(file, cancel));
}
