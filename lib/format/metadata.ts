/** What a file says about its model. Dates are ISO 8601 in UTC, or "" when unknown. */
export interface ModelMetadata {
  /** UUID */
  modelId: string;
  name: string;
  description: string;
  datasetName: string;
  datasetFileCount: number;
  /** Seconds */
  datasetTotalDurationS: number;
  trainingDate: string;
  saveDate: string;
  trainingEpochs: number;
  finalTrainLoss: number;
  finalValLoss: number;
  tags: string[];
  hasAnalysis: boolean;
  nActiveComponents: number;
}

/** Of each field that a file or a caller leaves out. */
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
