import { lstat } from "node:fs/promises";
import { checkOptions } from "../../base/check.js";
import { SdaError } from "../../base/errors.js";
import { errnoOf, ioError } from "../../base/io-error.js";
import { warn } from "../../base/warnings.js";
import { checkId } from "../index/entry.js";
import { MODEL_SUFFIX, type ModelsFolder } from "../index/folder.js";
import { checkLockOptions, LOCK_OPTIONS, type LockOptions, withLock } from "../index/lock.js";
import type { IndexStore } from "../index/store.js";
import { hideFile } from "./leftovers.js";
import { openIndex } from "./open-index.js";

/**
 * Deletes a model: its file and its entry. A deletion that is interrupted is finished or undone, never half of each,
 * when the library is next opened or repaired. Libraries that are open see it after `refresh()`.
 *
 * @returns false: there is no such model
 * @throws SdaError ERR_SDA_ARGUMENT: the id is not a string; ERR_SDA_UNSAFE: the entry's path leads out of the folder; ERR_SDA_SCHEMA: it doesn't name an .sda
 *   file; ERR_SDA_FORMAT: it names a folder; ERR_SDA_NOT_FOUND: no such folder; ERR_SDA_LOCKED; ERR_SDA_IO;
 *   `signal.reason`. Nothing is deleted then.
 */
export async function deleteModel(
  modelId: string,
  modelsDir: string | URL,
  options: LockOptions = {},
): Promise<boolean> {
  checkId(modelId);
  checkOptions("options", options, LOCK_OPTIONS);
  checkLockOptions(options);
  const { store } = await openIndex(modelsDir);
  return deleteFrom(store, modelId, options);
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
  // First without the lock: that an id is unknown needs no writing, not even of a lock file.
  await store.refresh();
  if (store.image.get(modelId) === null) return false;
  return withLock(store.folder, options, () => deleteLocked(store, modelId));
}

async function deleteLocked(store: IndexStore, modelId: string): Promise<boolean> {
  await store.refresh(true);
  const entry = store.image.get(modelId);
  if (!entry) return false;
  const hidden = await hide(store.folder, entry.filePath);
  try {
    await store.transact((patch) => {
      patch.remove(modelId);
    });
  } catch (error) {
    await hidden?.restore().catch(() => {}); // the next open will, then
    throw error;
  }
  try {
    await hidden?.remove();
  } catch (error) {
    warn(
      "SDA_CLEANUP_FAILED",
      `${store.folder.path}: the file of the deleted model ${modelId} is still there: ${(error as Error).message}`,
    );
  }
  return true;
}

async function hide(folder: ModelsFolder, filePath: string) {
  const path = await folder.resolve(filePath);
  // The index, its backup, somebody's notes: whatever an entry says, those are no models.
  if (!filePath.endsWith(MODEL_SUFFIX)) {
    const problem = `${JSON.stringify(filePath)} is not a model's file (${MODEL_SUFFIX}); it is not deleted`;
    throw new SdaError("ERR_SDA_SCHEMA", problem, { path, field: "file_path" });
  }
  try {
    if ((await lstat(path)).isDirectory()) {
      throw new SdaError("ERR_SDA_FORMAT", `${path} is a folder, not a model's file`, { path });
    }
    return await hideFile(folder, filePath);
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return null; // the entry alone, then
    throw ioError(error, path, `${path} can't be deleted`);
  }
}
