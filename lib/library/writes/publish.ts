/** Adds a new model file and its entry to a library. */
import { unlink } from "node:fs/promises";
import { basename } from "node:path";
import { badArgument } from "../../base/check.js";
import type { SdaError } from "../../base/errors.js";
import { fileStem } from "../../base/file-stem.js";
import type { ModelSuffix } from "../../format/generations.js";
import type { ModelMetadata } from "../../format/metadata.js";
import type { VocoderInfo } from "../../format/vocoder.js";
import type { SaveResult, SaveTarget } from "../../native/types.js";
import { entryFromMetadata, type ModelEntry } from "../index/entry.js";
import type { LockOptions } from "../index/lock.js";
import type { IndexQueue } from "../index/store.js";

/** `details.option` of the error that `takenId` makes. */
export const TAKEN_ID = "metadata.modelId";

export function takenId(modelId: string): SdaError {
  return badArgument(TAKEN_ID, "an id that no model of the library has", modelId);
}

export interface PublishOptions extends LockOptions {
  /** If an entry has the same id: "replace" replaces that entry, "refuse" throws `takenId` */
  existing: "replace" | "refuse";
}

/** The model that a new file holds. */
export interface PublishedModel {
  metadata: ModelMetadata;
  suffix: ModelSuffix;
  vocoder: VocoderInfo | null;
}

/**
 * Writes the file under an unused name, then adds its entry. If the entry can't be written, the
 * file is removed.
 *
 * @param write writes and syncs the file under an unused name made from the target's stem
 * @throws SdaError ERR_SDA_ARGUMENT (`takenId`), ERR_SDA_LOCKED, ERR_SDA_IO, ERR_SDA_VERSION (the
 *   index is newer than supported); `signal.reason`
 */
export async function publish(
  queue: IndexQueue,
  { metadata, suffix, vocoder }: PublishedModel,
  write: (target: SaveTarget) => Promise<SaveResult>,
  { existing, ...lock }: PublishOptions,
): Promise<ModelEntry> {
  await queue.store.mustBeWritable();
  const { path: folder } = queue.store.folder;
  const stem = fileStem(metadata.name);
  const { path, bytes } = await write({ folder, stem, extension: suffix });
  try {
    const { modelId } = metadata;
    const file = { modelId, filePath: basename(path), fileSizeBytes: bytes, vocoder };
    const entry = entryFromMetadata(metadata, file);
    await queue.change((patch) => {
      if (existing === "refuse" && patch.has(modelId)) throw takenId(modelId);
      patch.checkAdding(modelId);
      patch.add(entry);
    }, lock);
    return entry;
  } catch (error) {
    await unlink(path).catch(() => {}); // a repair would add the file to the index
    throw error;
  }
}
