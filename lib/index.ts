export type { AudioFormat, GenerationResult } from "./audio/generation.js";
export type { GenerateOptions, SpatialOptions } from "./audio/options.js";
export type { QualityReport } from "./audio/quality.js";
export { resample } from "./audio/resample.js";
export { type WriteWavOptions, writeWav } from "./audio/wav.js";
export type { BitDepth } from "./audio/wav-format.js";
export { type WavFormat, wavBytes, wavStream } from "./audio/wav-stream.js";
export { SdaError, type SdaErrorCode } from "./errors.js";
export type { AnalysisResult } from "./latent/analysis.js";
export {
  centerSliders,
  isInWarningZone,
  latentToSliders,
  randomizeSliders,
  type SliderInfo,
} from "./latent/sliders.js";
export { deleteModel } from "./library/delete.js";
export type { ModelEntry } from "./library/entry.js";
export type { LockOptions } from "./library/lock.js";
export { ModelLibrary } from "./library/model-library.js";
export type { RepairOptions, RepairResult } from "./library/repair.js";
export type { ListOptions, PageOptions, SearchOptions } from "./library/search.js";
export { addModelFile, importModel } from "./model/add.js";
export { AudioSpectrogram, type MelToWaveformOptions } from "./model/audio-spectrogram.js";
export { ModelCache, type ModelCacheOptions } from "./model/cache.js";
export { CHANGE_LIMITS, type ModelChanges } from "./model/changes.js";
export { ConvVae, type OperationOptions } from "./model/conv-vae.js";
export { saveModelFromCheckpoint } from "./model/convert.js";
export { describeModel, type ModelDescription } from "./model/describe.js";
export { type Device, type LoadModelOptions, loadModel } from "./model/load.js";
export { LoadedModel } from "./model/loaded-model.js";
export { type MelPicture, type MelPictureOptions, melPicture } from "./model/mel-picture.js";
export { type ModelMetadata, readMetadata } from "./model/metadata.js";
export { type SaveModelOptions, saveModel } from "./model/save.js";
export { type SidecarOptions, writeSidecar } from "./model/sidecar.js";
export type { SpectrogramConfig } from "./model/spectrogram-config.js";
export { updateModel } from "./model/update.js";
export { type VerifyOptions, type VerifyResult, verifyFile } from "./model/verify.js";
export { configureEngine, type EngineOptions } from "./native/engine.js";
export { type DType, Tensor, type TypedArray } from "./torch/values.js";
