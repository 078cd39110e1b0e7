/** What killed writers leave in a models folder. */
import { randomBytes } from "node:crypto";
import type { Dirent } from "node:fs";
import { lstat, mkdir, readdir, rename, rmdir, unlink } from "node:fs/promises";
import { dirname, normalize } from "node:path";
import { SdaError } from "../../base/errors.js";
import { errnoOf, ioError, isSdaError } from "../../base/io-error.js";
import { warn } from "../../base/warnings.js";
import { callNative } from "../../native/call.js";
import { checkpointAddon } from "../../native/load.js";
import { entryFiles } from "../index/entry-files.js";
import { MODEL_SUFFIX, type ModelsFolder } from "../index/folder.js";
import { withLock } from "../index/lock.js";
import type { IndexStore } from "../index/store.js";
import { INDEX_TEMPORARY } from "../index/write-index.js";
import { DECIDED, settleRevision, UNDECIDED } from "./revision.js";

/**
 * A folder that holds one model's file, under its path in the models folder, while the model is being deleted: the file
 * goes there first, then its entry goes from the index, then the file for good. So whenever that is interrupted, the
 * index tells whether the model was deleted.
 */
const DELETED = /^\.sda-deleted-[0-9a-f]+$/;
/** A model file under construction. */
const MODEL_TEMPORARY = /^\.sda-.*\.tmp$/;
const LEFTOVERS = [INDEX_TEMPORARY, DELETED, MODEL_TEMPORARY, UNDECIDED, DECIDED];

// Links and folders under the names of files, and files under those of folders, are not ours.
const isIndexTemporary = (found: Dirent) => found.isFile() && INDEX_TEMPORARY.test(found.name);
const isModelTemporary = (found: Dirent) => found.isFile() && MODEL_TEMPORARY.test(found.name);
const isUndecided = (found: Dirent) => found.isFile() && UNDECIDED.test(found.name);
const isDecided = (found: Dirent) => found.isFile() && DECIDED.test(found.name);
const isDeletion = (found: Dirent) => found.isDirectory() && DELETED.test(found.name);

/** Moves a file out of sight. @returns how to bring it back and how to remove it for good; null: there is no file */
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
    await rmdir(hiding).catch(() => {}); // the next open will
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

/** The paths of files that are hidden at the moment; normalized. */
export async function hiddenFiles(folder: ModelsFolder): Promise<Set<string>> {
  const hidden = new Set<string>();
  for (const deletion of (await list(folder.path)).filter(isDeletion)) {
    for (const { name } of await list(folder.join(deletion.name))) {
      hidden.add(normalize(decodePath(name)));
    }
  }
  return hidden;
}

/** Whether any are there; one look at the folder's names. */
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
 * Finishes or undoes what was interrupted, as the index says. Whoever is at work right now holds the lock, and then
 * nothing is done. What can't be settled stays, and a process warning tells.
 */
export async function settleLeftovers(store: IndexStore, lockTimeoutMs = 0): Promise<void> {
  try {
    await withLock(store.folder, { lockTimeoutMs }, () => settle(store));
  } catch (error) {
    // In use, or read-only: some later time, then.
    if (!isSdaError(error, "ERR_SDA_LOCKED") && !isSdaError(error, "ERR_SDA_IO")) throw error;
  }
}

/** As `settleLeftovers`, for whoever holds the lock. */
export async function settleLocked(store: IndexStore): Promise<void> {
  if (await hasLeftovers(store.folder)) await settle(store);
}

async function settle(store: IndexStore): Promise<void> {
  const { folder } = store;
  const addon = checkpointAddon();
  // Their writers don't hold the folder's lock but one on the file, and those that live are left alone.
  await callNative(addon, undefined, () => addon.removeStaleTemps(folder.path));
  const problems: string[] = [];
  const all = await list(folder.path);
  // A deletion that is undone brings a file back that an update may be waiting to replace.
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
      `${folder.path}: what an interrupted change has left can't be cleaned up`,
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
  const isModel = (found.isFile() || found.isSymbolicLink()) && filePath.endsWith(MODEL_SUFFIX);
  if (!isModel) {
    throw new SdaError("ERR_SDA_FORMAT", "it is no model's file, and left alone", { path: hidden });
  }
  const path = await store.folder.resolve(filePath); // throws if it leads out
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

/** As one name: with "/" and "\\" escaped, and a "%" where it would look like an escape. */
function encodePath(filePath: string): string {
  return filePath.replace(/[/\\]|%(?=25|2F|5C)/g, encodeURIComponent);
}

function decodePath(name: string): string {
  return name.replace(/%(25|2F|5C)/g, decodeURIComponent);
}
