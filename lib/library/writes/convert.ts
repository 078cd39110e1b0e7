import { checkSignal, toFilePath } from "../../base/check.js";
import { SdaError } from "../../base/errors.js";
import { Fields } from "../../format/fields.js";
import { completeMetadata, fileContent, spectrogramDict } from "../../format/file-content.js";
import { checkVersion, FORMAT } from "../../format/header.js";
import type { ModelMetadata } from "../../format/metadata.js";
import { parseModel } from "../../format/schema.js";
import { checkFileStateDict } from "../../format/state-dict.js";
import { callNative } from "../../native/call.js";
import { checkpointAddon } from "../../native/load.js";
import type { SourceHandle } from "../../native/types.js";
import { Carried, encode } from "../../torch/encode.js";
import type { Tensor } from "../../values/values.js";
import type { Enter } from "./indexing.js";
import { type Published, publish } from "./save.js";

/**
 * Makes a model file of a training checkpoint (`.pt`) and enters it into a library: the weights, the configs and the
 * analysis, value for value as the checkpoint has them, and none of the optimizer's state. Epochs and losses go into the
 * metadata unless given. Weights go from file to file, by the kernel where it can; nothing of the checkpoint is executed.
 *
 * @returns the new file's path
 * @throws SdaError ERR_SDA_NOT_FOUND, ERR_SDA_FORMAT (no training checkpoint), ERR_SDA_CORRUPT, ERR_SDA_UNSAFE,
 *   ERR_SDA_VERSION, ERR_SDA_SCHEMA (`details.field` or `details.tensor`), ERR_SDA_ARGUMENT, ERR_SDA_IO, ERR_SDA_LOCKED; `signal.reason`
 */
export async function saveModelFromCheckpoint(
  path: string | URL,
  metadata: Partial<ModelMetadata>,
  modelsDir: string,
  options: { signal?: AbortSignal } = {},
): Promise<string> {
  const file = toFilePath(path);
  const folder = toFilePath(modelsDir);
  const { signal } = options;
  checkSignal(signal);
  const { path: saved } = await useFile(file, signal, (opened) =>
    convert(opened, metadata, folder, { signal }),
  );
  return saved;
}

/** A file whose values can be carried over into a new one. */
export interface OpenFile {
  path: string;
  /** The top-level dict, its tensors without data */
  content: unknown;
  source: SourceHandle;
}

/** Opens a file for as long as `f` takes. */
export async function useFile<T>(
  path: string,
  signal: AbortSignal | undefined,
  f: (opened: OpenFile) => Promise<T>,
): Promise<T> {
  const addon = checkpointAddon();
  const opened = await callNative(addon, signal, (c) => addon.openSource(path, c));
  try {
    return await f({ path, ...opened });
  } finally {
    addon.closeSource(opened.source);
  }
}

/** Makes a model of a checkpoint that is open. */
export async function convert(
  { path: file, content, source }: OpenFile,
  metadata: Partial<ModelMetadata>,
  modelsDir: string,
  { signal, enter }: { signal: AbortSignal | undefined; enter?: Enter },
): Promise<Published> {
  const addon = checkpointAddon();
  const checkpoint = checkKind(content, file);
  checkVersion(checkpoint, "version", "version", 1, file);

  const latentDim = latentDimOf(checkpoint, file);
  const spectrogram = new Carried("spectrogram_config", spectrogramDict({}));
  const analysis = new Carried("latent_analysis", null);
  const training = new Carried("training_config", new Map());
  // What will be read from the new file, checked before anything is written.
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
  return publish(
    modelsDir,
    complete,
    (target) => callNative(addon, signal, (cancel) => addon.save(plan, target, source, cancel)),
    enter,
  );
}

function checkKind(content: unknown, path: string): Fields {
  const dict = content instanceof Map ? content : new Map<unknown, unknown>();
  const isModel = dict.get("format") === FORMAT;
  if (isModel || !(dict.get("model_state_dict") instanceof Map) || !dict.has("epoch")) {
    const found = isModel ? "it is a model file already" : "it has no model_state_dict or no epoch";
    throw new SdaError("ERR_SDA_FORMAT", `${path} is not a training checkpoint: ${found}`, {
      path,
    });
  }
  return new Fields(dict, path, "");
}

/** The weights tell; the training config may be missing or out of date. */
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

/** Losses are None when there was nothing to validate on. */
function trainingResults(checkpoint: Fields): Partial<ModelMetadata> {
  const loss = (key: string) =>
    (checkpoint.get(key) ?? null) === null ? 0 : checkpoint.float(key);
  return {
    trainingEpochs: checkpoint.integer("epoch"),
    finalTrainLoss: loss("train_loss"),
    finalValLoss: loss("val_loss"),
  };
}
