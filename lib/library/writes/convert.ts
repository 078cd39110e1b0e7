import { join } from "node:path";
import { toFilePath } from "../../base/check.js";
import { SdaError } from "../../base/errors.js";
import { isMap, isUrl } from "../../base/realm.js";
import { Fields } from "../../format/fields.js";
import { completeMetadata, fileContent, spectrogramDict } from "../../format/file-content.js";
import { checkVersion, FORMAT } from "../../format/header.js";
import type { ModelMetadata } from "../../format/metadata.js";
import { parseModel } from "../../format/schema.js";
import { checkFileStateDict } from "../../format/state-dict.js";
import { callNative } from "../../native/call.js";
import { checkpointAddon } from "../../native/load.js";
import { Carried, encode } from "../../torch/encode.js";
import type { Tensor } from "../../values/values.js";
import type { ModelEntry } from "../index/entry.js";
import {
  checkLockOptions,
  type FolderOptions,
  LOCK_OPTIONS,
  type LockOptions,
} from "../index/lock.js";
import { type OpenFile, useFile } from "./open-file.js";
import { newOrOpenIndex, splitLock, type Target } from "./open-index.js";
import { type PublishOptions, publish } from "./publish.js";

/** Options of importing a file. */
export interface ImportOptions extends LockOptions {
  /** Fields of the new model's metadata that replace those of the file */
  metadata?: Partial<ModelMetadata>;
}

export const IMPORT_OPTIONS = ["metadata", ...LOCK_OPTIONS];

/**
 * Converts a training checkpoint (`.pt`) to a model file and adds it to a library. The model file
 * has the checkpoint's weights, configs and analysis, value for value, without the optimizer's
 * state. The checkpoint's epoch and losses go into the metadata unless `metadata` gives them.
 * Nothing in the checkpoint is executed; the kernel copies the weights where it can. An entry with
 * the same id is replaced.
 *
 * The argument order `(path, metadata, modelsDir, options)` is accepted as well.
 *
 * @param path of the checkpoint
 * @param modelsDir the library's folder; created if it is missing
 * @returns the new file's path
 * @throws SdaError ERR_SDA_NOT_FOUND, ERR_SDA_FORMAT (not a training checkpoint), ERR_SDA_CORRUPT,
 *   ERR_SDA_UNSAFE, ERR_SDA_VERSION, ERR_SDA_SCHEMA (`details.field` or `details.tensor`),
 *   ERR_SDA_LIMIT, ERR_SDA_ARGUMENT, ERR_SDA_IO, ERR_SDA_LOCKED; `signal.reason`
 * @example
 * ```js
 * const metadata = { name: "Warm Pads", tags: ["warm"] };
 * const path = await saveModelFromCheckpoint("checkpoint.pt", "data/models", { metadata });
 * console.log(path);
 * ```
 */
export async function saveModelFromCheckpoint(
  path: string | URL,
  modelsDir: string | URL,
  options?: ImportOptions & FolderOptions,
): Promise<string>;
export async function saveModelFromCheckpoint(
  path: string | URL,
  metadata: Partial<ModelMetadata>,
  modelsDir: string | URL,
  options?: FolderOptions,
): Promise<string>;
export async function saveModelFromCheckpoint(
  path: string | URL,
  ...rest: [unknown, unknown?, unknown?]
): Promise<string> {
  const isOldOrder = typeof rest[0] === "object" && !isUrl(rest[0]);
  const [modelsDir, options] = isOldOrder
    ? [rest[1], { ...(rest[2] as FolderOptions), metadata: rest[0] }]
    : [rest[0], rest[1] ?? {}];
  const [kind, others] = splitLock(options as ImportOptions & FolderOptions, IMPORT_OPTIONS);
  const { metadata, ...lock } = others;
  checkLockOptions(lock);
  const folder = toFilePath(modelsDir as string | URL);
  const target = newOrOpenIndex(folder, kind);
  const { filePath } = await useFile(toFilePath(path), lock.signal, (opened) =>
    convert(target, opened, metadata, { ...lock, existing: "replace" }),
  );
  return join(folder, filePath);
}

/** Converts an open checkpoint to a model file and adds it to a library. */
export async function convert(
  target: Target,
  { path: file, content, source }: OpenFile,
  metadata: Partial<ModelMetadata> | undefined,
  options: PublishOptions,
): Promise<ModelEntry> {
  const addon = checkpointAddon();
  const checkpoint = checkKind(content, file);
  checkVersion(checkpoint, "version", "version", 1, file);

  const latentDim = latentDimOf(checkpoint, file);
  const spectrogram = new Carried("spectrogram_config", spectrogramDict({}));
  const analysis = new Carried("latent_analysis", null);
  const training = new Carried("training_config", new Map());
  // Check the content that the new file will have, before anything is written.
  const parsed = parseModel(
    new Map<string, unknown>([
      ["format", FORMAT],
      ["version", 1],
      ["latent_dim", latentDim],
      ...[spectrogram, analysis, training].map(
        ({ key, fallback }) =>
          [key, checkpoint.has(key) ? checkpoint.get(key) : fallback] as [string, unknown],
      ),
    ]),
    file,
  );
  checkFileStateDict(
    checkpoint.get("model_state_dict") as Map<unknown, unknown>,
    latentDim,
    parsed.spectrogramConfig,
    file,
  );

  const complete = completeMetadata(metadata, trainingResults(checkpoint), parsed.analysis);
  const plan = encode(
    fileContent({
      stateDict: new Carried("model_state_dict"),
      latentDim,
      spectrogramConfig: spectrogram,
      analysis,
      trainingConfig: training,
      metadata: complete,
    }),
  );
  const { signal } = options;
  return publish(
    await target(),
    complete,
    (to) => callNative(addon, signal, (cancel) => addon.save(plan, to, source, cancel)),
    options,
  );
}

function checkKind(content: unknown, path: string): Fields {
  const dict = isMap(content) ? content : new Map<unknown, unknown>();
  const isModel = dict.get("format") === FORMAT;
  if (isModel || !isMap(dict.get("model_state_dict")) || !dict.has("epoch")) {
    const found = isModel ? "it is a model file already" : "it has no model_state_dict or no epoch";
    throw new SdaError("ERR_SDA_FORMAT", `${path} is not a training checkpoint: ${found}`, {
      path,
    });
  }
  return new Fields(dict, path, "");
}

/** Takes the latent size from the weights: the training config may be missing or out of date. */
function latentDimOf(checkpoint: Fields, path: string): number {
  const name = "decoder.fc.weight";
  const weight = (checkpoint.get("model_state_dict") as Map<unknown, unknown>).get(name);
  const size = (weight as Tensor | undefined)?.shape?.[1];
  if (size === undefined) {
    throw new SdaError("ERR_SDA_SCHEMA", `tensor ${name} of ${path} is missing or not a matrix`, {
      path,
      tensor: name,
    });
  }
  return size;
}

/** A loss is None if training had no validation data. */
function trainingResults(checkpoint: Fields): Partial<ModelMetadata> {
  const loss = (key: string) =>
    (checkpoint.get(key) ?? null) === null ? 0 : checkpoint.float(key);
  return {
    trainingEpochs: checkpoint.integer("epoch"),
    finalTrainLoss: loss("train_loss"),
    finalValLoss: loss("val_loss"),
  };
}
