import { callNative } from "../../native/call.js";
import { checkpointAddon } from "../../native/load.js";
import type { SourceHandle } from "../../native/types.js";

/** An open file whose values can be copied into a new file. */
export interface OpenFile {
  path: string;
  /** The top-level dict, its tensors without data */
  content: unknown;
  source: SourceHandle;
}

/** Opens a file, calls `f` with it, and closes it when the promise of `f` settles. */
export async function useFile<T>(
  path: string,
  signal: AbortSignal | undefined,
  f: (opened: OpenFile) => Promise<T>,
): Promise<T> {
  const addon = checkpointAddon();
  const opened = await callNative(addon, signal, (c) => addon.openSource(path, c));
  try {
    return await f({ path, ...opened });
  } finally {
    addon.closeSource(opened.source);
  }
}
