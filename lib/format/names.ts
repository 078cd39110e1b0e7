/**
 * Maps the names in TypeScript to the names in model files, for reading and for writing. All code
 * uses these tables. The order of each table is the order of the keys in a file.
 */
import type { AnalysisResult } from "../latent/analysis.js";
import type { ModelMetadata } from "./metadata.js";
import type { SpectrogramConfig } from "./spectrogram-config.js";

export type Names<T> = { readonly [K in keyof T]-?: string };

export const METADATA_NAMES = {
  modelId: "model_id",
  name: "name",
  description: "description",
  datasetName: "dataset_name",
  datasetFileCount: "dataset_file_count",
  datasetTotalDurationS: "dataset_total_duration_s",
  trainingDate: "training_date",
  saveDate: "save_date",
  trainingEpochs: "training_epochs",
  finalTrainLoss: "final_train_loss",
  finalValLoss: "final_val_loss",
  tags: "tags",
  hasAnalysis: "has_analysis",
  nActiveComponents: "n_active_components",
} as const satisfies Names<ModelMetadata>;

export const SPECTROGRAM_NAMES = {
  sampleRate: "sample_rate",
  nFft: "n_fft",
  hopLength: "hop_length",
  nMels: "n_mels",
  fMin: "f_min",
  fMax: "f_max",
  power: "power",
} as const satisfies Names<SpectrogramConfig>;

export const ANALYSIS_NAMES = {
  version: "version",
  pcaComponents: "pca_components",
  pcaMean: "pca_mean",
  explainedVarianceRatio: "explained_variance_ratio",
  nActiveComponents: "n_active_components",
  componentLabels: "component_labels",
  suggestedLabels: "suggested_labels",
  safeMin: "safe_min",
  safeMax: "safe_max",
  warningMin: "warning_min",
  warningMax: "warning_max",
  stepSize: "step_size",
  nSteps: "n_steps",
  featureCorrelations: "feature_correlations",
  latentDim: "latent_dim",
} as const satisfies Names<AnalysisResult>;
