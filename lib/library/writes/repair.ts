import { readdir, stat } from "node:fs/promises";
import { normalize } from "node:path";
import { checkCallback, checkOptions } from "../../base/check.js";
import { SdaError } from "../../base/errors.js";
import { errnoOf, ioError } from "../../base/io-error.js";
import { warn } from "../../base/warnings.js";
import { entryFiles } from "../index/entry-files.js";
import type { ModelsFolder } from "../index/folder.js";
import type { Patch } from "../index/index-image.js";
import {
  checkLockOptions,
  LOCK_OPTIONS,
  LOCK_TIMEOUT_MS,
  type LockOptions,
  withLock,
} from "../index/lock.js";
import { entryOfFile, readModelFiles } from "../index/model-files.js";
import type { IndexStore } from "../index/store.js";
import { hiddenFiles, settleLeftovers } from "./leftovers.js";
import { mend, staleEntries } from "./stale-entries.js";

/** Options of `ModelLibrary.repairIndex`. */
export interface RepairOptions extends LockOptions {
  /** Called after each file that has no entry was read; `error` tells why it can't be read. */
  onProgress?: (done: number, total: number, file: string, error?: Error) => void;
}

/** The result of a repair. */
export interface RepairResult {
  /** Number of removed entries: their file was missing */
  removed: number;
  /** Number of added entries: their file had none */
  added: number;
  /** Number of updated entries: their file had another size or vocoder */
  updated: number;
  /**
   * Names of files that can't be read, and entries' paths that lead out of the folder; left alone
   */
  unreadable: string[];
}

export async function repairIndex(
  store: IndexStore,
  options: RepairOptions = {},
): Promise<RepairResult> {
  checkOptions("options", options, ["onProgress", ...LOCK_OPTIONS]);
  checkLockOptions(options);
  const { onProgress, lockTimeoutMs = LOCK_TIMEOUT_MS, signal } = options;
  checkCallback("onProgress", onProgress);
  const { folder } = store;
  await store.refresh();
  store.checkWritable();
  await settleLeftovers(store, lockTimeoutMs);
  await store.refresh();
  // Read the files without the lock, so that others need not wait. The changes that are made in the
  // meantime are considered below, under the lock.
  const known = entryFiles(store.image);
  const { files, unreadable } = await readModelFiles(folder, { known, signal, onFile: onProgress });
  const stale = await staleEntries(folder, store.image, await fileNames(folder), signal);

  const problems = new Map(unreadable.map(({ file, error }) => [file, error.message]));
  let removed = 0;
  let added = 0;
  let updated = 0;
  await withLock(folder, options, () =>
    store.transact(async (patch) => {
      const names = await fileNames(folder);
      removed = await removeStale(patch, folder, names, problems);
      updated = await mend(patch, stale);
      const indexed = entryFiles(store.image);
      added = 0;
      for (const file of files) {
        if (indexed.has(file.file) || !names.has(file.file)) continue;
        patch.add(entryOfFile(file, (id) => patch.has(id)));
        added++;
      }
    }),
  );
  if (problems.size > 0) {
    const files = problems.size === 1 ? "1 file" : `${problems.size} files`;
    warn(
      "SDA_FILE_UNREADABLE",
      `${folder.path}: ${files} can't be read and stay as they are`,
      [...problems].map(([file, problem]) => `${file}: ${problem}`).join("\n"),
    );
  }
  return { removed, added, updated, unreadable: [...problems.keys()] };
}

/** The names in the folder; true for a symbolic link. */
async function fileNames(folder: ModelsFolder): Promise<Map<string, boolean>> {
  try {
    const found = await readdir(folder.path, { withFileTypes: true });
    return new Map(found.map((f) => [f.name, f.isSymbolicLink()]));
  } catch (error) {
    throw ioError(error, folder.path, `${folder.path} can't be listed`);
  }
}

/** Removes the entries whose file is missing. @returns how many */
async function removeStale(
  patch: Patch,
  folder: ModelsFolder,
  names: ReadonlyMap<string, boolean>,
  problems: Map<string, string>,
): Promise<number> {
  const { image } = patch;
  const hidden = await hiddenFiles(folder);
  let removed = 0;
  for (const slot of image.models()) {
    const filePath = image.value(slot, "filePath");
    const isLink = names.get(filePath);
    if (isLink === false) continue;
    try {
      // A file in a subfolder, a different spelling of a name, or a link, which may be broken
      await stat(await folder.resolve(filePath));
    } catch (error) {
      if (hidden.has(normalize(filePath))) {
        // Undoing the deletion has failed, but may succeed later.
        problems.set(filePath, "an interrupted deletion hides this file");
      } else if (isMissing(error)) {
        patch.remove(image.idOf(slot));
        removed++;
      } else {
        problems.set(filePath, (error as Error).message);
      }
    }
  }
  return removed;
}

/** Whether the error means that a path, or the target of its links, does not exist. */
function isMissing(error: unknown): boolean {
  const errno = error instanceof SdaError ? error.details?.["errno"] : errnoOf(error);
  return errno === "ENOENT" || errno === "ENOTDIR" || errno === "ELOOP";
}
