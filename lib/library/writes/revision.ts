/**
 * Replaces a model's file together with its entry, in four steps:
 *
 * 1. write the new file under an undecided name
 * 2. rename it to a decided name, a digest of its new entry and of the old file
 * 3. write the entry to the index
 * 4. rename the new file over the old file
 *
 * After an interruption, a pending file is installed if the index has its entry; otherwise it is
 * deleted. An undecided file is always deleted.
 */
import { createHash, randomBytes } from "node:crypto";
import { chmod, realpath, rename, stat, unlink } from "node:fs/promises";
import { basename, dirname } from "node:path";
import { SdaError } from "../../base/errors.js";
import { fileIdentity } from "../../base/file-identity.js";
import { errnoOf, ioError } from "../../base/io-error.js";
import { replaceFile } from "../../base/replace-file.js";
import { syncFolder } from "../../base/sync.js";
import { warn } from "../../base/warnings.js";
import type { SaveTarget } from "../../native/types.js";
import { entryText, type ModelEntry } from "../index/entry.js";
import type { ModelsFolder } from "../index/folder.js";
import type { IndexStore } from "../index/store.js";

/** A new file whose entry is not in the index. Only a holder of the folder's lock writes it. */
export const UNDECIDED = /^\.sda-updating-[0-9a-f]+$/;
/** A new file whose entry may be in the index: the index decides about it. */
export const DECIDED = /^\.sda-updated-[0-9a-f]{64}$/;

/** Writes the new file. */
export type WriteFile = (target: SaveTarget) => Promise<{ bytes: number }>;

/** The file of an entry. */
export interface CurrentFile {
  /** The real path: links are followed */
  path: string;
  /** Differs after every change of the file, see `fileIdentity` */
  identity: string;
}

/**
 * @throws SdaError ERR_SDA_NOT_FOUND: the file is missing; ERR_SDA_UNSAFE: the entry's path leads
 *   out of the folder; ERR_SDA_IO
 */
export async function currentFile(folder: ModelsFolder, entry: ModelEntry): Promise<CurrentFile> {
  const path = await folder.resolve(entry.filePath);
  try {
    const real = await realpath(path);
    const identity = await fileIdentity(real);
    if (identity !== null) return { path: real, identity };
  } catch (error) {
    if (errnoOf(error) !== "ENOENT") throw ioError(error, path, `${path} can't be examined`);
  }
  const problem = `${path}, the file of the model ${entry.modelId}, is missing`;
  throw new SdaError("ERR_SDA_NOT_FOUND", problem, { path });
}

/** A new file that has not replaced the old one yet. The caller must hold the lock all the time. */
export class Revision {
  readonly #folder: ModelsFolder;
  readonly #old: CurrentFile;
  #waiting: string;
  readonly bytes: number;

  private constructor(folder: ModelsFolder, old: CurrentFile, waiting: string, bytes: number) {
    this.#folder = folder;
    this.#old = old;
    this.#waiting = waiting;
    this.bytes = bytes;
  }

  /** Writes and syncs the new file, with the old file's permissions. */
  static async write(folder: ModelsFolder, old: CurrentFile, write: WriteFile): Promise<Revision> {
    const waiting = folder.join(`.sda-updating-${randomBytes(6).toString("hex")}`);
    const { bytes } = await write({ path: waiting });
    const revision = new Revision(folder, old, waiting, bytes);
    try {
      await revision.#takeAfterOld();
    } catch (error) {
      await revision.discard();
      throw ioError(error, old.path, `${old.path} can't be replaced`);
    }
    return revision;
  }

  async #takeAfterOld(): Promise<void> {
    const [old, here] = await Promise.all([stat(this.#old.path), stat(this.#waiting)]);
    if (old.dev !== here.dev) {
      // `rename` would fail only after the index has changed.
      const { path } = this.#old;
      const folder = this.#folder.path;
      const problem = `${path} can't be replaced: it is on another file system than ${folder}`;
      throw new SdaError("ERR_SDA_IO", problem, { path });
    }
    if (old.mode !== here.mode) await chmod(this.#waiting, old.mode & 0o7777);
  }

  /** Whether the old file is unchanged. */
  async isUpToDate(): Promise<boolean> {
    return (await fileIdentity(this.#old.path)) === this.#old.identity;
  }

  /** Ties the new file to an entry: once the index has the entry, the new file replaces the old. */
  async belongTo(entry: ModelEntry): Promise<void> {
    const decided = this.#folder.join(`.sda-updated-${digest(entry, this.#old.identity)}`);
    try {
      await rename(this.#waiting, decided);
      this.#waiting = decided;
      await syncFolder(this.#folder.path);
    } catch (error) {
      throw ioError(error, this.#old.path, `${this.#old.path} can't be replaced`);
    }
  }

  /**
   * Replaces the old file, durably: if the folder can't be synced, a process warning reports it.
   * Programs that have the old file open keep it.
   */
  async place(): Promise<void> {
    await place(this.#waiting, this.#old.path);
  }

  /** Deletes the new file. If this fails, the next opening of the library deletes it. */
  async discard(): Promise<void> {
    await unlink(this.#waiting).catch(() => {});
  }
}

/** Installs or deletes a pending file, as the index decides. The caller must hold the lock. */
export async function settleRevision(store: IndexStore, waiting: string): Promise<void> {
  await store.refresh(true);
  const target = await replacedBy(store, waiting);
  if (target === null) await unlink(waiting);
  else await place(waiting, target);
}

/**
 * The file that a pending file replaces; null: the index does not have the pending file's entry.
 */
async function replacedBy(store: IndexStore, waiting: string): Promise<string | null> {
  const { image, folder } = store;
  const { size } = await stat(waiting);
  for (const slot of image.models()) {
    if (image.value(slot, "fileSizeBytes") !== size) continue;
    const entry = image.entry(slot);
    const old = await currentFile(folder, entry).catch(() => null);
    const isOurs = old && basename(waiting) === `.sda-updated-${digest(entry, old.identity)}`;
    if (isOurs) return old.path;
  }
  return null;
}

async function place(waiting: string, path: string): Promise<void> {
  try {
    await replaceFile(waiting, path);
  } catch (error) {
    throw ioError(error, path, `${path} can't be replaced`);
  }
  await syncFolder(dirname(path)).catch((error: Error) => {
    const problem = `${path} has been changed, but a power failure may undo the change`;
    warn("SDA_NOT_SYNCED", `${problem}: ${error.message}`);
  });
}

/**
 * A digest of the new entry and of the old file, so that a file that another program has put there
 * since is not replaced. Of the old file, only its size and time of modification count: both
 * survive copying the folder.
 */
function digest(entry: ModelEntry, identityOfOld: string): string {
  const [, , size, mtime] = identityOfOld.split(":");
  return createHash("sha256")
    .update(`${entryText(entry)}\n${size} ${mtime}`)
    .digest("hex");
}
