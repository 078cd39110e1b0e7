/** The metadata of a model file. Dates are ISO 8601, or "" when unknown. */
export interface ModelMetadata {
  /** A UUID; "" when unknown */
  modelId: string;
  name: string;
  description: string;
  datasetName: string;
  datasetFileCount: number;
  /** The duration of all training sounds, in seconds */
  datasetTotalDurationS: number;
  trainingDate: string;
  saveDate: string;
  trainingEpochs: number;
  finalTrainLoss: number;
  finalValLoss: number;
  tags: string[];
  /** Whether the file has an analysis of the latent space */
  hasAnalysis: boolean;
  /** The number of sliders */
  nActiveComponents: number;
}

/** The value of each field that a file or a caller omits. */
export const METADATA_DEFAULTS: Readonly<ModelMetadata> = Object.freeze({
  modelId: "",
  name: "Untitled Model",
  description: "",
  datasetName: "",
  datasetFileCount: 0,
  datasetTotalDurationS: 0,
  trainingDate: "",
  saveDate: "",
  trainingEpochs: 0,
  finalTrainLoss: 0,
  finalValLoss: 0,
  tags: [],
  hasAnalysis: false,
  nActiveComponents: 0,
});
