/**
 * `small-dataset-audio` plays models (`.sda`), keeps them in a library, and writes sound. Only
 * GPUs need LibTorch.
 *
 * @module small-dataset-audio
 */

export { bigvganMel } from "./audio/bigvgan-mel.js";
export type { EncoderOptions, SoundFormat } from "./audio/files/settings.js";
export type { SoundTags } from "./audio/files/tags.js";
export type { AudioFormat, GenerationResult, Sound } from "./audio/generation.js";
export { LIMITS as GENERATION_LIMITS } from "./audio/limits.js";
export type { GenerateOptions, ModelWithVocoder, SpatialOptions } from "./audio/options.js";
export type { SoundFileStream } from "./audio/part-stream.js";
export type { QualityReport } from "./audio/quality.js";
export { readRecipe } from "./audio/read-recipe.js";
export type { Recipe, RecipeEngine, RecipeFile, RecipeModel, RecipePart } from "./audio/recipe.js";
export { resample } from "./audio/resample.js";
export {
  type EncodeSoundOptions,
  encodeSound,
  type SoundFileOptions,
  type WriteSoundOptions,
  writeSound,
} from "./audio/sound-file.js";
export { type SoundFileStreamOptions, soundFileStream } from "./audio/sound-file-stream.js";
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
export {
  GENERATION_DEFAULTS,
  type GenerationName,
  MODEL_SUFFIXES,
  type ModelSuffix,
} from "./format/generations.js";
export type { ModelMetadata } from "./format/metadata.js";
export type { ModelWeights } from "./format/new-file.js";
export { type FileMetadata, readMetadata } from "./format/read-metadata.js";
export type { SpectrogramConfig } from "./format/spectrogram-config.js";
export { type VerifyOptions, type VerifyResult, verifyFile } from "./format/verify.js";
export type { VocoderInfo } from "./format/vocoder.js";
export type { AnalysisResult } from "./latent/analysis.js";
export {
  centerSliders,
  isInWarningZone,
  latentToSliders,
  randomizeSliders,
  type SliderInfo,
} from "./latent/sliders.js";
export { type DataFolders, dataFolders } from "./library/data-folders.js";
export {
  History,
  type HistoryAddOptions,
  type HistoryListOptions,
  type HistoryModel,
} from "./library/history/history.js";
export type { HistoryEntry } from "./library/history/history-entry.js";
export type { ModelEntry, NewModelEntry } from "./library/index/entry.js";
export type { FolderOptions, LockOptions } from "./library/index/lock.js";
export type { LockKind } from "./library/index/lock-kind.js";
export { ModelLibrary, type OpenOptions } from "./library/model-library.js";
export type { NewPreset, Preset, PresetChanges } from "./library/presets/preset.js";
export { type DeleteFolderOptions, PresetStore } from "./library/presets/preset-store.js";
export type { ListOptions, PageOptions, SearchOptions } from "./library/search/search.js";
export { addModelFile, importModel } from "./library/writes/add.js";
export { CHANGE_LIMITS, type ModelChanges } from "./library/writes/changes.js";
export { type ImportOptions, saveModelFromCheckpoint } from "./library/writes/convert.js";
export { type ConvertModelOptions, convertModel } from "./library/writes/convert-model.js";
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
export {
  type BlendOptions,
  type BlendPart,
  blend,
  type UnionSlider,
  unionSliders,
} from "./model/blend.js";
export { ModelCache, type ModelCacheOptions } from "./model/cache.js";
export { ConvVae, type OperationOptions } from "./model/conv-vae.js";
export { type Device, type LoadModelOptions, loadModel } from "./model/load.js";
export { LoadedModel } from "./model/loaded-model.js";
export { type MelPicture, type MelPictureOptions, melPicture } from "./model/mel-picture.js";
export { type ReproduceOptions, type Reproduction, reproduceSound } from "./model/reproduce.js";
export {
  readSidecar,
  type Sidecar,
  type SidecarAudio,
  type SidecarModel,
  type SidecarOptions,
  writeSidecar,
} from "./model/sidecar.js";
export { type DecodeCodesOptions, type SampleOptions, VqVae } from "./model/vq-vae.js";
export { configureEngine, type EngineOptions } from "./native/engine.js";
export type { Bytes, Codes, Floats } from "./values/arrays.js";
export { type DType, Tensor, type TypedArray } from "./values/values.js";
