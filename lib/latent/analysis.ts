import type { Tensor } from "../values/values.js";

/**
 * What the analysis of a trained latent space found: its principal axes, which become the sliders,
 * and how far along each of them the training sounds reach. `n` is the number of axes.
 * Arrays are float32 or float64, as the file has them.
 */
export interface AnalysisResult {
  /** Of the analysis's own format: 1 */
  version: number;
  /** [n, latentDim], one principal axis a row */
  pcaComponents: Tensor;
  /** [latentDim] */
  pcaMean: Tensor;
  /** [n], 0 to 1 */
  explainedVarianceRatio: Tensor;
  /** How many of the axes are sliders, at most n */
  nActiveComponents: number;
  /** Names that people gave the sliders; may be shorter than n */
  componentLabels: string[];
  /** The sound feature that follows each axis most closely; may be shorter than n */
  suggestedLabels: string[];
  /** [n] each: bounds of the projections onto each axis, in latent units */
  safeMin: Tensor;
  safeMax: Tensor;
  warningMin: Tensor;
  warningMax: Tensor;
  /** [n], latent units per slider step */
  stepSize: Tensor;
  /** Positions of a slider, 21 unless the file says otherwise: -half … half with half = floor(nSteps / 2) */
  nSteps: number;
  /** Feature name → its correlation with each axis */
  featureCorrelations: Record<string, number[]>;
  /** The model's */
  latentDim: number;
}
