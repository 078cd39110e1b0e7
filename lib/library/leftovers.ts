/** What killed writers leave in a models folder. */
import { randomBytes } from "node:crypto";
import { lstat, mkdir, readdir, rename, rmdir, unlink } from "node:fs/promises";
import { callNative } from "../native/call.js";
import { checkpointAddon } from "../native/load.js";
import type { ModelsFolder } from "./folder.js";
import { errnoOf, ioError, isSdaError } from "./io-error.js";
import { withLock } from "./lock.js";
import type { IndexStore } from "./store.js";
import { INDEX_TEMPORARY } from "./write-index.js";

/**
 * A folder that holds one model's file, under its path in the models folder, while the model is being deleted: the file
 * goes there first, then its entry goes from the index, then the file for good. So whenever that is interrupted, the
 * index tells whether the model was deleted.
 */
const DELETED = /^\.sda-deleted-[0-9a-f]+$/;
/** A model file under construction. */
const MODEL_TEMPORARY = /^\.sda-.*\.tmp$/;
const LEFTOVERS = [INDEX_TEMPORARY, DELETED, MODEL_TEMPORARY];

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
    await rmdir(hiding);
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

/** Whether any are there; one look at the folder's names. */
export async function hasLeftovers(folder: ModelsFolder): Promise<boolean> {
  try {
    const names = await readdir(folder.path);
    return names.some((name) => LEFTOVERS.some((pattern) => pattern.test(name)));
  } catch (error) {
    throw ioError(error, folder.path, `${folder.path} can't be listed`);
  }
}

/**
 * Finishes or undoes what was interrupted, as the index says. Whoever is at work right now holds the lock, and then
 * nothing is done.
 */
export async function settleLeftovers(store: IndexStore, lockTimeoutMs = 0): Promise<void> {
  try {
    await withLock(store.folder, { lockTimeoutMs }, () => settle(store));
  } catch (error) {
    // In use, or read-only: some later time, then.
    if (!isSdaError(error, "ERR_SDA_LOCKED") && !isSdaError(error, "ERR_SDA_IO")) throw error;
  }
}

async function settle(store: IndexStore): Promise<void> {
  const { folder } = store;
  const addon = checkpointAddon();
  // Their writers don't hold the folder's lock but one on the file, and those that live are left alone.
  await callNative(addon, undefined, () => addon.removeStaleTemps(folder.path));
  for (const name of await readdir(folder.path)) {
    if (INDEX_TEMPORARY.test(name)) await unlink(folder.join(name));
    else if (DELETED.test(name)) await settleDeletion(store, folder.join(name));
  }
}

async function settleDeletion(store: IndexStore, hiding: string): Promise<void> {
  await store.refresh(true);
  const { image, folder } = store;
  for (const name of await readdir(hiding)) {
    const hidden = `${hiding}/${name}`;
    const filePath = decodePath(name);
    let isKept = false;
    for (const slot of image.models()) isKept ||= image.value(slot, "filePath") === filePath;
    if (isKept && (await isFree(folder.join(filePath)))) {
      await renameIfFree(hidden, folder.join(filePath));
    } else {
      await unlink(hidden);
    }
  }
  await rmdir(hiding);
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

/** As one name: with "/" and "\" escaped, and "%", which escapes. */
function encodePath(filePath: string): string {
  return filePath.replace(/[%/\\]/g, encodeURIComponent);
}

function decodePath(name: string): string {
  return name.replace(/%(25|2F|5C)/g, decodeURIComponent);
}
