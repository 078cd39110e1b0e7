/**
 * Puts a new index in the old one's place. At every moment, under the index's name is a whole index, old or new, and
 * under the backup's the one before it or the one before that.
 */
import { randomBytes } from "node:crypto";
import { type FileHandle, link, open, rename, stat, unlink } from "node:fs/promises";
import { fileIdentity, identityOf, sameContent } from "../../base/file-identity.js";
import { errnoOf, ioError } from "../../base/io-error.js";
import { warn } from "../../base/warnings.js";
import { callNative } from "../../native/call.js";
import { checkpointAddon } from "../../native/load.js";
import type { RenameOutcome } from "../../native/types.js";
import type { ModelsFolder } from "./folder.js";

/** Written under the folder's lock only, so whoever holds the lock may remove those that it finds. */
export const INDEX_TEMPORARY = /^\.model_library-\d+-[0-9a-f]+\.tmp$/;
const TEMPORARY_SUFFIX = ".tmp";

/** The kernel takes 2 GiB in one call, and writing back can start before all is handed over. */
const WRITE_AT_MOST = 8 * 2 ** 20;

/**
 * Writes the pieces as the new index. The lock must be held, which keeps this package's other writers away but not the
 * Python program, so:
 *
 * @param expected the index that the new one was made from: its identity, or null for none
 * @returns the new index's identity; null when another one is there, with nothing changed
 * @throws SdaError ERR_SDA_IO, ERR_SDA_NOT_FOUND (the folder is gone): nothing has changed. Where a new index can be
 *   neither made to last nor taken back, it is there, and a process warning tells.
 */
export async function writeIndex(
  folder: ModelsFolder,
  pieces: Buffer[],
  expected: string | null,
): Promise<string | null> {
  const temporary = temporaryPath(folder);
  let left: string | null = null; // what is under the temporary name while nothing has gone right
  try {
    const file = await open(temporary, "wx", 0o666);
    try {
      await writePieces(file, pieces, folder, expected);
      left = identityOf(await file.stat({ bigint: true }));
      const placed = await place(temporary, file, folder, expected);
      if (placed === null) {
        left = null;
        return null;
      }
      left = null;
      try {
        await syncFolder(folder.path);
      } catch (error) {
        const identity = identityOf(await file.stat({ bigint: true }));
        if (await placed.takeBack(identity)) throw error;
        warn(
          "SDA_NOT_SYNCED",
          `${folder.index} has been changed, but a power failure may undo that: ${(error as Error).message}`,
        );
      }
      await placed.keepBackup().catch((error: Error) => {
        warn("SDA_CLEANUP_FAILED", `${folder.backup} can't be replaced: ${error.message}`);
      });
      // By the handle: the name may already be another program's.
      return identityOf(await file.stat({ bigint: true }));
    } finally {
      await file.close().catch(() => {}); // it has been synced
    }
  } catch (error) {
    throw ioError(error, folder.index, `${folder.index} can't be written`);
  } finally {
    // Gone already if all went well. When a swap failed half way, it may be what another program has written.
    if (left === null || (await isStill(temporary, left))) await unlink(temporary).catch(() => {});
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
  const random = randomBytes(6).toString("hex");
  return folder.join(`.model_library-${process.pid}-${random}${TEMPORARY_SUFFIX}`);
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

/** A new index under its name. */
interface Placed {
  /** Undoes it, unless the name is another program's meanwhile or the disk refuses. @param ours the new index's identity */
  takeBack(ours: string): Promise<boolean>;
  /** The index that was there becomes the backup. */
  keepBackup(): Promise<void>;
}

/** @returns null: another index is there than the one expected, and stays */
async function place(
  temporary: string,
  file: FileHandle,
  folder: ModelsFolder,
  expected: string | null,
): Promise<Placed | null> {
  const { index, backup } = folder;
  if (expected === null) {
    const outcome = await keep(temporary, index);
    const isDone =
      outcome === "unsupported" ? await linkIfFree(temporary, index) : outcome === "done";
    if (!isDone) return null;
    return {
      takeBack: async (ours) => (await isStill(index, ours)) && succeeds(unlink(index)),
      keepBackup: async () => {},
    };
  }
  const outcome = await exchange(temporary, index, expected, file);
  if (outcome === "taken" || outcome === "missing") return null;
  if (outcome === "done") {
    // The temporary name now holds what was there.
    return {
      takeBack: (ours) =>
        exchange(temporary, index, ours).then(
          (back) => back === "done",
          () => false,
        ),
      keepBackup: () => rename(temporary, backup),
    };
  }
  // Without an exchange, two names for the old index for a moment.
  if ((await fileIdentity(index)) !== expected) return null;
  const second = `${temporary.slice(0, -TEMPORARY_SUFFIX.length)}0${TEMPORARY_SUFFIX}`;
  await link(index, second);
  try {
    await rename(temporary, index);
  } catch (error) {
    await unlink(second).catch(() => {});
    throw error;
  }
  return {
    takeBack: async (ours) => (await isStill(index, ours)) && succeeds(rename(second, index)),
    keepBackup: () => rename(second, backup),
  };
}

async function isStill(path: string, identity: string): Promise<boolean> {
  const found = await fileIdentity(path).catch(() => null);
  return found !== null && sameContent(found, identity);
}

function succeeds(work: Promise<void>): Promise<boolean> {
  return work.then(
    () => true,
    () => false,
  );
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

function keep(from: string, to: string): Promise<RenameOutcome> {
  const addon = checkpointAddon();
  return callNative(addon, undefined, () => addon.rename(from, to, "keep"));
}

function exchange(
  from: string,
  to: string,
  expected: string | null,
  file?: FileHandle,
): Promise<RenameOutcome> {
  const addon = checkpointAddon();
  return callNative(addon, undefined, () =>
    addon.rename(from, to, "exchange", expected, file?.fd ?? -1),
  );
}
