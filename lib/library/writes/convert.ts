import { join } from "node:path";
import { toFilePath } from "../../base/check.js";
import { SdaError } from "../../base/errors.js";
import { isMap, isUrl } from "../../base/realm.js";
import { Fields } from "../../format/fields.js";
import {
  codesContent,
  completeMetadata,
  fileContent,
  spectrogramDict,
} from "../../format/file-content.js";
import {
  checkVersion,
  GENERATIONS,
  type Generation,
  generationOf,
  isModelFormat,
} from "../../format/generations.js";
import type { ModelMetadata } from "../../format/metadata.js";
import { parseModel } from "../../format/schema.js";
import { checkFileTensors } from "../../format/state-dict.js";
import { callNative } from "../../native/call.js";
import { checkpointAddon } from "../../native/load.js";
import { Carried, encode } from "../../torch/encode.js";
import { markFloats } from "../../values/provenance.js";
import { PyObject, type Tensor } from "../../values/values.js";
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
  checkVersion(checkpoint, "version", "version", 1, file, CHECKPOINT_VERSION);
  const generation = generationOfCheckpoint(checkpoint);
  const parts =
    generation.network === "codes"
      ? partsOfCodes(checkpoint)
      : partsOfVae(checkpoint, latentDimOf(checkpoint, file));
  // Check the content that the new file will have, before anything is written.
  const found = new Map<string, unknown>([
    ["format", generation.format],
    ["version", generation.version],
    ...[...parts].map(([key, value]) => [key, resolved(value, checkpoint)] as [string, unknown]),
  ]);
  const parsed = parseModel(found, file);
  checkFileTensors(found, parsed, file);

  const complete = completeMetadata(metadata, trainingResults(checkpoint), parsed.analysis);
  const plan = encode(
    generation.network === "codes"
      ? codesContent(generation, parts, complete)
      : fileContent({
          generation,
          stateDict: parts.get("model_state_dict"),
          latentDim: parsed.latentDim,
          spectrogramConfig: parts.get("spectrogram_config"),
          analysis: parts.get("latent_analysis"),
          trainingConfig: parts.get("training_config"),
          metadata: complete,
          extras: new Map(
            generation.network === "complex"
              ? [["normalization_stats", parts.get("normalization_stats")]]
              : [],
          ),
        }),
  );
  const { signal } = options;
  return publish(
    await target(),
    { metadata: complete, suffix: generation.suffix, vocoder: null },
    (to) => callNative(addon, signal, (cancel) => addon.save(plan, to, source, cancel)),
    options,
  );
}

const CHECKPOINT_VERSION = 1;

function checkKind(content: unknown, path: string): Fields {
  const dict = isMap(content) ? content : new Map<unknown, unknown>();
  const isModel = isModelFormat(dict.get("format"));
  if (isModel || !isMap(dict.get("model_state_dict")) || !dict.has("epoch")) {
    const found = isModel ? "it is a model file already" : "it has no model_state_dict or no epoch";
    throw new SdaError("ERR_SDA_FORMAT", `${path} is not a training checkpoint: ${found}`, {
      path,
    });
  }
  return new Fields(dict, path, "");
}

/** The new file's values, in the file's order. `Carried` values come from the checkpoint. */
type Parts = Map<string, unknown>;

function partsOfVae(checkpoint: Fields, latentDim: number): Parts {
  const parts: Parts = new Map<string, unknown>([
    ["model_state_dict", new Carried("model_state_dict")],
    ["latent_dim", latentDim],
    ["spectrogram_config", new Carried("spectrogram_config", spectrogramDict({}))],
    ["latent_analysis", new Carried("latent_analysis", null)],
    ["training_config", new Carried("training_config", new Map())],
  ]);
  if (checkpoint.has("normalization_stats"))
    parts.set("normalization_stats", new Carried("normalization_stats", null));
  return parts;
}

function partsOfCodes(checkpoint: Fields): Parts {
  return new Map<string, unknown>([
    ["model_type", "vqvae"],
    ["model_state_dict", new Carried("model_state_dict")],
    // The file's training_config is a copy of its vqvae_config.
    ["vqvae_config", new Carried("training_config")],
    ["spectrogram_config", new Carried("spectrogram_config", spectrogramDict({}))],
    ["training_config", new Carried("training_config")],
    ["codebook_health_snapshot", new Carried("codebook_health", new Map())],
    ["loss_curve_history", lossCurves(checkpoint)],
  ]);
}

/** What the program keeps of `metrics_history`: a list of each loss, by epoch. */
const LOSS_CURVES = {
  train_losses: "train_loss",
  val_losses: "val_loss",
  recon_losses: "val_recon_loss",
  commit_losses: "val_commit_loss",
} as const;

function lossCurves(checkpoint: Fields): Map<string, unknown> {
  const history = checkpoint.get("metrics_history");
  const epochs = isMap(history) ? history.get("epoch_metrics") : undefined;
  const metrics = Array.isArray(epochs) ? epochs.filter(isMap) : [];
  return new Map(
    Object.entries(LOSS_CURVES).map(([name, loss]) => [
      name,
      markFloats(metrics.map((epoch) => epoch.get(loss)).filter((v) => typeof v === "number")),
    ]),
  );
}

function resolved(value: unknown, checkpoint: Fields): unknown {
  if (!(value instanceof Carried)) return value;
  return checkpoint.has(value.key) ? checkpoint.get(value.key) : value.fallback;
}

/**
 * Which version of the program makes a model of this checkpoint. Checkpoints of the second Distill
 * and of v1.1 are alike: the newer one is taken, and `convertModel` makes the other of it.
 */
function generationOfCheckpoint(checkpoint: Fields): Generation {
  if (checkpoint.get("model_type") === "vqvae") return GENERATIONS["distill-vq"];
  const training = checkpoint.get("training_config");
  const content = new Map<string, unknown>([
    ["format", GENERATIONS["distill-2"].format],
    ["version", 1],
    ["model_state_dict", checkpoint.get("model_state_dict")],
    ["training_config", training],
  ]);
  const { name } = generationOf(content, "");
  if (name === "distill-2") return GENERATIONS.distillgan;
  if (name === "distill-1" && packageOf(training) !== "distill") return GENERATIONS.sda;
  return GENERATIONS[name];
}

/** The Python package of the training settings' Enum; undefined: they have none. */
function packageOf(training: unknown): string | undefined {
  const preset = isMap(training) ? training.get("preset") : undefined;
  return preset instanceof PyObject ? preset.module.split(".")[0] : undefined;
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
