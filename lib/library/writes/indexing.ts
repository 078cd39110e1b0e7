import { basename } from "node:path";
import { badArgument } from "../../base/check.js";
import type { SdaError } from "../../base/errors.js";
import type { ModelMetadata } from "../../format/metadata.js";
import { entryFromMetadata, type ModelEntry } from "../index/entry.js";
import { ModelsFolder } from "../index/folder.js";
import { withLock } from "../index/lock.js";
import { IndexStore } from "../index/store.js";
import { ModelLibrary } from "../model-library.js";

/** A model's file that is new in its folder. */
export interface NewFile {
  path: string;
  bytes: number;
}

/** Enters a new model file into its folder's index. Until that is done, the file is whole but found by repair only. */
export type Enter = (
  modelsDir: string,
  file: NewFile,
  metadata: ModelMetadata,
) => Promise<ModelEntry>;

/** In the place of the entry with the same id, if there is one. */
export const addToIndex: Enter = async (modelsDir, file, metadata) => {
  const entry = entryOf(file, metadata);
  await (await ModelLibrary.open(modelsDir)).addEntry(entry);
  return entry;
};

/** @throws SdaError ERR_SDA_ARGUMENT (`metadata.modelId`): there is an entry with the same id */
export const addNewToIndex: Enter = async (modelsDir, file, metadata) => {
  const entry = entryOf(file, metadata);
  const folder = await ModelsFolder.at(modelsDir);
  const store = new IndexStore(folder);
  await withLock(folder, {}, () =>
    store.transact((patch) => {
      if (patch.has(entry.modelId)) throw takenId(entry.modelId);
      patch.add(entry);
    }),
  );
  return entry;
};

/** The option that an error of `takenId` names */
export const TAKEN_ID = "metadata.modelId";

export function takenId(modelId: string): SdaError {
  return badArgument(TAKEN_ID, "an id that the library has no model of", modelId);
}

function entryOf({ path, bytes }: NewFile, metadata: ModelMetadata): ModelEntry {
  const { modelId } = metadata;
  return entryFromMetadata(metadata, { modelId, filePath: basename(path), fileSizeBytes: bytes });
}
