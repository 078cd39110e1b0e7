/** Finds and settles the files that an interrupted write leaves in a models folder. */
import { randomBytes } from "node:crypto";
import type { Dirent } from "node:fs";
import { lstat, mkdir, readdir, rename, rmdir, unlink } from "node:fs/promises";
import { dirname, normalize } from "node:path";
import { SdaError } from "../../base/errors.js";
import { errnoOf, ioError, isSdaError } from "../../base/io-error.js";
import { clearTemporaryFiles } from "../../base/temporary-files.js";
import { warn } from "../../base/warnings.js";
import { callNative } from "../../native/call.js";
import { checkpointAddon } from "../../native/load.js";
import { entryFiles } from "../index/entry-files.js";
import { INDEX_TEMPORARY, isModelName, type ModelsFolder } from "../index/folder.js";
import { withLock } from "../index/lock.js";
import type { IndexStore } from "../index/store.js";
import { DECIDED, settleRevision, UNDECIDED } from "./revision.js";

/**
 * A folder that hides one model's file during its deletion; the file's name there is its encoded
 * path. A deletion has three steps: move the file here, remove its entry from the index, delete the
 * file. After an interruption, the index decides: if it has the entry, the file is moved back;
 * otherwise the file is deleted.
 */
const DELETED = /^\.sda-deleted-[0-9a-f]+$/;
/** A model file under construction. */
const MODEL_TEMPORARY = /^\.sda-.*\.tmp$/;
const LEFTOVERS = [INDEX_TEMPORARY, DELETED, MODEL_TEMPORARY, UNDECIDED, DECIDED];

// A link or folder with the name of such a file, or a file with the name of such a folder, is from
// another program and is left alone.
const isIndexTemporary = (found: Dirent) => found.isFile() && INDEX_TEMPORARY.test(found.name);
const isModelTemporary = (found: Dirent) => found.isFile() && MODEL_TEMPORARY.test(found.name);
const isUndecided = (found: Dirent) => found.isFile() && UNDECIDED.test(found.name);
const isDecided = (found: Dirent) => found.isFile() && DECIDED.test(found.name);
const isDeletion = (found: Dirent) => found.isDirectory() && DELETED.test(found.name);

/**
 * Hides a model's file in a folder of its own.
 *
 * @returns functions that move the file back and that delete it; null: there is no file
 */
export async function hideFile(
  folder: ModelsFolder,
  filePath: string,
): Promise<{ restore(): Promise<void>; remove(): Promise<void> } | null> {
  const path = await folder.resolve(filePath);
  const hiding = folder.join(`.sda-deleted-${randomBytes(6).toString("hex")}`);
  const hidden = `${hiding}/${encodePath(filePath)}`;
  await mkdir(hiding);
  try {
    await rename(path, hidden);
  } catch (error) {
    await rmdir(hiding).catch(() => {}); // otherwise the next opening removes the folder
    if (errnoOf(error) === "ENOENT") return null;
    throw error;
  }
  return {
    async restore() {
      await renameIfFree(hidden, path);
      await rmdir(hiding);
    },
    async remove() {
      await unlink(hidden);
      await rmdir(hiding);
    },
  };
}

/** The normalized paths of all hidden files. */
export async function hiddenFiles(folder: ModelsFolder): Promise<Set<string>> {
  const hidden = new Set<string>();
  for (const deletion of (await list(folder.path)).filter(isDeletion)) {
    for (const { name } of await list(folder.join(deletion.name))) {
      hidden.add(normalize(decodePath(name)));
    }
  }
  return hidden;
}

/** Whether the folder has leftovers. Without any, this only lists the folder's names. */
export async function hasLeftovers(folder: ModelsFolder): Promise<boolean> {
  const names = await readdir(folder.path).catch((error) => {
    throw ioError(error, folder.path, `${folder.path} can't be listed`);
  });
  if (!names.some((name) => LEFTOVERS.some((pattern) => pattern.test(name)))) return false;
  const found = await list(folder.path);
  const kinds = [isIndexTemporary, isModelTemporary, isUndecided, isDecided, isDeletion];
  return found.some((f) => kinds.some((isKind) => isKind(f)));
}

/**
 * Completes or undoes interrupted writes; the index decides which. Does nothing if another process
 * holds the lock. A process warning reports leftovers that can't be settled; they stay.
 */
export async function settleLeftovers(store: IndexStore, lockTimeoutMs = 0): Promise<void> {
  try {
    await withLock(store.folder, { lockTimeoutMs }, () => settle(store));
  } catch (error) {
    // The library is in use or read-only: a later opening settles the leftovers.
    if (!isSdaError(error, "ERR_SDA_LOCKED") && !isSdaError(error, "ERR_SDA_IO")) throw error;
  }
}

/** As `settleLeftovers`. The caller must hold the lock. */
export async function settleLocked(store: IndexStore): Promise<void> {
  if (store.folder.lockKind === "none") return; // others may be in the middle of a change
  if (await hasLeftovers(store.folder)) await settle(store);
}

async function settle(store: IndexStore): Promise<void> {
  const { folder } = store;
  await store.refresh(true);
  if (store.image.isNewer) return; // this code can't judge what the index knows
  const addon = checkpointAddon();
  // Model files under construction: each writer locks its own file, so the addon removes only the
  // files of dead writers.
  await callNative(addon, undefined, () => addon.removeStaleTemps(folder.path));
  await clearTemporaryFiles(folder.path, true); // of sounds that are written here
  const problems: string[] = [];
  const all = await list(folder.path);
  // Updates come last: an undone deletion may bring back the file that a pending update replaces.
  for (const found of [...all.filter((f) => !isDecided(f)), ...all.filter(isDecided)]) {
    const path = folder.join(found.name);
    try {
      if (isIndexTemporary(found) || isUndecided(found)) await unlink(path);
      else if (isDeletion(found)) await settleDeletion(store, path, problems);
      else if (isDecided(found)) await settleRevision(store, path);
    } catch (error) {
      problems.push(`${found.name}: ${(error as Error).message}`);
    }
  }
  if (problems.length > 0) {
    warn(
      "SDA_CLEANUP_FAILED",
      `${folder.path}: the leftovers of an interrupted change can't be cleaned up`,
      problems.join("\n"),
    );
  }
}

async function settleDeletion(
  store: IndexStore,
  hiding: string,
  problems: string[],
): Promise<void> {
  await store.refresh(true);
  let left = 0;
  for (const found of await list(hiding)) {
    const hidden = `${hiding}/${found.name}`;
    try {
      await settleHidden(store, hidden, found);
    } catch (error) {
      left++;
      problems.push(`${hidden}: ${(error as Error).message}`);
    }
  }
  if (left === 0) await rmdir(hiding);
}

async function settleHidden(store: IndexStore, hidden: string, found: Dirent): Promise<void> {
  const filePath = decodePath(found.name);
  const isModel = (found.isFile() || found.isSymbolicLink()) && isModelName(filePath);
  if (!isModel) {
    throw new SdaError("ERR_SDA_FORMAT", "not a model file; left alone", { path: hidden });
  }
  const path = await store.folder.resolve(filePath); // throws if the path leads out of the folder
  const isKept = entryFiles(store.image).has(normalize(filePath));
  if (!isKept || !(await isFree(path))) return unlink(hidden);
  await mkdir(dirname(path), { recursive: true });
  await renameIfFree(hidden, path);
}

async function list(path: string): Promise<Dirent[]> {
  try {
    return await readdir(path, { withFileTypes: true });
  } catch (error) {
    throw ioError(error, path, `${path} can't be listed`);
  }
}

async function isFree(path: string): Promise<boolean> {
  try {
    await lstat(path);
    return false;
  } catch (error) {
    return errnoOf(error) === "ENOENT";
  }
}

async function renameIfFree(from: string, to: string): Promise<void> {
  const addon = checkpointAddon();
  const outcome = await callNative(addon, undefined, () => addon.rename(from, to, "keep"));
  if (outcome === "unsupported") await rename(from, to);
}

/** Encodes a path as one file name: escapes "/" and "\\", and a "%" that looks like an escape. */
function encodePath(filePath: string): string {
  return filePath.replace(/[/\\]|%(?=25|2F|5C)/g, encodeURIComponent);
}

function decodePath(name: string): string {
  return name.replace(/%(25|2F|5C)/g, decodeURIComponent);
}
