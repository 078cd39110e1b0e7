import { checkOptions, toFilePath } from "../base/check.js";
import type { AnalysisResult } from "../latent/analysis.js";
import { type SliderInfo, sliderInfos } from "../latent/sliders.js";
import { callNative } from "../native/call.js";
import { checkpointAddon } from "../native/load.js";
import type { InspectResult } from "../native/types.js";
import type { GenerationName } from "./generations.js";
import type { ModelMetadata } from "./metadata.js";
import { contentOf, parseModel } from "./schema.js";
import type { SpectrogramConfig } from "./spectrogram-config.js";
import type { VocoderInfo } from "./vocoder.js";

/** The content of a model file without the weights. */
export interface ModelDescription {
  /** Which version of the program wrote the file */
  generation: GenerationName;
  metadata: ModelMetadata;
  /** The size of the file */
  bytes: number;
  /** The number of values in a latent; 0 for a model of codes, which has no latent space */
  latentDim: number;
  /** null: the file has none */
  vocoder: VocoderInfo | null;
  /** Codes of each level, and levels, of a model of codes; null for others */
  codebook: { size: number; levels: number; hasPrior: boolean } | null;
  spectrogramConfig: SpectrogramConfig;
  /** Whether the model can encode sounds; a decoder-only model cannot */
  hasEncoder: boolean;
  /** The number of trained values: elements of weights and biases, not of running statistics */
  parameters: number;
  /** The tensors of the state dict in its order, with the network's names */
  tensors: InspectResult["tensors"];
  /** [] when the file has no analysis */
  sliders: SliderInfo[];
  analysis: AnalysisResult | null;
  /** The training settings by the file's keys; an Enum member appears as its value */
  trainingConfig: Record<string, unknown>;
}

const STATE_DICT = "model_state_dict.";
/** The tensors that only a model with an encoder has. */
const ENCODERS = ["encoder.fc_mu.weight", "encoder.proj.weight"];
const KEYS = [
  "format",
  "version",
  "model_type",
  "latent_dim",
  "spectrogram_config",
  "latent_analysis",
  "training_config",
  "metadata",
  "normalization_stats",
  "vqvae_config",
  "has_prior",
  "prior_config",
];

/**
 * Reads everything that a model file says about itself. Reads no weights.
 *
 * @throws SdaError like `readMetadata`; `signal.reason` when the signal is aborted
 * @example
 * ```js
 * const { metadata, parameters, sliders } = await describeModel("data/models/pads.sda");
 * console.log(`${metadata.name}: ${parameters} parameters`);
 * for (const { index, label } of sliders) console.log(index, label);
 * ```
 */
export async function describeModel(
  path: string | URL,
  options: { signal?: AbortSignal } = {},
): Promise<ModelDescription> {
  const file = toFilePath(path);
  checkOptions("options", options, ["signal"]);
  const addon = checkpointAddon();
  const { signal } = options;
  const outline = await callNative(addon, signal, (c) => addon.outline(file, KEYS, c));
  const model = parseModel(contentOf(outline), file, outline.layerShape);
  const { latentDim, spectrogramConfig, analysis, trainingConfig, metadata } = model;
  const found = await callNative(addon, signal, (c) => addon.inspect(file, {}, c));
  const tensors = found.tensors
    .filter(({ name }) => name.startsWith(STATE_DICT))
    .map(({ aliasOf: _, ...tensor }) => ({
      ...tensor,
      name: tensor.name.slice(STATE_DICT.length),
    }));
  const { codebook, prior } = model.parts;
  return {
    generation: model.generation.name,
    metadata,
    bytes: found.bytes,
    latentDim,
    vocoder: model.vocoder,
    codebook: codebook
      ? {
          size: codebook.codebookSize,
          levels: codebook.numQuantizers,
          hasPrior: (prior ?? null) !== null,
        }
      : null,
    spectrogramConfig,
    hasEncoder: tensors.some(({ name }) => ENCODERS.includes(name)),
    parameters: tensors
      .filter(({ name }) => /\.(weight|bias)$/.test(name))
      .reduce((sum, { shape }) => sum + elements(shape), 0),
    tensors,
    sliders: analysis ? sliderInfos(analysis) : [],
    analysis,
    trainingConfig,
  };
}

/** The number of elements of a tensor with this shape. */
export function elements(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1);
}
