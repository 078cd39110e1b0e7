import { unlink } from "node:fs/promises";
import { badArgument, checkInteger, checkSignal, toFilePath } from "../../base/check.js";
import { SdaError } from "../../base/errors.js";
import { fileStem } from "../../base/file-stem.js";
import { makeFolder } from "../../base/make-folder.js";
import { parseAnalysis } from "../../format/analysis-schema.js";
import { Fields } from "../../format/fields.js";
import {
  analysisDict,
  completeMetadata,
  fileContent,
  spectrogramDict,
} from "../../format/file-content.js";
import type { ModelMetadata } from "../../format/metadata.js";
import { MAX_LATENT_DIM, parseSpectrogramConfig } from "../../format/schema.js";
import type { SpectrogramConfig } from "../../format/spectrogram-config.js";
import { checkStateDict } from "../../format/state-dict.js";
import type { AnalysisResult } from "../../latent/analysis.js";
import { LoadedModel } from "../../model/loaded-model.js";
import { callNative } from "../../native/call.js";
import { checkpointAddon } from "../../native/load.js";
import type { SavePlan, SaveResult, SaveTarget } from "../../native/types.js";
import { Carried, encode } from "../../torch/encode.js";
import { OrderedDict, type Tensor } from "../../values/values.js";
import type { ModelEntry } from "../index/entry.js";
import { addToIndex, type Enter } from "./indexing.js";

export const MODEL_EXTENSION = ".sda";

/** What goes into a new model file beside the weights, and where it goes. */
export interface SaveModelOptions {
  /** Folder of the model library; made if it isn't there */
  modelsDir: string;
  /**
   * What differs from the loaded model's, or from the defaults. `modelId` and `saveDate` are new unless given;
   * `hasAnalysis` and `nActiveComponents` follow the analysis.
   */
  metadata?: Partial<ModelMetadata>;
  /** Default: the loaded model's, or the format's defaults; it must fit the weights */
  spectrogramConfig?: Partial<SpectrogramConfig>;
  /** Default: the loaded model's, value for value, or {} */
  trainingConfig?: Record<string, unknown>;
  /** Default: the loaded model's; null: none */
  analysis?: AnalysisResult | null;
  /** Aborting rejects with the signal's reason; there is no new file then, unless it was already named */
  signal?: AbortSignal;
}

/**
 * Writes a new model file into a library and enters it into the library's index. The file gets a name of its own, made
 * from the model's name; it appears whole or not at all. What a loaded model's file held is carried over value for value,
 * in the file's own types; weights too.
 *
 * @returns the new file's path
 * @throws SdaError ERR_SDA_ARGUMENT (`details.option` or `details.tensor`), ERR_SDA_SCHEMA (an analysis or config that
 *   doesn't fit), ERR_SDA_DISPOSED, ERR_SDA_IO, ERR_SDA_LOCKED
 */
export async function saveModel(
  source: LoadedModel | { stateDict: Map<string, Tensor>; latentDim: number },
  options: SaveModelOptions,
): Promise<string> {
  const modelsDir = toFilePath(options?.modelsDir);
  checkSignal(options.signal);
  const { content, metadata } =
    source instanceof LoadedModel ? fromLoaded(source, options) : fromTensors(source, options);
  const plan = encode(content);
  const published = await publish(modelsDir, metadata, (target) => {
    if (source instanceof LoadedModel) return source.save(plan, target, options.signal);
    return saveValues(plan, target, options.signal);
  });
  return published.path;
}

/** A new model of a library. */
export interface Published {
  /** Of its file */
  path: string;
  entry: ModelEntry;
}

/** Writes the file under a name that is not taken, then its entry; without an entry, there is to be no file. */
export async function publish(
  modelsDir: string,
  metadata: ModelMetadata,
  write: (target: SaveTarget) => Promise<SaveResult>,
  enter: Enter = addToIndex,
): Promise<Published> {
  await makeFolder(modelsDir);
  const stem = fileStem(metadata.name);
  const saved = await write({ folder: modelsDir, stem, extension: MODEL_EXTENSION });
  try {
    return { path: saved.path, entry: await enter(modelsDir, saved, metadata) };
  } catch (error) {
    await unlink(saved.path).catch(() => {}); // repair would find it
    throw error;
  }
}

function saveValues(
  plan: SavePlan,
  target: SaveTarget,
  signal: AbortSignal | undefined,
): Promise<SaveResult> {
  const addon = checkpointAddon();
  return callNative(addon, signal, (cancel) => addon.save(plan, target, undefined, cancel));
}

interface NewFile {
  content: Map<string, unknown>;
  metadata: ModelMetadata;
}

function fromLoaded(model: LoadedModel, options: SaveModelOptions): NewFile {
  const { latentDim } = model.model;
  const { spectrogramConfig, trainingConfig, analysis } = options;
  let config: unknown = new Carried("spectrogram_config");
  if (spectrogramConfig !== undefined) {
    config = configDict({ ...model.spectrogram.config, ...spectrogramConfig });
    checkWeights(model.model.stateDict(), latentDim, config as Map<string, unknown>);
  }
  const metadata = completeMetadata(
    options.metadata,
    model.metadata,
    analysis === undefined ? model.analysis : analysis,
  );
  const content = fileContent({
    stateDict: new Carried("model_state_dict"),
    latentDim,
    spectrogramConfig: config,
    analysis:
      analysis === undefined
        ? new Carried("latent_analysis", null)
        : checkedAnalysis(analysis, latentDim),
    trainingConfig: trainingConfig ?? new Carried("training_config", new Map()),
    metadata,
  });
  return { content, metadata };
}

function fromTensors(
  source: { stateDict: Map<string, Tensor>; latentDim: number },
  options: SaveModelOptions,
): NewFile {
  if (!(source?.stateDict instanceof Map)) {
    throw badArgument("source", "a LoadedModel or { stateDict: Map, latentDim }", source);
  }
  const latentDim = checkInteger("latentDim", source.latentDim, 1, MAX_LATENT_DIM);
  const config = configDict(options.spectrogramConfig ?? {});
  checkWeights(source.stateDict, latentDim, config);
  const stateDict = new OrderedDict<unknown, unknown>(source.stateDict);
  if (source.stateDict instanceof OrderedDict) stateDict.attributes = source.stateDict.attributes;
  const analysis = options.analysis ?? null;
  const metadata = completeMetadata(options.metadata, {}, analysis);
  const content = fileContent({
    stateDict,
    latentDim,
    spectrogramConfig: config,
    analysis: checkedAnalysis(analysis, latentDim),
    trainingConfig: options.trainingConfig ?? new Map(),
    metadata,
  });
  return { content, metadata };
}

function configDict(config: Partial<SpectrogramConfig>): Map<string, unknown> {
  if (typeof config !== "object" || config === null) {
    throw badArgument("spectrogramConfig", "an object", config);
  }
  return spectrogramDict(config);
}

function checkWeights(
  tensors: ReadonlyMap<unknown, unknown>,
  latentDim: number,
  config: Map<string, unknown>,
): void {
  const fields = new Fields(config, "the new file", "spectrogram_config");
  checkStateDict(tensors, latentDim, parseSpectrogramConfig(fields), (tensor, problem) => {
    return new SdaError("ERR_SDA_ARGUMENT", `tensor ${tensor} ${problem}`, { tensor });
  });
}

/** The analysis as it goes into the file, checked as it will be when the file is read. */
function checkedAnalysis(analysis: AnalysisResult | null, latentDim: number): unknown {
  if (analysis === null) return null;
  if (typeof analysis !== "object") throw badArgument("analysis", "an object or null", analysis);
  const dict = analysisDict(analysis);
  const top = new Fields(new Map([["latent_analysis", dict]]), "the new file", "");
  parseAnalysis(top, latentDim, "the new file");
  return dict;
}
