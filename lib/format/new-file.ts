/** Makes the content of a new model file from a model in memory or from weights. */

import { badArgument, checkInteger } from "../base/check.js";
import { SdaError } from "../base/errors.js";
import { isMap } from "../base/realm.js";
import type { AnalysisResult } from "../latent/analysis.js";
import { Amended, Carried } from "../torch/encode.js";
import { OrderedDict, type Tensor } from "../values/values.js";
import { parseAnalysis } from "./analysis-schema.js";
import { Fields } from "./fields.js";
import {
  analysisDict,
  completeMetadata,
  fileContent,
  metadataDict,
  spectrogramDict,
} from "./file-content.js";
import { GENERATIONS, type Generation } from "./generations.js";
import type { ModelMetadata } from "./metadata.js";
import { type ModelSource, modelSourceOf } from "./model-source.js";
import { MAX_LATENT_DIM, parseSpectrogramConfig } from "./schema.js";
import type { SpectrogramConfig } from "./spectrogram-config.js";
import { checkStateDict } from "./state-dict.js";

/** The weights of a model that has no file yet. */
export interface ModelWeights {
  /** Name → tensor, with the names of `ConvVae.stateDict()` */
  stateDict: Map<string, Tensor>;
  latentDim: number;
}

/** The content of a new model file other than the weights. */
export interface NewFileOptions {
  /**
   * Fields that replace the loaded model's, or the defaults. `modelId` and `saveDate` are new
   * unless given. `hasAnalysis` and `nActiveComponents` always follow the analysis.
   */
  metadata?: Partial<ModelMetadata>;
  /** Must fit the weights. Default: the loaded model's, or the format's defaults */
  spectrogramConfig?: Partial<SpectrogramConfig>;
  /** Default: an exact copy of the loaded model's, or {} */
  trainingConfig?: Record<string, unknown>;
  /** null: no analysis. Default: the loaded model's, or no analysis */
  analysis?: AnalysisResult | null;
}

/**
 * Makes the content of a new file.
 *
 * @param source weights, or a `LoadedModel`, whose values keep the Python types of its file
 * @throws SdaError ERR_SDA_ARGUMENT (`details.option` or `details.tensor`); ERR_SDA_SCHEMA: an
 *   analysis or a spectrogram config that does not fit
 */
export function newFile(source: unknown, options: NewFileOptions): NewFile {
  const model = modelSourceOf(source);
  return model ? fromModel(model, options) : fromTensors(source as ModelWeights, options);
}

export interface NewFile {
  /** The top-level dict of the file */
  content: Map<string, unknown> | Amended;
  metadata: ModelMetadata;
  generation: Generation;
}

function fromModel(model: ModelSource, options: NewFileOptions): NewFile {
  const { generation, latentDim } = model;
  const { spectrogramConfig, trainingConfig, analysis } = options;
  const isOfCodes = generation.network === "codes";
  if (isOfCodes && (analysis ?? null) !== null) {
    throw badArgument("analysis", "absent: a model of codes has no latent space", analysis);
  }
  let config: unknown = new Carried("spectrogram_config");
  if (spectrogramConfig !== undefined) {
    if (generation.name !== "sda") {
      const wanted = "absent: the new file keeps the model's settings";
      throw badArgument("spectrogramConfig", wanted, spectrogramConfig);
    }
    config = configDict({ ...model.spectrogramConfig, ...spectrogramConfig });
    checkWeights(model.stateDict(), latentDim, config as Map<string, unknown>);
  }
  const metadata = completeMetadata(
    options.metadata,
    model.metadata,
    analysis === undefined ? model.analysis : analysis,
  );
  const latentAnalysis =
    analysis === undefined
      ? new Carried("latent_analysis", null)
      : checkedAnalysis(analysis, latentDim);
  if (generation.name !== "sda") {
    // The new file keeps everything else of the old one, such as a vocoder and a prior.
    const changed = new Map<string, unknown>([["metadata", metadataDict(metadata)]]);
    if (analysis !== undefined && !isOfCodes) changed.set("latent_analysis", latentAnalysis);
    if (trainingConfig !== undefined) changed.set("training_config", trainingConfig);
    return { content: new Amended(null, changed), metadata, generation };
  }
  const content = fileContent({
    generation,
    stateDict: new Carried("model_state_dict"),
    latentDim,
    spectrogramConfig: config,
    analysis: latentAnalysis,
    trainingConfig: trainingConfig ?? new Carried("training_config", new Map()),
    metadata,
  });
  return { content, metadata, generation };
}

function fromTensors(source: ModelWeights, options: NewFileOptions): NewFile {
  if (!isMap(source?.stateDict)) {
    throw badArgument("source", "a LoadedModel or { stateDict: Map, latentDim }", source);
  }
  const latentDim = checkInteger("latentDim", source.latentDim, 1, MAX_LATENT_DIM);
  const config = configDict(options.spectrogramConfig ?? {});
  checkWeights(source.stateDict, latentDim, config);
  const stateDict = new OrderedDict<unknown, unknown>(source.stateDict);
  if (source.stateDict instanceof OrderedDict) stateDict.attributes = source.stateDict.attributes;
  const analysis = options.analysis ?? null;
  const metadata = completeMetadata(options.metadata, {}, analysis);
  const generation = GENERATIONS.sda;
  const content = fileContent({
    generation,
    stateDict,
    latentDim,
    spectrogramConfig: config,
    analysis: checkedAnalysis(analysis, latentDim),
    trainingConfig: options.trainingConfig ?? new Map(),
    metadata,
  });
  return { content, metadata, generation };
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
  const settings = parseSpectrogramConfig(fields);
  const facts = { network: GENERATIONS.sda.network, latentDim, config: settings };
  checkStateDict(tensors, facts, (tensor, problem) => {
    return new SdaError("ERR_SDA_ARGUMENT", `tensor ${tensor} ${problem}`, { tensor });
  });
}

/** Makes `latent_analysis` and checks it with the checks that reading the file applies. */
function checkedAnalysis(analysis: AnalysisResult | null, latentDim: number): unknown {
  if (analysis === null) return null;
  if (typeof analysis !== "object") throw badArgument("analysis", "an object or null", analysis);
  const dict = analysisDict(analysis);
  const top = new Fields(new Map([["latent_analysis", dict]]), "the new file", "");
  parseAnalysis(top, latentDim, "the new file");
  return dict;
}
