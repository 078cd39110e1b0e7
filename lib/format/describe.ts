import { checkOptions, toFilePath } from "../base/check.js";
import type { AnalysisResult } from "../latent/analysis.js";
import { type SliderInfo, sliderInfos } from "../latent/sliders.js";
import { callNative } from "../native/call.js";
import { checkpointAddon } from "../native/load.js";
import type { InspectResult, ReadOptions } from "../native/types.js";
import type { ModelMetadata } from "./metadata.js";
import { parseModel } from "./schema.js";
import type { SpectrogramConfig } from "./spectrogram-config.js";

/** What a model file says about itself. */
export interface ModelDescription {
  metadata: ModelMetadata;
  /** Of the file */
  bytes: number;
  latentDim: number;
  spectrogramConfig: SpectrogramConfig;
  hasEncoder: boolean;
  /** Elements of the tensors that training changes: weights and biases, not running statistics */
  parameters: number;
  /** Of the state dict, in its order; names as the network has them */
  tensors: InspectResult["tensors"];
  /** [] without an analysis */
  sliders: SliderInfo[];
  analysis: AnalysisResult | null;
  /** As of `LoadedModel` */
  trainingConfig: Record<string, unknown>;
}

const STATE_DICT = "model_state_dict.";
const ALL_BUT_WEIGHTS: ReadOptions = {
  verify: true,
  weights: false,
  only: [
    "format",
    "version",
    "latent_dim",
    "spectrogram_config",
    "latent_analysis",
    "training_config",
    "metadata",
  ],
  unknownGlobals: "reject",
};

/**
 * All that a model file says about itself, without its weights and without LibTorch.
 *
 * @throws SdaError as `readMetadata` does
 */
export async function describeModel(
  path: string | URL,
  options: { signal?: AbortSignal } = {},
): Promise<ModelDescription> {
  const file = toFilePath(path);
  checkOptions("options", options, ["signal"]);
  const addon = checkpointAddon();
  const { signal } = options;
  const content = await callNative(addon, signal, (c) => addon.read(file, ALL_BUT_WEIGHTS, c));
  const { latentDim, spectrogramConfig, analysis, trainingConfig, metadata } = parseModel(
    content,
    file,
  );
  const found = await callNative(addon, signal, (c) => addon.inspect(file, c));
  const tensors = found.tensors
    .filter(({ name }) => name.startsWith(STATE_DICT))
    .map((tensor) => ({ ...tensor, name: tensor.name.slice(STATE_DICT.length) }));
  return {
    metadata,
    bytes: found.bytes,
    latentDim,
    spectrogramConfig,
    hasEncoder: tensors.some(({ name }) => name === "encoder.fc_mu.weight"),
    parameters: tensors
      .filter(({ name }) => /\.(weight|bias)$/.test(name))
      .reduce((sum, { shape }) => sum + elements(shape), 0),
    tensors,
    sliders: analysis ? sliderInfos(analysis) : [],
    analysis,
    trainingConfig,
  };
}

export function elements(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1);
}
