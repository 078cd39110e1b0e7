/** The interface through which a model in memory is saved as a new file. */
import type { AnalysisResult } from "../latent/analysis.js";
import type { SavePlan, SaveResult, SaveTarget } from "../native/types.js";
import type { Tensor } from "../values/values.js";
import type { Generation } from "./generations.js";
import type { ModelMetadata } from "./metadata.js";
import type { SpectrogramConfig } from "./spectrogram-config.js";
import type { VocoderInfo } from "./vocoder.js";

/**
 * The property of a model in memory that holds its `ModelSource`. The symbol is registered, so that
 * it is the same when a process has loaded the package twice.
 */
export const MODEL_SOURCE: unique symbol = Symbol.for("small-dataset-audio.model-source") as never;

/** A model in memory, as the source of a new file. */
export interface ModelSource {
  readonly generation: Generation;
  readonly latentDim: number;
  readonly spectrogramConfig: SpectrogramConfig;
  readonly analysis: AnalysisResult | null;
  readonly metadata: ModelMetadata;
  readonly vocoder: VocoderInfo | null;
  stateDict(): ReadonlyMap<string, Tensor>;
  /** Writes the plan's file. `Carried` values of the plan come from the model's own file. */
  write(plan: SavePlan, target: SaveTarget, signal: AbortSignal | undefined): Promise<SaveResult>;
}

/** @returns the value's `ModelSource`; undefined: the value is not a model */
export function modelSourceOf(value: unknown): ModelSource | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  return (value as { [MODEL_SOURCE]?: ModelSource })[MODEL_SOURCE];
}
