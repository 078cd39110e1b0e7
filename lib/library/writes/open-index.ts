import { checkOptions, toFilePath } from "../../base/check.js";
import { makeFolder } from "../../base/make-folder.js";
import { ModelsFolder } from "../index/folder.js";
import type { FolderOptions } from "../index/lock.js";
import { checkLockKind, type LockKind } from "../index/lock-kind.js";
import { type IndexQueue, IndexStore } from "../index/store.js";
import { WriteQueue } from "../index/write-queue.js";
import { hasLeftovers, settleLeftovers } from "./leftovers.js";

/**
 * Opens the index that a write changes. It is a function, because a write checks its arguments and
 * its source file before it opens or creates a models folder.
 */
export type Target = () => Promise<IndexQueue>;

/**
 * Reads the index of a folder, and completes or undoes interrupted writes.
 *
 * @throws SdaError ERR_SDA_NOT_FOUND: no such folder; ERR_SDA_LOCKED; ERR_SDA_LIMIT; ERR_SDA_IO
 */
export async function openIndex(modelsDir: string | URL, lock?: LockKind): Promise<IndexQueue> {
  const folder = await ModelsFolder.at(modelsDir, lock);
  const store = new IndexStore(folder);
  const [leftovers] = await Promise.all([hasLeftovers(folder), store.refresh()]);
  // Without a lock, another process may be in the middle of a change. Beside an index that this
  // code can't judge, all stays as it is.
  const isSettled = folder.lockKind === "none" || store.image.isNewer;
  if (leftovers && !isSettled) await settleLeftovers(store);
  return new WriteQueue(store);
}

/** As `openIndex`, but creates the folder if it is missing. Checks the path's type at once. */
export function newOrOpenIndex(modelsDir: string | URL, lock?: LockKind): Target {
  const path = toFilePath(modelsDir);
  return async () => {
    await makeFolder(path);
    return openIndex(path, lock);
  };
}

/**
 * Takes the kind of the lock out of the options of a function that opens a folder.
 *
 * @param known the names of the other options
 * @throws SdaError ERR_SDA_ARGUMENT: an unknown option or kind
 */
export function splitLock<T extends FolderOptions>(
  options: T | undefined,
  known: readonly string[],
): [lock: LockKind | undefined, others: Omit<T, "lock">] {
  checkOptions("options", options, [...known, "lock"]);
  const { lock, ...others } = options ?? ({} as T);
  return [checkLockKind(lock), others];
}
