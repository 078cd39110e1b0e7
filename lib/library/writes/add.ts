/** Adds model files and checkpoints from elsewhere to a library. */

import { randomUUID } from "node:crypto";
import { checkOptions, toFilePath } from "../../base/check.js";
import { isSdaError } from "../../base/io-error.js";
import { isMap } from "../../base/realm.js";
import { changedMetadata, checkMetadata } from "../../format/file-content.js";
import { isModelFormat } from "../../format/generations.js";
import type { ModelMetadata } from "../../format/metadata.js";
import { type ModelContent, parseModel } from "../../format/schema.js";
import { checkFileTensors } from "../../format/state-dict.js";
import { callNative } from "../../native/call.js";
import { checkpointAddon } from "../../native/load.js";
import { Amended, Carried, encode } from "../../torch/encode.js";
import type { ModelEntry } from "../index/entry.js";
import { checkLockOptions, type FolderOptions, type LockOptions } from "../index/lock.js";
import type { IndexQueue } from "../index/store.js";
import { convert, IMPORT_OPTIONS, type ImportOptions } from "./convert.js";
import { type OpenFile, useFile } from "./open-file.js";
import { newOrOpenIndex, splitLock, type Target } from "./open-index.js";
import { publish, TAKEN_ID, takenId } from "./publish.js";

/** Ids appear in URLs: an imported id is kept only if it is short and URL-safe. */
const GOOD_ID = /^(?!\.{1,2}$)[\w.-]{1,200}$/;

/**
 * Copies a model file (`.sda`) into a library and adds its entry. The copy gets an unused file
 * name, made from the model's name. The file is checked first, as `loadModel` does, with every
 * record's CRC-32. Its content is copied value for value, unknown keys included; the kernel copies
 * the weights where it can. The metadata's `hasAnalysis` and `nActiveComponents` are set from the
 * analysis. The model keeps its id if the id is short, URL-safe and new in the library; otherwise
 * it gets a new one.
 *
 * @param path of the model file
 * @param modelsDir the library's folder; created if it is missing
 * @returns the new entry; its `filePath` is relative to the folder
 * @throws SdaError ERR_SDA_NOT_FOUND, ERR_SDA_FORMAT (not a model file; a training checkpoint is
 *   not one), ERR_SDA_CORRUPT, ERR_SDA_UNSAFE, ERR_SDA_VERSION, ERR_SDA_SCHEMA (`details.field` or
 *   `details.tensor`), ERR_SDA_LIMIT, ERR_SDA_ARGUMENT (`details.option`; also a `metadata.modelId`
 *   that the library has), ERR_SDA_IO, ERR_SDA_LOCKED; `signal.reason`. The library is unchanged
 *   then.
 * @example
 * ```js
 * const metadata = { name: "Pads for the stage" };
 * const entry = await addModelFile("data/models/pads.sda", "data/stage", { metadata });
 * console.log(entry.modelId, entry.filePath);
 * ```
 */
export async function addModelFile(
  path: string | URL,
  modelsDir: string | URL,
  options: ImportOptions & FolderOptions = {},
): Promise<ModelEntry> {
  const [kind, others] = splitLock(options, IMPORT_OPTIONS);
  const { given, lock } = checkImport(others);
  const target = newOrOpenIndex(modelsDir, kind);
  return useFile(toFilePath(path), lock.signal, (opened) => add(target, opened, given, lock));
}

/**
 * Adds a model file or a training checkpoint to a library. Its content decides which of the two it
 * is: a model file is copied as by `addModelFile`, a checkpoint is converted as by
 * `saveModelFromCheckpoint`. The library's own models are never replaced. `ModelLibrary.import`
 * does the same for an open library.
 *
 * @param path of the model file or checkpoint
 * @param modelsDir the library's folder; created if it is missing
 * @returns the new entry; its `filePath` is relative to the folder
 * @throws SdaError as `addModelFile`; ERR_SDA_FORMAT: the file is neither
 * @example
 * ```js
 * const metadata = { name: "Warm Pads", tags: ["warm"] };
 * const entry = await importModel("checkpoint.pt", "data/models", { metadata });
 * console.log(entry.modelId, entry.filePath);
 * ```
 */
export async function importModel(
  path: string | URL,
  modelsDir: string | URL,
  options: ImportOptions & FolderOptions = {},
): Promise<ModelEntry> {
  const [lock, others] = splitLock(options, IMPORT_OPTIONS);
  return importInto(newOrOpenIndex(modelsDir, lock), path, others);
}

/** As `importModel`, into an open index. */
export async function importInto(
  target: Target,
  path: string | URL,
  options: ImportOptions = {},
): Promise<ModelEntry> {
  const { given, lock } = checkImport(options);
  return useFile(toFilePath(path), lock.signal, (opened) => {
    const { content } = opened;
    const isModel = isMap(content) && isModelFormat(content.get("format"));
    return isModel
      ? add(target, opened, given, lock)
      : convert(target, opened, given, { ...lock, existing: "refuse" });
  });
}

function checkImport(options: ImportOptions) {
  checkOptions("options", options, IMPORT_OPTIONS);
  const { metadata, ...lock } = options;
  checkLockOptions(lock);
  return { given: checkMetadata(metadata), lock };
}

async function add(
  target: Target,
  opened: OpenFile,
  given: Partial<ModelMetadata>,
  lock: LockOptions,
): Promise<ModelEntry> {
  const model = checkModel(opened);
  const queue = await target();
  const isTaken = (id: string) => queue.store.image.get(id) !== null;
  if (given.modelId && isTaken(given.modelId)) throw takenId(given.modelId);
  const own = model.metadata.modelId;
  const modelId = given.modelId || (!GOOD_ID.test(own) || isTaken(own) ? randomUUID() : own);
  try {
    return await addAs(modelId, queue, opened, model, given, lock);
  } catch (error) {
    // Another process has taken the id since, or an unreadable entry has it.
    const isClash = isSdaError(error, "ERR_SDA_ARGUMENT") && error.details?.["option"] === TAKEN_ID;
    if (!isClash || given.modelId) throw error;
    return addAs(randomUUID(), queue, opened, model, given, lock);
  }
}

/** @throws SdaError as `loadModel` */
function checkModel({ content, path }: OpenFile): ModelContent {
  const model = parseModel(content, path);
  checkFileTensors(content as ReadonlyMap<unknown, unknown>, model, path);
  return model;
}

async function addAs(
  modelId: string,
  queue: IndexQueue,
  { source }: OpenFile,
  { metadata: before, analysis, generation, vocoder }: ModelContent,
  given: Partial<ModelMetadata>,
  lock: LockOptions,
): Promise<ModelEntry> {
  const metadata: ModelMetadata = {
    ...before,
    ...given,
    modelId,
    hasAnalysis: analysis !== null,
    nActiveComponents: analysis?.nActiveComponents ?? 0,
  };
  const changed = changedMetadata(metadata, before);
  const changes = new Map<string, unknown>();
  if (changed.size > 0) {
    changes.set("metadata", new Amended(new Carried("metadata", new Map()), changed));
  }
  const plan = encode(new Amended(null, changes));
  const addon = checkpointAddon();
  const { signal } = lock;
  return publish(
    queue,
    { metadata, suffix: generation.suffix, vocoder },
    (to) => callNative(addon, signal, (cancel) => addon.save(plan, to, source, cancel)),
    { ...lock, existing: "refuse" },
  );
}
