import type { Tensor } from "../values/values.js";

/**
 * The analysis of a trained latent space: its principal axes, which become the sliders, and the
 * safe and warning ranges along each axis. `n` is the number of axes. The arrays are float32 or
 * float64, as in the file.
 */
export interface AnalysisResult {
  /** The version of the analysis's format: 1 */
  version: number;
  /** [n, latentDim], one principal axis per row */
  pcaComponents: Tensor;
  /** [latentDim], the mean of the training sounds' latents */
  pcaMean: Tensor;
  /** [n], each axis's share of the variance, 0 to 1 */
  explainedVarianceRatio: Tensor;
  /** The number of sliders: the first axes, at most n */
  nActiveComponents: number;
  /** The sliders' names, given by a person; may be shorter than n */
  componentLabels: string[];
  /** For each axis the sound feature that correlates most with it; may be shorter than n */
  suggestedLabels: string[];
  /** [n] each: the bounds of the ranges along each axis, in latent units; see `SliderInfo` */
  safeMin: Tensor;
  safeMax: Tensor;
  warningMin: Tensor;
  warningMax: Tensor;
  /** [n], latent units per slider step */
  stepSize: Tensor;
  /** The number of a slider's positions, -half … half with half = floor(nSteps / 2). Default: 21 */
  nSteps: number;
  /** Name of a sound feature → its correlation with each axis */
  featureCorrelations: Record<string, number[]>;
  /** The latent dimension of the model */
  latentDim: number;
}
