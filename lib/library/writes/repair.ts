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

/** How to repair, and whom to tell. */
export interface RepairOptions extends LockOptions {
  /** Called for each file that was read; `error` is there when it couldn't be. */
  onProgress?: (done: number, total: number, file: string, error?: Error) => void;
}

/**
 * What a repair did: entries removed and added, and the files that could not be read.
 */
export interface RepairResult {
  /** Entries whose file is missing */
  removed: number;
  /** Files that had no entry */
  added: number;
  /** Names of files that can't be read, and paths of entries that lead out of the folder: all left alone. */
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
  await settleLeftovers(store, lockTimeoutMs);
  await store.refresh();
  // Files are read without the lock, which others would wait for. What has changed meanwhile is looked at again below.
  const known = entryFiles(store.image);
  const { files, unreadable } = await readModelFiles(folder, { known, signal, onFile: onProgress });

  const problems = new Map(unreadable.map(({ file, error }) => [file, error.message]));
  let removed = 0;
  let added = 0;
  await withLock(folder, options, () =>
    store.transact(async (patch) => {
      const names = await fileNames(folder);
      removed = await removeStale(patch, folder, names, problems);
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
    warn(
      "SDA_FILE_UNREADABLE",
      `${folder.path}: ${problems.size} ${problems.size === 1 ? "file" : "files"} can't be read, and left alone`,
      [...problems].map(([file, problem]) => `${file}: ${problem}`).join("\n"),
    );
  }
  return { removed, added, unreadable: [...problems.keys()] };
}

/** The names in the folder, and whether they are links. */
async function fileNames(folder: ModelsFolder): Promise<Map<string, boolean>> {
  try {
    const found = await readdir(folder.path, { withFileTypes: true });
    return new Map(found.map((f) => [f.name, f.isSymbolicLink()]));
  } catch (error) {
    throw ioError(error, folder.path, `${folder.path} can't be listed`);
  }
}

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
      // In a folder below, its name in another spelling, or a link that may lead nowhere
      await stat(await folder.resolve(filePath));
    } catch (error) {
      if (hidden.has(normalize(filePath))) {
        // An interrupted deletion that couldn't be undone now, but may be later.
        problems.set(filePath, "it is hidden by a deletion that was interrupted");
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

/** Of a path, or what a link leads to: that there is nothing, or no end. */
function isMissing(error: unknown): boolean {
  const errno = error instanceof SdaError ? error.details?.["errno"] : errnoOf(error);
  return errno === "ENOENT" || errno === "ENOTDIR" || errno === "ELOOP";
}
