/** Checks the top-level dict of a model file. Errors name the file and the field. */
import { isMap } from "../base/realm.js";
import type { AnalysisResult } from "../latent/analysis.js";
import type { NativeModelOptions, NativeVocoderConfig, Outline } from "../native/types.js";
import { parseAnalysis } from "./analysis-schema.js";
import { Fields, schemaError } from "./fields.js";
import { type Generation, generationOf } from "./generations.js";
import { METADATA_DEFAULTS, type ModelMetadata } from "./metadata.js";
import { METADATA_NAMES, SPECTROGRAM_NAMES } from "./names.js";
import { SPECTROGRAM_DEFAULTS, type SpectrogramConfig } from "./spectrogram-config.js";
import { parseTrainingConfig } from "./training-config.js";
import {
  parseCodebook,
  parseComplexStats,
  parsePrior,
  parseVocoder,
  type VocoderInfo,
} from "./vocoder.js";

/** Limits that only a damaged or hostile file exceeds. The engine has the same limits. */
export const MAX_LATENT_DIM = 2 ** 16;
const MAX_SAMPLE_RATE = 768_000;
const MAX_N_FFT = 2 ** 17;
const MAX_N_MELS = 4096;
const MAX_POWER = 16;

/** The checked content of a model file. */
export interface ModelContent {
  generation: Generation;
  /** 0 for a model of codes */
  latentDim: number;
  spectrogramConfig: SpectrogramConfig;
  analysis: AnalysisResult | null;
  trainingConfig: Record<string, unknown>;
  metadata: ModelMetadata;
  vocoder: VocoderInfo | null;
  /** What the engine needs of the generation's other parts */
  parts: Pick<NativeModelOptions, "complexStats" | "vocoder" | "codebook" | "prior">;
}

/** The content of an outline as one dict, as a file holds it. */
export function contentOf({ content, vocoder }: Outline): unknown {
  if (isMap(content) && vocoder !== undefined) content.set("vocoder_state", vocoder);
  return content;
}

/**
 * Checks the content of a model file.
 *
 * @param content the top-level dict from the native reader
 * @param path the path in error messages
 * @param layerShape the shape of the decoder's first convolution, if the content lacks it
 * @throws SdaError ERR_SDA_FORMAT, ERR_SDA_VERSION or ERR_SDA_SCHEMA
 */
export function parseModel(
  content: unknown,
  path: string,
  layerShape?: readonly number[] | null,
): ModelContent {
  const generation = generationOf(content, path, layerShape);
  const top = new Fields(content, path, "");
  const isOfCodes = generation.network === "codes";
  const latentDim = isOfCodes
    ? 0
    : top.integer("latent_dim", generation.latentDim, 1, MAX_LATENT_DIM);
  const vocoder = generation.hasVocoder ? parseVocoder(top) : null;
  const spectrogramConfig = parseSpectrogramConfig(top.dict("spectrogram_config"));
  if (vocoder) checkVocoderFits(vocoder.config, spectrogramConfig, path);
  return {
    generation,
    latentDim,
    spectrogramConfig,
    analysis: isOfCodes ? null : parseAnalysis(top, latentDim, path),
    trainingConfig: top.has("training_config") ? parseTrainingConfig(top, "training_config") : {},
    metadata: parseMetadata(top),
    vocoder: vocoder?.info ?? null,
    parts: isOfCodes
      ? { codebook: parseCodebook(top), prior: parsePrior(top) }
      : {
          vocoder: vocoder?.config ?? null,
          complexStats: generation.network === "complex" ? parseComplexStats(top) : null,
        },
  };
}

/** A vocoder must take the mels that the model makes. */
function checkVocoderFits(vocoder: NativeVocoderConfig, config: SpectrogramConfig, path: string) {
  const facts = [
    ["num_mels", vocoder.nMels, config.nMels],
    ["hop_size", vocoder.hopLength, config.hopLength],
    ["sample_rate", vocoder.sampleRate, config.sampleRate],
  ] as const;
  for (const [name, found, wanted] of facts) {
    if (found === wanted) continue;
    const field = `vocoder_state.config.${name}`;
    throw schemaError(path, field, `${wanted}, as in spectrogram_config`, found);
  }
}

/** Checks `spectrogram_config`. A missing setting has its default; an unknown one is an error. */
export function parseSpectrogramConfig(fields: Fields): SpectrogramConfig {
  const names = SPECTROGRAM_NAMES;
  const known = new Set<unknown>(Object.values(names));
  const unknown = fields.keys().find((key) => !known.has(key));
  if (unknown !== undefined) {
    throw fields.error(String(unknown), "absent (unknown spectrogram setting)");
  }
  const defaults = SPECTROGRAM_DEFAULTS;
  const config = {
    sampleRate: fields.integer(names.sampleRate, defaults.sampleRate, 1, MAX_SAMPLE_RATE),
    nFft: fields.integer(names.nFft, defaults.nFft, 2, MAX_N_FFT),
    hopLength: fields.integer(names.hopLength, defaults.hopLength, 1, MAX_N_FFT),
    nMels: fields.integer(names.nMels, defaults.nMels, 1, MAX_N_MELS),
    fMin: fields.float(names.fMin, defaults.fMin),
    fMax: (fields.get(names.fMax) ?? null) === null ? null : fields.float(names.fMax),
    power: fields.float(names.power, defaults.power),
  };
  const { nFft, fMin, fMax, power } = config;
  if (nFft % 2 !== 0) throw fields.error(names.nFft, "even");
  if (config.hopLength > nFft) {
    throw fields.error(names.hopLength, `at most n_fft (${nFft}), so that no sample is skipped`);
  }
  const top = fMax ?? config.sampleRate / 2;
  if (!(fMin >= 0 && fMin < top)) throw fields.error(names.fMin, `from 0 to f_max (${top} Hz)`);
  if (top > MAX_SAMPLE_RATE) throw fields.error(names.fMax, `at most ${MAX_SAMPLE_RATE} Hz`);
  if (!(power > 0 && power <= MAX_POWER)) {
    throw fields.error(names.power, `above 0 and at most ${MAX_POWER}`);
  }
  return config;
}

/** Checks `metadata`. Missing fields have their defaults. */
export function parseMetadata(top: Fields): ModelMetadata {
  const fields = top.has("metadata") ? top.dict("metadata") : EMPTY;
  const names = METADATA_NAMES;
  const defaults = METADATA_DEFAULTS;
  return {
    modelId: fields.string(names.modelId, defaults.modelId),
    name: fields.string(names.name, defaults.name),
    description: fields.string(names.description, defaults.description),
    datasetName: fields.string(names.datasetName, defaults.datasetName),
    datasetFileCount: fields.integer(names.datasetFileCount, defaults.datasetFileCount),
    datasetTotalDurationS: fields.float(
      names.datasetTotalDurationS,
      defaults.datasetTotalDurationS,
    ),
    trainingDate: fields.string(names.trainingDate, defaults.trainingDate),
    saveDate: fields.string(names.saveDate, defaults.saveDate),
    trainingEpochs: fields.integer(names.trainingEpochs, defaults.trainingEpochs),
    finalTrainLoss: fields.float(names.finalTrainLoss, defaults.finalTrainLoss),
    finalValLoss: fields.float(names.finalValLoss, defaults.finalValLoss),
    tags: fields.strings(names.tags, [...defaults.tags]),
    hasAnalysis: fields.boolean(names.hasAnalysis, defaults.hasAnalysis),
    nActiveComponents: fields.integer(names.nActiveComponents, defaults.nActiveComponents),
  };
}

const EMPTY = new Fields(new Map(), "", "metadata");
