import { callNative } from "../native/call.js";
import { checkpointAddon } from "../native/load.js";
import type { PickleScan } from "../native/types.js";

/**
 * What `torch.load` would do with a file that is no torch file: it unpickles the beginning of
 * whatever is no archive, before it looks for the magic number of a torch file. `executes`: Python
 * may import or call something that the file names in `globals`. Knows pickles of all protocols.
 *
 * @throws SdaError ERR_SDA_NOT_FOUND, ERR_SDA_IO; `signal.reason` when the signal is aborted
 */
export function scanPickle(path: string, signal?: AbortSignal): Promise<PickleScan> {
  const addon = checkpointAddon();
  return callNative(addon, signal, (cancel) => addon.scanPickle(path, cancel));
}
