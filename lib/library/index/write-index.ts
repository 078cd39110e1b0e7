/**
 * Replaces the index by a new one. At every moment, the index's name holds a complete index, the
 * old or the new one. The backup's name holds the index before it, or the one before that.
 */
import { randomBytes } from "node:crypto";
import { constants, type Stats } from "node:fs";
import { copyFile, type FileHandle, link, open, stat, unlink } from "node:fs/promises";
import { SdaError } from "../../base/errors.js";
import { fileIdentity, identityOf, sameContent } from "../../base/file-identity.js";
import { errnoOf, ioError } from "../../base/io-error.js";
import { keepOwner, NO_LINKS } from "../../base/output-file.js";
import { replaceFile } from "../../base/replace-file.js";
import { syncFile, syncFolder } from "../../base/sync.js";
import { warn } from "../../base/warnings.js";
import { callNative } from "../../native/call.js";
import { checkpointAddon } from "../../native/load.js";
import type { RenameOutcome } from "../../native/types.js";
import type { IndexPlace } from "./place.js";
import type { SeenIndex } from "./seen-index.js";

const TEMPORARY_SUFFIX = ".tmp";

/**
 * Bytes per write call. Linux takes less than 2 GiB per call, and with smaller calls it starts to
 * write to the disk earlier.
 */
const WRITE_AT_MOST = 8 * 2 ** 20;

/**
 * Writes the pieces as the new index. The caller must hold the lock. The lock keeps this package's
 * other writers away, but not the Python program: `expected` detects its writes.
 *
 * If the new index can be neither synced nor taken back, it stays and a process warning reports it.
 *
 * @param expected the index that the new one was made from
 * @returns identity of the new index; null: the index on disk is not the expected one, and nothing
 *   has changed
 * @throws SdaError ERR_SDA_IO, ERR_SDA_NOT_FOUND (the folder is gone): nothing has changed
 */
export async function writeIndex(
  folder: IndexPlace,
  pieces: Buffer[],
  expected: SeenIndex,
): Promise<string | null> {
  const temporary = temporaryPath(folder);
  // Identity of the file under the temporary name, until that file is in its place.
  let left: string | null = null;
  try {
    const file = await open(temporary, "wx", 0o666);
    try {
      await writePieces(file, pieces, folder, expected.identity !== null);
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
        const problem = `${folder.index} has been changed, but a power failure may undo the change`;
        warn("SDA_NOT_SYNCED", `${problem}: ${(error as Error).message}`);
      }
      await placed.keepBackup().catch((error: Error) => {
        warn("SDA_CLEANUP_FAILED", `${folder.backup} can't be replaced: ${error.message}`);
      });
      // By the handle, because another program may have replaced the file under the name.
      return identityOf(await file.stat({ bigint: true }));
    } finally {
      await file.close().catch(() => {}); // the file is synced already
    }
  } catch (error) {
    throw ioError(error, folder.index, `${folder.index} can't be written`);
  } finally {
    // After success there is nothing to remove. After a swap that failed half-way, the temporary
    // name may hold another program's index, which must stay.
    if (left === null || (await isStill(temporary, left))) await unlink(temporary).catch(() => {});
  }
}

/** As `writeIndex`, for a damaged index, which must not become the backup. */
export async function replaceIndex(folder: IndexPlace, pieces: Buffer[]): Promise<string> {
  const temporary = temporaryPath(folder);
  try {
    const file = await open(temporary, "wx", 0o666);
    try {
      await writePieces(file, pieces, folder, false);
      await replaceFile(temporary, folder.index);
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

function temporaryPath(folder: IndexPlace): string {
  return folder.temporaryPath(randomBytes(6).toString("hex"));
}

async function writePieces(
  file: FileHandle,
  pieces: Buffer[],
  folder: IndexPlace,
  replaces: boolean,
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
  await setPermissions(file, folder, replaces);
  await syncFile(file);
}

/**
 * Gives the new index the owner and mode of the old one. The first index gets those that let
 * everybody write it who may change the folder: the Python program writes it in place.
 */
async function setPermissions(
  file: FileHandle,
  folder: IndexPlace,
  replaces: boolean,
): Promise<void> {
  const place = await stat(folder.path);
  const old = replaces ? await stat(folder.index).catch(() => null) : null;
  await keepOwner(file, old ?? place);
  const own = await file.stat();
  const mode = old?.mode ?? own.mode | sharedBits(own, place);
  await file.chmod(mode & 0o777);
}

/** The folder's permission to write, as permissions to read and write a file in it. */
function sharedBits(file: Stats, folder: Stats): number {
  const isSticky = (folder.mode & 0o1000) !== 0; // others may not replace the file
  if (isSticky) return 0;
  const group = (folder.mode & 0o020) !== 0 && file.gid === folder.gid ? 0o060 : 0;
  return group | ((folder.mode & 0o002) !== 0 ? 0o006 : 0);
}

/** A new index that has replaced the old one. */
interface Placed {
  /**
   * Puts the old index back.
   *
   * @param ours identity of the new index
   * @returns false: another program has replaced the new index, or the disk refuses
   */
  takeBack(ours: string): Promise<boolean>;
  /** Makes the old index the backup. */
  keepBackup(): Promise<void>;
}

/**
 * Moves the new index to its name.
 *
 * @returns null: the index on disk is not the expected one, and stays
 */
async function place(
  temporary: string,
  file: FileHandle,
  folder: IndexPlace,
  expected: SeenIndex,
): Promise<Placed | null> {
  const { index, backup } = folder;
  if (expected.identity === null) {
    const outcome = await keep(temporary, index);
    const isDone =
      outcome === "unsupported" ? await linkIfFree(temporary, index) : outcome === "done";
    if (!isDone) return null;
    return {
      takeBack: async (ours) => (await isStill(index, ours)) && succeeds(unlink(index)),
      keepBackup: async () => {},
    };
  }
  const outcome = await exchange(temporary, index, expected.identity, file);
  if (outcome === "taken" || outcome === "missing") return null;
  if (outcome === "done") {
    // The temporary name now holds the old index.
    const placed: Placed = {
      takeBack: (ours) =>
        exchange(temporary, index, ours).then(
          (back) => back === "done",
          () => false,
        ),
      keepBackup: () => replaceFile(temporary, backup),
    };
    return (await wasUntouched(placed, temporary, file, folder, expected)) ? placed : null;
  }
  // The file system can't exchange two files. A second name keeps the old index.
  if ((await fileIdentity(index)) !== expected.identity) return null;
  const second = `${temporary.slice(0, -TEMPORARY_SUFFIX.length)}0${TEMPORARY_SUFFIX}`;
  await giveSecondName(index, second);
  try {
    await replaceFile(temporary, index);
  } catch (error) {
    await unlink(second).catch(() => {});
    throw error;
  }
  const placed: Placed = {
    takeBack: async (ours) => (await isStill(index, ours)) && succeeds(replaceFile(second, index)),
    keepBackup: () => replaceFile(second, backup),
  };
  return (await wasUntouched(placed, second, file, folder, expected)) ? placed : null;
}

/**
 * Whether the old index still had its content when it was replaced: a program that takes no lock
 * may have rewritten it in place since it was read, without a visible change of its identity. If
 * so, its file is put back.
 *
 * @param old the path that the old index has now
 * @throws SdaError ERR_SDA_IO: the old index can't be put back; it stays at `old`
 */
async function wasUntouched(
  placed: Placed,
  old: string,
  file: FileHandle,
  folder: IndexPlace,
  expected: SeenIndex,
): Promise<boolean> {
  let failure: unknown;
  const isUntouched = await expected.isContentOf(old).catch((error) => {
    failure = error;
    return false;
  });
  if (isUntouched) return true;
  if (await placed.takeBack(identityOf(await file.stat({ bigint: true })))) {
    if (failure !== undefined) throw failure;
    return false;
  }
  const problem = `${folder.index} was changed by two other programs at the same time`;
  throw new SdaError("ERR_SDA_IO", `${problem}; the older of their files is ${old}`, { path: old });
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

/** Without hard links, as on FAT, the second name is that of a copy. */
async function giveSecondName(file: string, second: string): Promise<void> {
  try {
    await link(file, second);
  } catch (error) {
    if (!NO_LINKS.includes(errnoOf(error) ?? "")) throw error;
    await copyFile(file, second, constants.COPYFILE_EXCL);
  }
}

/** @returns false: the name is taken */
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
