/** What the recoveries of damaged JSON files have in common. */
import { link, rename } from "node:fs/promises";
import { constants } from "node:os";
import type { SdaError, SdaErrorCode } from "../../base/errors.js";
import { errnoOf, ioError, isSdaError } from "../../base/io-error.js";
import { DamagedIndex } from "./index-file.js";
import { withLock } from "./lock.js";
import type { IndexPlace } from "./place.js";

/**
 * Runs a recovery under the folder's lock. A folder that can't be changed can be read, so what is
 * recovered there exists in memory only.
 *
 * @param locked whether the caller holds the lock
 */
export async function underLock<T>(
  place: IndexPlace,
  locked: boolean,
  recover: (writable: boolean) => Promise<T>,
): Promise<T> {
  if (locked) return recover(true);
  try {
    return await withLock(place, {}, () => recover(true));
  } catch (error) {
    if (isSdaError(error, "ERR_SDA_IO") && isReadOnly(error)) return recover(false);
    throw error;
  }
}

/**
 * Reads a JSON file or its backup.
 *
 * @param read reads it
 * @param damaged codes of further errors that mean a damaged file
 * @returns what `read` returns, or the problem of a damaged file; {}: there is no file
 */
export async function readUnlessDamaged<T>(
  read: () => Promise<T>,
  damaged: readonly SdaErrorCode[] = [],
): Promise<T | { problem?: string }> {
  try {
    return await read();
  } catch (error) {
    if (error instanceof DamagedIndex) return { problem: error.message };
    const code = damaged.find((code) => isSdaError(error, code));
    if (code !== undefined) return { problem: (error as SdaError).message };
    if (isSdaError(error, "ERR_SDA_NOT_FOUND")) return {};
    throw error;
  }
}

/**
 * Gives a damaged file a second name, "<name>.damaged-<time>", because its first name is about to
 * be replaced.
 */
export async function setAside(path: string): Promise<void> {
  const time = new Date().toISOString().replace(/[:.]/g, "-");
  for (let i = 0; ; i++) {
    const aside = `${path}.damaged-${time}${i === 0 ? "" : `-${i}`}`;
    try {
      await link(path, aside);
      return;
    } catch (error) {
      const errno = errnoOf(error);
      if (errno === "ENOENT") return; // nothing to keep
      if (errno === "EEXIST") continue;
      if (errno !== "EPERM" && errno !== "ENOTSUP" && errno !== "EMLINK") {
        throw ioError(error, path, `${path} can't be set aside`);
      }
      // A folder, or a file system without hard links
      await rename(path, aside).catch((cause) => {
        throw ioError(cause, path, `${path} can't be set aside`);
      });
      return;
    }
  }
}

function isReadOnly(error: SdaError): boolean {
  const { errno, unsupported } = error.details ?? {};
  if (unsupported !== undefined) return true; // by flock
  const { EACCES, EROFS, EPERM } = constants.errno; // the native lock gives numbers
  return ["EACCES", "EROFS", "EPERM", EACCES, EROFS, EPERM].includes(errno as string | number);
}
