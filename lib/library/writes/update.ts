import { isDeepStrictEqual } from "node:util";
import { badArgument, checkOptions } from "../../base/check.js";
import { SdaError } from "../../base/errors.js";
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
  LOCK_OPTIONS,
  LOCK_TIMEOUT_MS,
  type LockOptions,
  withLock,
} from "../index/lock.js";
import type { IndexStore } from "../index/store.js";
import { checkChanges, type ModelChanges } from "./changes.js";

import { settleLocked } from "./leftovers.js";
import { type OpenFile, useFile } from "./open-file.js";
import { openIndex } from "./open-index.js";
import { currentFile, Revision, type WriteFile } from "./revision.js";

/**
 * Changes what a model says about itself: in its file, under the same name, and in its entry. Everything else in the file
 * is carried over as it is there, the weights by the kernel where it can, unknown keys included. A field that isn't given
 * stays as it is in both, should they differ.
 *
 * An update that is interrupted is finished or undone when the library is next opened, updated or repaired. The old file
 * is replaced, never changed: whoever has loaded it keeps what they loaded, and a `ModelCache` loads anew. Updates of one
 * library wait for each other, in this process and in others; libraries that are open see it after `refresh()`.
 *
 * @returns the entry as it is now; without any difference, nothing is written
 * @throws SdaError ERR_SDA_NOT_FOUND: there is no such folder, no such model, or its file is missing (`details.path`);
 *   ERR_SDA_ARGUMENT (`details.option`): a field that can't be changed, a text that is blank, ill-formed or too long (see
 *   `CHANGE_LIMITS`), labels for a model without an analysis, or not one a slider; what is wrong with the file as
 *   `loadModel`; ERR_SDA_UNSAFE: the entry's path leads out of the folder; ERR_SDA_LOCKED; ERR_SDA_IO; `signal.reason`.
 *   Nothing has changed then.
 */
export async function updateModel(
  modelId: string,
  changes: ModelChanges,
  modelsDir: string | URL,
  options?: LockOptions,
): Promise<ModelEntry>;
export async function updateModel(
  modelId: string,
  modelsDir: string | URL,
  changes: ModelChanges,
  options?: LockOptions,
): Promise<ModelEntry>;
export async function updateModel(
  modelId: string,
  first: unknown,
  second: unknown,
  options: LockOptions = {},
): Promise<ModelEntry> {
  const isOldOrder = typeof first === "string" || first instanceof URL;
  const [changes, modelsDir] = isOldOrder ? [second, first] : [first, second];
  checkUpdate(modelId, changes, options);
  const { store } = await openIndex(modelsDir as string | URL);
  return updateIn(store, modelId, changes as ModelChanges, options);
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
  // First without the lock: what is refused or changes nothing needs no writing, not even of a lock file.
  await store.refresh();
  const entry = known(store.image.get(modelId), modelId, folder);
  if (Object.keys(wanted).length === 0) return entry;
  return withLock(folder, options, async () => {
    await settleLocked(store);
    return updateLocked(store, modelId, wanted, options.signal);
  });
}

function known(entry: ModelEntry | null, modelId: string, folder: ModelsFolder): ModelEntry {
  if (entry) return entry;
  const problem = `${folder.path} has no model with the id ${JSON.stringify(modelId)}`;
  throw new SdaError("ERR_SDA_NOT_FOUND", problem, { path: folder.path, modelId });
}

/** Again and again while programs that don't ask for the lock replace the file that was read. */
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
    const entry = known(store.image.get(modelId), modelId, folder);
    const file = await currentFile(folder, entry);
    const revision = await useFile(file.path, signal, async (opened) => {
      const write = amendedFile(opened, changes, signal);
      return write && Revision.write(folder, file, write);
    });
    const updated = await commit(store, entry, changes, revision, signal);
    if (updated) return updated;
  } while (performance.now() < deadline);
  throw new SdaError(
    "ERR_SDA_LOCKED",
    `Another program has been changing the file of the model ${modelId} for ${LOCK_TIMEOUT_MS / 1000} s without a pause`,
    { path: folder.path, timeoutMs: LOCK_TIMEOUT_MS },
  );
}

/** @returns null: the file is not the one any more that the revision was made from */
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

/** The index has the change, so it is made; the file follows. */
function warnOfOldFile({ folder }: IndexStore, error: Error): void {
  warn(
    "SDA_CLEANUP_FAILED",
    `${folder.path}: a model's file is still the one before it was updated, until the library is opened again: ${error.message}`,
  );
}

/** @returns what writes the file with the changes; null when it says all that already */
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

/** The values of the top-level dict that are to be others. */
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

/** Axes beyond the sliders, which nobody sees, may have labels too: those stay. */
function allLabels({ analysis }: ModelContent, given: string[]): string[] {
  const option = "componentLabels";
  if (analysis === null) {
    throw badArgument(option, "absent: the model has no analysis, and so no sliders", given);
  }
  const { nActiveComponents, componentLabels, pcaComponents } = analysis;
  const most = pcaComponents.shape[0] as number;
  if (given.length < nActiveComponents || given.length > most) {
    throw badArgument(option, `${nActiveComponents} labels, one a slider`, given);
  }
  return [...given, ...componentLabels.slice(given.length)];
}
