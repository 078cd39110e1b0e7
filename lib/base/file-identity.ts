/** Detecting that a file has changed, without reading it. */
import type { BigIntStats } from "node:fs";
import { stat } from "node:fs/promises";
import { errnoOf, ioError } from "./io-error.js";

/**
 * A text that changes with every change of the file: device, inode, size, and the times of the last
 * change of its content and of its inode. `native/library/file_identity.cc` makes the same text.
 */
export function identityOf(file: BigIntStats): string {
  return [file.dev, file.ino, file.size, file.mtimeNs, file.ctimeNs].join(":");
}

/** Whether two identities are of the same bytes: a rename changes the inode's time only. */
export function sameContent(a: string, b: string): boolean {
  return a.slice(0, a.lastIndexOf(":")) === b.slice(0, b.lastIndexOf(":"));
}

/**
 * The identity of the file or folder at `path`; null when it is missing.
 * A server makes an ETag of it: an equal identity means an unchanged file.
 *
 * @throws SdaError ERR_SDA_IO
 * @example
 * ```js
 * const before = await fileIdentity("data/models/pads.sda");
 * // … later
 * const isUnchanged = (await fileIdentity("data/models/pads.sda")) === before;
 * ```
 */
export async function fileIdentity(path: string): Promise<string | null> {
  try {
    return identityOf(await stat(path, { bigint: true }));
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === "ENOENT" || errno === "ENOTDIR") return null;
    throw ioError(error, path, `${path} can't be examined`);
  }
}
