/**
 * A model's file that is being replaced by one that differs in what it says about itself, together with its entry. Those
 * are two steps, so the index decides: the new file waits, under a name that tells which entry it belongs to, until the
 * index has that entry, and then takes the old one's place. Whenever that is interrupted, what waits is either what the
 * index speaks of, and takes its place later, or it is not, and goes.
 */
import { createHash, randomBytes } from "node:crypto";
import { chmod, realpath, rename, stat, unlink } from "node:fs/promises";
import { basename, dirname } from "node:path";
import { SdaError } from "../../base/errors.js";
import { fileIdentity } from "../../base/file-identity.js";
import { errnoOf, ioError } from "../../base/io-error.js";
import { warn } from "../../base/warnings.js";
import type { SaveTarget } from "../../native/types.js";
import { entryText, type ModelEntry } from "../index/entry.js";
import type { ModelsFolder } from "../index/folder.js";
import type { IndexStore } from "../index/store.js";
import { syncFolder } from "../index/write-index.js";

/** New files that no index speaks of yet; written under the folder's lock only. */
export const UNDECIDED = /^\.sda-updating-[0-9a-f]+$/;
/** Those that the index decides about. */
export const DECIDED = /^\.sda-updated-[0-9a-f]{64}$/;

/** Writes the new file; `lib/model` knows how. */
export type WriteFile = (target: SaveTarget) => Promise<{ bytes: number }>;

/** The file of an entry, links followed. */
export interface CurrentFile {
  path: string;
  /** Changes with every change of it */
  identity: string;
}

/** @throws SdaError ERR_SDA_NOT_FOUND: there is none; ERR_SDA_UNSAFE: the entry's path leads out of the folder; ERR_SDA_IO */
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

/** A new file that has not taken the old one's place. The lock must be held as long as there is one. */
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

  /** Writes it, synced and with the old one's permissions. */
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
      // Found now, and not when the index has changed already.
      const { path } = this.#old;
      const problem = `${path} can't be replaced: it is on another file system than ${this.#folder.path}`;
      throw new SdaError("ERR_SDA_IO", problem, { path });
    }
    if (old.mode !== here.mode) await chmod(this.#waiting, old.mode & 0o7777);
  }

  /** Whether the old file is still what it was. */
  async isUpToDate(): Promise<boolean> {
    return (await fileIdentity(this.#old.path)) === this.#old.identity;
  }

  /** From now on, an index that has this entry decides that the new file takes the old one's place. */
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

  /** Takes the old file's place; whoever has that open keeps it. Without an error it is so for good, or a process warning tells. */
  async place(): Promise<void> {
    await place(this.#waiting, this.#old.path);
  }

  /** What can't be removed goes when the library is next opened. */
  async discard(): Promise<void> {
    await unlink(this.#waiting).catch(() => {});
  }
}

/** Does with a file that was left waiting what the index says. The lock must be held. */
export async function settleRevision(store: IndexStore, waiting: string): Promise<void> {
  await store.refresh(true);
  const target = await replacedBy(store, waiting);
  if (target === null) await unlink(waiting);
  else await place(waiting, target);
}

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
    await rename(waiting, path);
  } catch (error) {
    throw ioError(error, path, `${path} can't be replaced`);
  }
  await syncFolder(dirname(path)).catch((error: Error) => {
    warn(
      "SDA_NOT_SYNCED",
      `${path} has been changed, but a power failure may undo that: ${error.message}`,
    );
  });
}

/**
 * Of what the entry says and of the file that is to be replaced: one that somebody has put there since is not ours to
 * replace. Of that, size and time of change only, which survive the copying of a folder.
 */
function digest(entry: ModelEntry, identityOfOld: string): string {
  const [, , size, mtime] = identityOfOld.split(":");
  return createHash("sha256")
    .update(`${entryText(entry)}\n${size} ${mtime}`)
    .digest("hex");
}
