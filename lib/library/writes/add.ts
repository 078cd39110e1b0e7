/** Files from elsewhere as models of a library. */
import { randomUUID } from "node:crypto";
import { checkSignal, toFilePath } from "../../base/check.js";
import { isSdaError } from "../../base/io-error.js";
import { makeFolder } from "../../base/make-folder.js";
import { changedMetadata, checkMetadata } from "../../format/file-content.js";
import { FORMAT, parseHeader } from "../../format/header.js";
import type { ModelMetadata } from "../../format/metadata.js";
import { type ModelContent, parseModel } from "../../format/schema.js";
import { checkFileStateDict } from "../../format/state-dict.js";
import { callNative } from "../../native/call.js";
import { checkpointAddon } from "../../native/load.js";
import { Amended, Carried, encode } from "../../torch/encode.js";
import type { ModelEntry } from "../index/entry.js";
import { ModelLibrary } from "../model-library.js";
import { convert, type OpenFile, useFile } from "./convert.js";
import { addNewToIndex, TAKEN_ID, takenId } from "./indexing.js";
import { publish } from "./save.js";

/** Ids are parts of addresses: what no address can have, or only by being long, is not taken over from strangers. */
const GOOD_ID = /^(?!\.{1,2}$)[\w.-]{1,200}$/;

/**
 * Puts a copy of a model file (`.sda`) into a library: under a name of its own, made from the model's name, and with an
 * entry. The file is checked first, as `loadModel` does, every record's CRC-32 included; what it holds is copied value for
 * value, unknown keys too, and the weights by the kernel where it can. `hasAnalysis` and `nActiveComponents` follow the
 * analysis. The model keeps its id, unless that is none that an address can have, or the library has it already: then it gets a new one.
 *
 * @param metadata what is to be other than the file says
 * @returns the new entry; the file is `filePath` in the folder
 * @throws SdaError ERR_SDA_NOT_FOUND, ERR_SDA_FORMAT (no model file; a training checkpoint isn't one), ERR_SDA_CORRUPT,
 *   ERR_SDA_UNSAFE, ERR_SDA_VERSION, ERR_SDA_SCHEMA (`details.field` or `details.tensor`), ERR_SDA_LIMIT,
 *   ERR_SDA_ARGUMENT (`details.option`; also a `metadata.modelId` that the library has), ERR_SDA_IO, ERR_SDA_LOCKED;
 *   `signal.reason`. The library is as it was then.
 */
export async function addModelFile(
  path: string | URL,
  modelsDir: string | URL,
  metadata: Partial<ModelMetadata> = {},
  options: { signal?: AbortSignal } = {},
): Promise<ModelEntry> {
  const { folder, given, signal } = checkArguments(modelsDir, metadata, options);
  return useFile(toFilePath(path), signal, (opened) => add(opened, folder, given, signal));
}

/**
 * Puts a model file or a training checkpoint into a library, whichever it is by its content: as `addModelFile` and as
 * `saveModelFromCheckpoint`, but never in the place of a model that is there.
 *
 * @returns the new entry; the file is `filePath` in the folder
 * @throws SdaError as `addModelFile`; ERR_SDA_FORMAT: it is neither
 */
export async function importModel(
  path: string | URL,
  modelsDir: string | URL,
  metadata: Partial<ModelMetadata> = {},
  options: { signal?: AbortSignal } = {},
): Promise<ModelEntry> {
  const { folder, given, signal } = checkArguments(modelsDir, metadata, options);
  return useFile(toFilePath(path), signal, async (opened) => {
    const { content } = opened;
    if (content instanceof Map && content.get("format") === FORMAT) {
      return add(opened, folder, given, signal);
    }
    const { entry } = await convert(opened, given, folder, { signal, enter: addNewToIndex });
    return entry;
  });
}

function checkArguments(
  modelsDir: string | URL,
  metadata: Partial<ModelMetadata>,
  { signal }: { signal?: AbortSignal },
) {
  checkSignal(signal);
  return { folder: toFilePath(modelsDir), given: checkMetadata(metadata), signal };
}

async function add(
  opened: OpenFile,
  folder: string,
  given: Partial<ModelMetadata>,
  signal: AbortSignal | undefined,
): Promise<ModelEntry> {
  const model = checkModel(opened);
  await makeFolder(folder);
  const library = await ModelLibrary.open(folder);
  const isTaken = (id: string) => library.get(id) !== null;
  if (given.modelId && isTaken(given.modelId)) throw takenId(given.modelId);
  const own = model.metadata.modelId;
  const modelId = given.modelId || (!GOOD_ID.test(own) || isTaken(own) ? randomUUID() : own);
  try {
    return await addAs(modelId, opened, model, folder, given, signal);
  } catch (error) {
    // Taken since, or by an entry that can't be read.
    const isClash = isSdaError(error, "ERR_SDA_ARGUMENT") && error.details?.["option"] === TAKEN_ID;
    if (!isClash || given.modelId) throw error;
    return addAs(randomUUID(), opened, model, folder, given, signal);
  }
}

/** @throws SdaError as `loadModel` */
function checkModel({ content, path }: OpenFile): ModelContent {
  const model = parseModel(content, path);
  const top = parseHeader(content, path);
  const tensors = top.get("model_state_dict");
  if (!(tensors instanceof Map)) throw top.error("model_state_dict", "a dict");
  checkFileStateDict(tensors, model.latentDim, model.spectrogramConfig, path);
  return model;
}

async function addAs(
  modelId: string,
  { source }: OpenFile,
  { metadata: before, analysis }: ModelContent,
  folder: string,
  given: Partial<ModelMetadata>,
  signal: AbortSignal | undefined,
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
  const { entry } = await publish(
    folder,
    metadata,
    (target) => callNative(addon, signal, (cancel) => addon.save(plan, target, source, cancel)),
    addNewToIndex,
  );
  return entry;
}
