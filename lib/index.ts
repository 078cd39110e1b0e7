export type { GenerationResult } from "./audio/generation.js";
export type { GenerateOptions, SpatialOptions } from "./audio/options.js";
export type { QualityReport } from "./audio/quality.js";
export { type BitDepth, type WriteWavOptions, writeWav } from "./audio/wav.js";
export { SdaError, type SdaErrorCode } from "./errors.js";
export type { AnalysisResult } from "./latent/analysis.js";
export {
  centerSliders,
  isInWarningZone,
  randomizeSliders,
  type SliderInfo,
} from "./latent/sliders.js";
export { AudioSpectrogram, type MelToWaveformOptions } from "./model/audio-spectrogram.js";
export { ConvVae, type OperationOptions } from "./model/conv-vae.js";
export { type Device, type LoadModelOptions, loadModel } from "./model/load.js";
export { LoadedModel } from "./model/loaded-model.js";
export { type ModelMetadata, readMetadata } from "./model/metadata.js";
export type { SpectrogramConfig } from "./model/spectrogram-config.js";
export { type DType, Tensor, type TypedArray } from "./torch/values.js";
