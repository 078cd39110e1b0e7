/**
 * Puts a new index in the old one's place. At every moment, under the index's name is a whole index, old or new, and
 * under the backup's the one before it or the one before that.
 */
import { randomBytes } from "node:crypto";
import { type FileHandle, link, open, rename, stat, unlink } from "node:fs/promises";
import { callNative } from "../native/call.js";
import { checkpointAddon } from "../native/load.js";
import type { RenameOutcome } from "../native/types.js";
import { fileIdentity, identityOf, type ModelsFolder, sameContent } from "./folder.js";
import { errnoOf, ioError } from "./io-error.js";

/** Written under the folder's lock only, so whoever holds the lock may remove those that it finds. */
export const INDEX_TEMPORARY = /^\.model_library-\d+-[0-9a-f]+\.tmp$/;

/** The kernel takes 2 GiB in one call, and writing back can start before all is handed over. */
const WRITE_AT_MOST = 8 * 2 ** 20;

/**
 * Writes the pieces as the new index. The lock must be held, which keeps this package's other writers away but not the
 * Python program, so:
 *
 * @param expected the index that the new one was made from: its identity, or null for none
 * @param careful give up when another one is there
 * @returns the new index's identity; null after giving up, with nothing changed
 * @throws SdaError ERR_SDA_IO, ERR_SDA_NOT_FOUND (the folder is gone)
 */
export async function writeIndex(
  folder: ModelsFolder,
  pieces: Buffer[],
  expected: string | null,
  careful = true,
): Promise<string | null> {
  const temporary = temporaryPath(folder);
  try {
    const file = await open(temporary, "wx", 0o666);
    try {
      await writePieces(file, pieces, folder, expected);
      const replaced = await place(temporary, folder, expected, careful);
      if (!replaced) return null;
      await syncFolder(folder.path);
      // By the handle: the name may already be another program's.
      return identityOf(await file.stat({ bigint: true }));
    } finally {
      await file.close();
    }
  } catch (error) {
    throw ioError(error, folder.index, `${folder.index} can't be written`);
  } finally {
    await unlink(temporary).catch(() => {}); // gone already if all went well
  }
}

/** As `writeIndex`, but what is there is not to become the backup: a damaged index. */
export async function replaceIndex(folder: ModelsFolder, pieces: Buffer[]): Promise<string> {
  const temporary = temporaryPath(folder);
  try {
    const file = await open(temporary, "wx", 0o666);
    try {
      await writePieces(file, pieces, folder, null);
      await rename(temporary, folder.index);
      await syncFolder(folder.path);
      return identityOf(await file.stat({ bigint: true }));
    } finally {
      await file.close();
    }
  } catch (error) {
    await unlink(temporary).catch(() => {});
    throw ioError(error, folder.index, `${folder.index} can't be written`);
  }
}

/** Makes renames in the folder survive a power cut. */
export async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, "r");
  try {
    await folder.sync();
  } catch (error) {
    // Some file systems can't sync a folder. That the disk is at fault is another matter.
    if (errnoOf(error) !== "EINVAL" && errnoOf(error) !== "ENOTSUP") throw error;
  } finally {
    await folder.close();
  }
}

function temporaryPath(folder: ModelsFolder): string {
  return folder.join(`.model_library-${process.pid}-${randomBytes(6).toString("hex")}.tmp`);
}

async function writePieces(
  file: FileHandle,
  pieces: Buffer[],
  folder: ModelsFolder,
  expected: string | null,
): Promise<void> {
  let position = 0;
  for (const piece of pieces) {
    for (let done = 0; done < piece.length; ) {
      const size = Math.min(piece.length - done, WRITE_AT_MOST);
      const { bytesWritten } = await file.write(piece, done, size, position);
      done += bytesWritten;
      position += bytesWritten;
    }
  }
  if (expected !== null) {
    const { mode } = await stat(folder.index).catch(() => ({ mode: 0o666 & ~process.umask() }));
    await file.chmod(mode & 0o777); // who may read the library stays as it was
  }
  await file.sync();
}

async function place(
  temporary: string,
  folder: ModelsFolder,
  expected: string | null,
  careful: boolean,
): Promise<boolean> {
  if (expected === null) {
    const outcome = await nativeRename(temporary, folder.index, "keep");
    if (outcome !== "unsupported") return outcome === "done";
    return linkIfFree(temporary, folder.index);
  }
  if (careful && (await fileIdentity(folder.index)) !== expected) return false;
  const outcome = await nativeRename(temporary, folder.index, "exchange");
  if (outcome === "missing") return false;
  if (outcome === "done") {
    // The temporary name now holds what was there. Another program's index must not get lost.
    const found = await fileIdentity(temporary);
    if (careful && found !== null && !sameContent(found, expected)) {
      const back = await nativeRename(temporary, folder.index, "exchange");
      if (back === "missing") await nativeRename(temporary, folder.index, "keep");
      return false;
    }
    await rename(temporary, folder.backup);
    return true;
  }
  // Without an exchange, two names for the old index for a moment.
  const second = `${temporary}.bak`;
  await link(folder.index, second);
  await rename(second, folder.backup);
  await rename(temporary, folder.index);
  return true;
}

async function linkIfFree(from: string, to: string): Promise<boolean> {
  try {
    await link(from, to);
    return true;
  } catch (error) {
    if (errnoOf(error) === "EEXIST") return false;
    throw error;
  }
}

function nativeRename(from: string, to: string, mode: "exchange" | "keep"): Promise<RenameOutcome> {
  const addon = checkpointAddon();
  return callNative(addon, undefined, () => addon.rename(from, to, mode));
}
