/**
 * `small-dataset-audio` plays models (`.sda`), keeps them in a library, and writes sound. Only
 * GPUs need LibTorch.
 *
 * @module small-dataset-audio
 */
export type { AudioFormat, GenerationResult, Sound } from "./audio/generation.js";
export { LIMITS as GENERATION_LIMITS } from "./audio/limits.js";
export type { GenerateOptions, SpatialOptions } from "./audio/options.js";
export type { QualityReport } from "./audio/quality.js";
export { resample } from "./audio/resample.js";
export type { SoundStream } from "./audio/sound-stream.js";
export { type ToWavOptions, toWav, type WriteWavOptions, writeWav } from "./audio/wav.js";
export type { BitDepth } from "./audio/wav-format.js";
export {
  type WavFormat,
  type WavStream,
  wavByteLength,
  wavBytes,
  wavStream,
} from "./audio/wav-stream.js";
export { SdaError, type SdaErrorCode } from "./base/errors.js";
export { fileIdentity } from "./base/file-identity.js";
export { describeModel, type ModelDescription } from "./format/describe.js";
export type { ModelMetadata } from "./format/metadata.js";
export type { ModelWeights } from "./format/new-file.js";
export { readMetadata } from "./format/read-metadata.js";
export type { SpectrogramConfig } from "./format/spectrogram-config.js";
export { type VerifyOptions, type VerifyResult, verifyFile } from "./format/verify.js";
export type { AnalysisResult } from "./latent/analysis.js";
export {
  centerSliders,
  isInWarningZone,
  latentToSliders,
  randomizeSliders,
  type SliderInfo,
} from "./latent/sliders.js";
export type { ModelEntry } from "./library/index/entry.js";
export type { FolderOptions, LockOptions } from "./library/index/lock.js";
export type { LockKind } from "./library/index/lock-kind.js";
export { ModelLibrary, type OpenOptions } from "./library/model-library.js";
export type { ListOptions, PageOptions, SearchOptions } from "./library/search/search.js";
export { addModelFile, importModel } from "./library/writes/add.js";
export { CHANGE_LIMITS, type ModelChanges } from "./library/writes/changes.js";
export { type ImportOptions, saveModelFromCheckpoint } from "./library/writes/convert.js";
export { deleteModel } from "./library/writes/delete.js";
export type { RepairOptions, RepairResult } from "./library/writes/repair.js";
export {
  type SavableModel,
  type SaveModelOptions,
  type SaveOptions,
  saveModel,
} from "./library/writes/save.js";
export { updateModel } from "./library/writes/update.js";
export { AudioSpectrogram, type MelToWaveformOptions } from "./model/audio-spectrogram.js";
export { ModelCache, type ModelCacheOptions } from "./model/cache.js";
export { ConvVae, type OperationOptions } from "./model/conv-vae.js";
export { type Device, type LoadModelOptions, loadModel } from "./model/load.js";
export { LoadedModel } from "./model/loaded-model.js";
export { type MelPicture, type MelPictureOptions, melPicture } from "./model/mel-picture.js";
export { type SidecarOptions, writeSidecar } from "./model/sidecar.js";
export { configureEngine, type EngineOptions } from "./native/engine.js";
export type { Bytes, Floats } from "./values/arrays.js";
export { type DType, Tensor, type TypedArray } from "./values/values.js";
