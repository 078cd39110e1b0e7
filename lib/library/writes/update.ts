import { isDeepStrictEqual } from "node:util";
import { badArgument, checkOptions } from "../../base/check.js";
import { SdaError } from "../../base/errors.js";
import { isUrl } from "../../base/realm.js";
import { warn } from "../../base/warnings.js";
import { changedMetadata } from "../../format/file-content.js";
import { ANALYSIS_NAMES } from "../../format/names.js";
import { type ModelContent, parseModel } from "../../format/schema.js";
import { callNative } from "../../native/call.js";
import { checkpointAddon } from "../../native/load.js";
import { Amended, Carried, encode } from "../../torch/encode.js";
import { checkEntry, checkId, entryText, type ModelEntry } from "../index/entry.js";
import type { ModelsFolder } from "../index/folder.js";
import {
  checkLockOptions,
  type FolderOptions,
  LOCK_OPTIONS,
  LOCK_TIMEOUT_MS,
  type LockOptions,
  withLock,
} from "../index/lock.js";
import type { IndexStore } from "../index/store.js";
import { checkChanges, type ModelChanges } from "./changes.js";
import { settleLocked } from "./leftovers.js";
import { type OpenFile, useFile } from "./open-file.js";
import { openIndex, splitLock } from "./open-index.js";
import { currentFile, Revision, type WriteFile } from "./revision.js";

/**
 * Changes a model's name, description, tags or slider labels, in its file and in its entry. The
 * file keeps its name. The rest of its content is copied as it is, unknown keys included; the
 * kernel copies the weights where it can. A field that `changes` lacks stays as it is in the file
 * and in the entry, even if the two differ.
 *
 * A new file replaces the old one: programs that have loaded the old file keep it, and a
 * `ModelCache` loads the new one at the next use. If the update is interrupted, the next opening,
 * update or repair of the library completes or undoes it. Updates of one library wait for each
 * other, in this process and in others. Open libraries see the update after `refresh()`.
 *
 * The argument order `(modelId, modelsDir, changes, options)` is accepted as well.
 *
 * @param modelsDir the library's folder
 * @returns the updated entry; if the changes make no difference, nothing is written
 * @throws SdaError ERR_SDA_NOT_FOUND: the folder or the model does not exist, or the model's file
 *   is missing (`details.path`); ERR_SDA_ARGUMENT (`details.option`): a field that can't be
 *   changed, a text that is blank, ill-formed or too long (see `CHANGE_LIMITS`), labels for a model
 *   without an analysis, or a number of labels that is not the number of sliders; errors of the
 *   file as `loadModel`; ERR_SDA_UNSAFE: the entry's path leads out of the folder; ERR_SDA_VERSION:
 *   the file or the index is newer than supported; ERR_SDA_LOCKED; ERR_SDA_IO; `signal.reason`.
 *   Nothing has changed then.
 * @example
 * ```js
 * const library = await ModelLibrary.open("data/models");
 * const [{ modelId }] = library.search({ query: "Kitchen Drums" });
 * const entry = await updateModel(modelId, { tags: ["drums", "lo-fi"] }, "data/models");
 * console.log(entry.tags);
 * ```
 */
export async function updateModel(
  modelId: string,
  changes: ModelChanges,
  modelsDir: string | URL,
  options?: FolderOptions,
): Promise<ModelEntry>;
export async function updateModel(
  modelId: string,
  modelsDir: string | URL,
  changes: ModelChanges,
  options?: FolderOptions,
): Promise<ModelEntry>;
export async function updateModel(
  modelId: string,
  first: unknown,
  second: unknown,
  options: FolderOptions = {},
): Promise<ModelEntry> {
  const isOldOrder = typeof first === "string" || isUrl(first);
  const [changes, modelsDir] = isOldOrder ? [second, first] : [first, second];
  const [lock, others] = splitLock(options, LOCK_OPTIONS);
  checkUpdate(modelId, changes, others);
  const { store } = await openIndex(modelsDir as string | URL, lock);
  return updateIn(store, modelId, changes as ModelChanges, others);
}

function checkUpdate(modelId: unknown, changes: unknown, options: LockOptions): ModelChanges {
  checkId(modelId);
  checkOptions("options", options, LOCK_OPTIONS);
  checkLockOptions(options);
  return checkChanges(changes);
}

/** As `updateModel`, in an open index. */
export async function updateIn(
  store: IndexStore,
  modelId: string,
  changes: ModelChanges,
  options: LockOptions = {},
): Promise<ModelEntry> {
  const wanted = checkUpdate(modelId, changes, options);
  const { folder } = store;
  // Look first without the lock: an unknown id or empty changes must not create a lock file.
  await store.refresh();
  const entry = known(store.image.get(modelId), modelId, folder);
  if (Object.keys(wanted).length === 0) return entry;
  store.checkWritable();
  return withLock(folder, options, async () => {
    await settleLocked(store);
    return updateLocked(store, modelId, wanted, options.signal);
  });
}

/** @throws SdaError ERR_SDA_NOT_FOUND: there is no entry */
function known(entry: ModelEntry | null, modelId: string, folder: ModelsFolder): ModelEntry {
  if (entry) return entry;
  const problem = `${folder.path} has no model with the id ${JSON.stringify(modelId)}`;
  throw new SdaError("ERR_SDA_NOT_FOUND", problem, { path: folder.path, modelId });
}

/** Starts again when a program that takes no lock has changed the file that was read. */
async function updateLocked(
  store: IndexStore,
  modelId: string,
  changes: ModelChanges,
  signal: AbortSignal | undefined,
): Promise<ModelEntry> {
  const { folder } = store;
  const deadline = performance.now() + LOCK_TIMEOUT_MS;
  do {
    await store.refresh(true);
    store.checkWritable();
    const entry = known(store.image.get(modelId), modelId, folder);
    const file = await currentFile(folder, entry);
    const revision = await useFile(file.path, signal, async (opened) => {
      const write = amendedFile(opened, changes, signal);
      return write && Revision.write(folder, file, write);
    });
    const updated = await commit(store, entry, changes, revision, signal);
    if (updated) return updated;
  } while (performance.now() < deadline);
  const seconds = LOCK_TIMEOUT_MS / 1000;
  const problem = `Another program has kept changing the file of model ${modelId} for ${seconds} s`;
  throw new SdaError("ERR_SDA_LOCKED", problem, { path: folder.path, timeoutMs: LOCK_TIMEOUT_MS });
}

/**
 * Writes the entry and installs the new file.
 *
 * @returns null: the old file has changed since the new one was made from it
 */
async function commit(
  store: IndexStore,
  { modelId, filePath }: ModelEntry,
  { componentLabels: _, ...fields }: ModelChanges,
  revision: Revision | null,
  signal: AbortSignal | undefined,
): Promise<ModelEntry | null> {
  let updated: ModelEntry | null = null;
  let isEntryChanged = false;
  try {
    await store.transact(async (patch) => {
      signal?.throwIfAborted();
      const entry = known(patch.get(modelId), modelId, store.folder);
      const size = revision ? { fileSizeBytes: revision.bytes } : {};
      updated = checkEntry({ ...entry, ...fields, ...size });
      isEntryChanged = entryText(updated) !== entryText(entry);
      if (isEntryChanged) await revision?.belongTo(updated);
      if (entry.filePath !== filePath || (revision && !(await revision.isUpToDate()))) {
        updated = null;
      } else if (isEntryChanged) patch.add(updated);
    });
    if (updated && !isEntryChanged) await revision?.place();
  } catch (error) {
    await revision?.discard();
    throw error;
  }
  if (updated === null) await revision?.discard();
  else if (isEntryChanged) await revision?.place().catch((error) => warnOfOldFile(store, error));
  return updated;
}

/** The index has the update, so the update is made. The next opening installs the new file. */
function warnOfOldFile({ folder }: IndexStore, error: Error): void {
  const problem = "an updated model's file is installed when the library is next opened";
  warn("SDA_CLEANUP_FAILED", `${folder.path}: ${problem}: ${error.message}`);
}

/** @returns a function that writes the changed file; null: the changes make no difference */
function amendedFile(
  { path, content, source }: OpenFile,
  changes: ModelChanges,
  signal: AbortSignal | undefined,
): WriteFile | null {
  const addon = checkpointAddon();
  const amended = amendments(parseModel(content, path), changes);
  if (amended.size === 0) return null;
  const plan = encode(new Amended(null, amended));
  return (target) =>
    callNative(addon, signal, (cancel) => addon.save(plan, target, source, cancel));
}

/** The values that change in the file's top-level dict. */
function amendments(model: ModelContent, changes: ModelChanges): Map<string, unknown> {
  const amended = new Map<string, unknown>();
  const { componentLabels, ...fields } = changes;
  const metadata = changedMetadata(fields, model.metadata);
  if (metadata.size > 0) {
    amended.set("metadata", new Amended(new Carried("metadata", new Map()), metadata));
  }
  const labels = componentLabels && allLabels(model, componentLabels);
  if (labels && !isDeepStrictEqual(labels, model.analysis?.componentLabels)) {
    const changed = new Map([[ANALYSIS_NAMES.componentLabels, labels]]);
    amended.set("latent_analysis", new Amended(new Carried("latent_analysis"), changed));
  }
  return amended;
}

/**
 * The labels of all axes: the given ones for the sliders, and the file's own for the axes after
 * them, which have no slider.
 */
function allLabels({ analysis }: ModelContent, given: string[]): string[] {
  const option = "componentLabels";
  if (analysis === null) {
    throw badArgument(option, "absent: the model has no analysis, and so no sliders", given);
  }
  const { nActiveComponents, componentLabels, pcaComponents } = analysis;
  const most = pcaComponents.shape[0] as number;
  if (given.length < nActiveComponents || given.length > most) {
    throw badArgument(option, `${nActiveComponents} labels, one per slider`, given);
  }
  return [...given, ...componentLabels.slice(given.length)];
}
