import { lstat, readdir } from "node:fs/promises";
import { badArgument } from "../check.js";
import { ENTRY_NAMES } from "../model/names.js";
import type { ModelsFolder } from "./folder.js";
import type { Patch } from "./index-image.js";
import { errnoOf, ioError } from "./io-error.js";
import { settleLeftovers } from "./leftovers.js";
import { checkLockOptions, LOCK_TIMEOUT_MS, type LockOptions, withLock } from "./lock.js";
import { entryOfFile, readModelFiles } from "./model-files.js";
import { type PyDict, parsePythonJson } from "./python-json.js";
import type { IndexStore } from "./store.js";
import { warn } from "./warnings.js";

export interface RepairOptions extends LockOptions {
  /** Called for each file that was read; `error` is there when it couldn't be. */
  onProgress?: (done: number, total: number, file: string, error?: Error) => void;
}

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
  checkLockOptions(options);
  const { onProgress, lockTimeoutMs = LOCK_TIMEOUT_MS, signal } = options;
  if (onProgress !== undefined && typeof onProgress !== "function") {
    throw badArgument("onProgress", "a function", onProgress);
  }
  const { folder } = store;
  await settleLeftovers(store, lockTimeoutMs);
  await store.refresh();
  // Files are read without the lock, which others would wait for. What has changed meanwhile is looked at again below.
  const known = knownFiles(store);
  const { files, unreadable } = await readModelFiles(folder, { known, signal, onFile: onProgress });

  const problems = new Map(unreadable.map(({ file, error }) => [file, error.message]));
  let removed = 0;
  let added = 0;
  await withLock(folder, options, () =>
    store.transact(async (patch) => {
      const names = await fileNames(folder);
      removed = await removeStale(patch, folder, names, problems);
      const indexed = knownFiles(store);
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

/** Names of files that have an entry, if only one that we can't make sense of. */
function knownFiles({ image }: IndexStore): Set<string> {
  const known = new Set<string>();
  for (const slot of image.models()) known.add(image.value(slot, "filePath"));
  for (const { text } of image.unknown()) {
    // `"id": {…}` in braces is an object of one member.
    const [value] = (parsePythonJson(`{${text}}`) as PyDict).values();
    const filePath = value instanceof Map ? value.get(ENTRY_NAMES.filePath) : undefined;
    if (typeof filePath === "string") known.add(filePath);
  }
  return known;
}

async function fileNames(folder: ModelsFolder): Promise<Set<string>> {
  try {
    return new Set(await readdir(folder.path));
  } catch (error) {
    throw ioError(error, folder.path, `${folder.path} can't be listed`);
  }
}

async function removeStale(
  patch: Patch,
  folder: ModelsFolder,
  names: ReadonlySet<string>,
  problems: Map<string, string>,
): Promise<number> {
  const { image } = patch;
  let removed = 0;
  for (const slot of image.models()) {
    const filePath = image.value(slot, "filePath");
    if (names.has(filePath)) continue;
    try {
      await lstat(await folder.resolve(filePath)); // in a folder below, or its name in another spelling
    } catch (error) {
      if (errnoOf(error) === "ENOENT" || errnoOf(error) === "ENOTDIR") {
        patch.remove(image.idOf(slot));
        removed++;
      } else {
        problems.set(filePath, (error as Error).message);
      }
    }
  }
  return removed;
}
