/** What a new model file takes from a model in memory. */
import type { AnalysisResult } from "../latent/analysis.js";
import type { SavePlan, SaveResult, SaveTarget } from "../native/types.js";
import type { Tensor } from "../values/values.js";
import type { ModelMetadata } from "./metadata.js";
import type { SpectrogramConfig } from "./spectrogram-config.js";

/**
 * The property under which a model in memory offers a `ModelSource`. A registered symbol, so that a
 * model is known as one even when the package is loaded twice.
 */
export const MODEL_SOURCE: unique symbol = Symbol.for("small-dataset-audio.model-source") as never;

/** A model in memory whose file can be written anew. */
export interface ModelSource {
  readonly latentDim: number;
  readonly spectrogramConfig: SpectrogramConfig;
  readonly analysis: AnalysisResult | null;
  readonly metadata: ModelMetadata;
  stateDict(): ReadonlyMap<string, Tensor>;
  /** Writes a file by the plan; what the plan carries over comes from the model's own file. */
  write(plan: SavePlan, target: SaveTarget, signal: AbortSignal | undefined): Promise<SaveResult>;
}

/** What the value offers; undefined: it is no model. */
export function modelSourceOf(value: unknown): ModelSource | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  return (value as { [MODEL_SOURCE]?: ModelSource })[MODEL_SOURCE];
}
