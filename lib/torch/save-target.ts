/** Where `save` writes. */
import { dirname } from "node:path";
import { SdaError } from "../base/errors.js";
import { outputTarget } from "../base/output-target.js";
import { clearTemporaryFiles } from "../base/temporary-files.js";
import { callNative } from "../native/call.js";
import { checkpointAddon } from "../native/load.js";

/** Folders in which this process has looked for files of killed processes. */
const cleared = new Set<string>();
const MOST_FOLDERS = 1000;

/**
 * Checks the path by the rule of all writers.
 *
 * @returns the path for the addon, which follows links to existing files itself, and the folder in
 *   which it makes its temporary file
 * @throws SdaError ERR_SDA_ARGUMENT: not a regular file; ERR_SDA_NOT_FOUND; ERR_SDA_IO
 */
export function saveTarget(path: string): { path: string; folder: string } {
  const target = outputTarget(path);
  if (target.kind !== "file") {
    const problem = `${path} can't be written: it is not a regular file`;
    throw new SdaError("ERR_SDA_ARGUMENT", problem, { option: "path", path });
  }
  // The archive in the file is named after `path`, which may be a link.
  return { path: target.old ? path : target.path, folder: dirname(target.path) };
}

/** Removes what killed processes left in the folder. */
export async function clearLeftovers(folder: string): Promise<void> {
  await clearTemporaryFiles(folder);
  if (cleared.has(folder)) return;
  if (cleared.size >= MOST_FOLDERS) cleared.clear();
  cleared.add(folder);
  const addon = checkpointAddon();
  // Best effort: a folder may allow new files, but not to be listed.
  await callNative(addon, undefined, () => addon.removeStaleTemps(folder)).catch(() => {});
}
