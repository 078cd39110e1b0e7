/** Detects changes of a file without reading its content. */
import type { BigIntStats } from "node:fs";
import { stat } from "node:fs/promises";
import { errnoOf, ioError } from "./io-error.js";

/**
 * Makes a text that differs after every change of the file: device, inode, size, mtime and ctime.
 * `native/library/file_identity.cc` makes the same text.
 */
export function identityOf(file: BigIntStats): string {
  return [file.dev, file.ino, file.size, file.mtimeNs, file.ctimeNs].join(":");
}

/** Whether two identities have the same content. A rename changes the ctime only, the last part. */
export function sameContent(a: string, b: string): boolean {
  return a.slice(0, a.lastIndexOf(":")) === b.slice(0, b.lastIndexOf(":"));
}

/**
 * Returns a text that identifies the present content of a file or folder without reading it. While
 * the text stays the same, the file is unchanged, so a server can use it as an ETag.
 *
 * @returns the identity; null when there is no file or folder at `path`
 * @throws SdaError ERR_SDA_IO: the system refuses to examine the file
 * @example
 * ```js
 * const before = await fileIdentity("data/models/pads.sda");
 * // … later
 * const isUnchanged = (await fileIdentity("data/models/pads.sda")) === before;
 * console.log(isUnchanged); // true
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
