import { callNative } from "../native/call.js";
import { checkpointAddon } from "../native/load.js";
import type { PickleScan } from "../native/types.js";

/**
 * What Python would do with the pickles of a file that `inspect` does not read. `torch.load`
 * unpickles the beginning of whatever is no archive, before it looks for the magic number of a
 * torch file; other functions unpickle further. Knows pickles of all protocols.
 *
 * - `executes`: Python may import or call something that the file names in `globals`; false: it
 *   certainly does not
 * - `complete`: the reader reads the pickles to their end, and no call of a known global does
 *   anything but what it is known for
 *
 * @param from a path, or the content of a file
 * @throws SdaError ERR_SDA_NOT_FOUND, ERR_SDA_IO; `signal.reason` when the signal is aborted
 */
export function scanPickle(from: string | Uint8Array, signal?: AbortSignal): Promise<PickleScan> {
  const addon = checkpointAddon();
  return callNative(addon, signal, (cancel) =>
    typeof from === "string" ? addon.scanPickle(from, cancel) : addon.scanPickleBytes(from, cancel),
  );
}
