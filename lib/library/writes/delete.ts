import { lstat } from "node:fs/promises";
import { checkOptions } from "../../base/check.js";
import { SdaError } from "../../base/errors.js";
import { errnoOf, ioError } from "../../base/io-error.js";
import { warn } from "../../base/warnings.js";
import { MODEL_SUFFIXES } from "../../format/generations.js";
import { checkId } from "../index/entry.js";
import { isModelName, type ModelsFolder } from "../index/folder.js";
import {
  checkLockOptions,
  type FolderOptions,
  LOCK_OPTIONS,
  type LockOptions,
  withLock,
} from "../index/lock.js";
import type { IndexStore } from "../index/store.js";
import { hideFile } from "./leftovers.js";
import { openIndex, splitLock } from "./open-index.js";

/**
 * Deletes a model: its file and its entry. If the deletion is interrupted, the next opening or
 * repair of the library completes or undoes it. Open libraries see the deletion after `refresh()`.
 *
 * @param modelsDir the library's folder
 * @returns false: there is no such model
 * @throws SdaError ERR_SDA_ARGUMENT: the id is not a string; ERR_SDA_UNSAFE: the entry's path leads
 *   out of the folder; ERR_SDA_SCHEMA: the path does not end as a model file's does;
 *   ERR_SDA_FORMAT: the path is a folder; ERR_SDA_NOT_FOUND: the models folder does not exist;
 *   ERR_SDA_VERSION: the index is newer than supported; ERR_SDA_LOCKED; ERR_SDA_IO;
 *   `signal.reason`. Nothing is deleted then.
 * @example
 * ```js
 * const library = await ModelLibrary.open("data/models");
 * const [{ modelId }] = library.search({ query: "Kitchen Drums" });
 * console.log(await deleteModel(modelId, "data/models")); // true
 * ```
 */
export async function deleteModel(
  modelId: string,
  modelsDir: string | URL,
  options: FolderOptions = {},
): Promise<boolean> {
  checkId(modelId);
  const [lock, others] = splitLock(options, LOCK_OPTIONS);
  checkLockOptions(others);
  const { store } = await openIndex(modelsDir, lock);
  return deleteFrom(store, modelId, others);
}

/** As `deleteModel`, from an open index. */
export async function deleteFrom(
  store: IndexStore,
  modelId: string,
  options: LockOptions = {},
): Promise<boolean> {
  checkId(modelId);
  checkOptions("options", options, LOCK_OPTIONS);
  checkLockOptions(options);
  // Look first without the lock: an unknown id must not create a lock file.
  await store.refresh();
  if (store.image.get(modelId) === null) return false;
  store.checkWritable();
  return withLock(store.folder, options, () => deleteLocked(store, modelId));
}

async function deleteLocked(store: IndexStore, modelId: string): Promise<boolean> {
  await store.refresh(true);
  const entry = store.image.get(modelId);
  if (!entry) return false;
  store.checkWritable();
  const hidden = await hide(store.folder, entry.filePath);
  try {
    await store.transact((patch) => {
      patch.remove(modelId);
    });
  } catch (error) {
    await hidden?.restore().catch(() => {}); // otherwise the next opening restores the file
    throw error;
  }
  try {
    await hidden?.remove();
  } catch (error) {
    const problem = `the file of the deleted model ${modelId} can't be removed`;
    warn("SDA_CLEANUP_FAILED", `${store.folder.path}: ${problem}: ${(error as Error).message}`);
  }
  return true;
}

/** Hides an entry's file. @returns null: the file is missing */
async function hide(folder: ModelsFolder, filePath: string) {
  const path = await folder.resolve(filePath);
  // A bad entry may name the index itself or somebody's notes.
  if (!isModelName(filePath)) {
    const name = JSON.stringify(filePath);
    const suffixes = MODEL_SUFFIXES.join(", ");
    const problem = `${name} is not a model file (${suffixes}), so it is not deleted`;
    throw new SdaError("ERR_SDA_SCHEMA", problem, { path, field: "file_path" });
  }
  try {
    if ((await lstat(path)).isDirectory()) {
      throw new SdaError("ERR_SDA_FORMAT", `${path} is a folder, not a model file`, { path });
    }
    return await hideFile(folder, filePath);
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return null; // only the entry is left to delete
    throw ioError(error, path, `${path} can't be deleted`);
  }
}
