/**
 * The TypeScript types of the addons' exports.
 *
 * A native failure is a plain error with the properties `code` and `details`; `lib/native/call.ts`
 * turns it into an `SdaError`. A cancelled call rejects with the code "ERR_SDA_ABORTED";
 * `lib/native/call.ts` throws the signal's reason instead.
 */
import type { SdaErrorCode } from "../base/errors.js";
import type { Bytes, Codes, Floats } from "../values/arrays.js";
import type { Tensor } from "../values/values.js";

/** A flag that cancels native work. Only the thread that created it may use it, at any time. */
export interface CancelToken {
  cancel(): void;
  /** The progress of the work: for `verify`, the number of bytes that are checked. */
  done(): number;
}

/** See `LoadOptions` in lib/torch/load.ts. */
export interface ReadOptions {
  /** Default: true */
  verify?: boolean;
  /** Default: "reject" */
  unknownGlobals?: "reject" | "inert";
  /** Default: "utf-8" */
  encoding?: "utf-8" | "latin1" | "bytes";
  /** Default: true */
  weights?: boolean;
  /** Read containers that torch.save does not write. Default: false */
  anyContainer?: boolean;
  /** The most memory for the values of the pickle. Default: 4 GiB */
  memoryBytes?: number;
  /** Leave out what a cancelled training of a vocoder keeps in a model file */
  withoutTraining?: boolean;
  /** Convert only these keys of a top-level dict; the others are parsed but not converted. */
  only?: string[];
}

/** A program of values, which lib/values/program.ts reads, with its texts and buffers. */
export interface ValueProgram {
  code: Float64Array;
  /** The file, for errors */
  path: string;
  handle: ProgramHandle;
}

export interface ProgramHandle {
  readonly [programBrand]: true;
}
declare const programBrand: unique symbol;

/** What both addons have for reading programs. */
export interface ProgramAddon {
  /** A text of the program; only once */
  programText(program: ProgramHandle, index: number): string;
  /** A buffer of the program; only once */
  programBuffer(program: ProgramHandle, index: number): ArrayBuffer;
}

/** How the addons make values that are part of a result. */
export interface ValueFactories {
  maxBufferBytes: number;
  readProgram(program: ValueProgram): unknown;
}

/** How the reader treats a global; see `InspectResult.globalKinds`. */
export type GlobalKind = "known" | "project" | "project-code" | "unknown";

/** The globals and tensors of a file. */
export interface InspectResult {
  /**
   * "zip": written by PyTorch 1.6 and later; "legacy": the format before it; "tar": the format
   * before PyTorch 0.1.10; "torchscript": a program of torch.jit; "package": of torch.package;
   * "pickle": without a container; "pt2": a program of torch.export; "distributed": a folder of
   * torch.distributed.checkpoint; "safetensors", "npy", "npz"
   */
  container:
    | "zip"
    | "legacy"
    | "tar"
    | "torchscript"
    | "package"
    | "pickle"
    | "pt2"
    | "distributed"
    | "safetensors"
    | "npy"
    | "npz";
  /** The size of the file */
  bytes: number;
  /** Every global that the pickle names, as `module.name`, sorted by code point */
  globals: string[];
  /**
   * The kind of each of `globals`, in the same order:
   *
   * - "known": plain data that the reader builds itself
   * - "project": the Enum that the Python program's own files name
   * - "project-code": any other global of the program (`small_dataset_audio.*`, `distill.*`)
   * - "unknown": any other global; `load` refuses the file
   *
   * `load` describes "project" and "project-code" globals as `PyObject` and runs neither.
   */
  globalKinds: GlobalKind[];
  /**
   * The "unknown" ones of `globals`, for which `load` refuses the file, and why: what Python does
   * when it reads the file, such as "runs a shell command"
   */
  refused: { global: string; reason: string }[];
  /**
   * Every name of every tensor. `name`: the keys and indices that lead to the tensor, joined by
   * dots; `bytes`: of its elements; `aliasOf`: the first name of the same tensor, where this is
   * another one
   */
  tensors: { name: string; dtype: string; shape: number[]; bytes: number; aliasOf?: string }[];
}

/** What the addon returns of an `InspectResult`. */
export type NativeInspectResult = Omit<InspectResult, "refused">;

/** What Python would do with a file that `inspect` does not read: see lib/torch/scan-pickle.ts. */
export interface PickleScan {
  executes: boolean;
  complete: boolean;
  globals: string[];
  /** As of `InspectResult` */
  globalKinds: GlobalKind[];
  /** Why it is not complete, where a pickle is wrong or not understood */
  code?: SdaErrorCode;
  problem?: string;
}

/** See `VerifyResult` in lib/format/verify.ts. */
export interface VerifyResult {
  ok: boolean;
  records: number;
  bytes: number;
  problems: string[];
}

/** The content of a library's index file. */
export interface IndexContent {
  bytes: Uint8Array;
  /** The file's identity; see lib/base/file-identity.ts */
  identity: string;
  /** Where the entries are, for lib/library/index/index-image.ts; null: not the usual layout */
  layout: Uint32Array | null;
}

declare const lockBrand: unique symbol;
/** A held lock on a library's folder. */
export interface LockHandle {
  readonly [lockBrand]: true;
}

/**
 * "taken": `to` exists, or is not the expected file; "missing": a file of the rename is missing.
 */
export type RenameOutcome = "done" | "taken" | "missing" | "unsupported";

/** The values to save. lib/torch/encode.ts makes it; native/addon/marshal/from_js.cc reads it. */
export interface SavePlan {
  codes: Uint32Array;
  numbers: Float64Array;
  values: unknown[];
}

/**
 * The file to write: `path`, which is replaced if it exists, or a new file `stem` + `extension` in
 * `folder`, with _1, _2, … before the extension if the name is taken.
 */
export type SaveTarget = { path: string } | { folder: string; stem: string; extension: string };

export interface SaveResult {
  path: string;
  bytes: number;
  /** Of the tensors with `Code.View`, the numbers of those that do not view that storage now */
  unshared: number[];
}

declare const imageBrand: unique symbol;
/** A file whose bytes are in memory, or parts of them. */
export interface ImageHandle {
  readonly [imageBrand]: true;
}

/** A record of a zip archive. */
export interface ArchiveRecord {
  name: string;
  /** Where its bytes begin in the file */
  offset: number;
  /** Bytes in the file */
  stored: number;
  /** Bytes of its content */
  size: number;
  /** CRC-32 of its content; 0 may stand for none */
  crc: number;
  deflated: boolean;
}

declare const sourceBrand: unique symbol;
/** An open file from which `save` copies values without turning them into JavaScript values. */
export interface SourceHandle {
  readonly [sourceBrand]: true;
}

/** Numbers and names that both the addon and TypeScript define. A test compares them. */
export interface NativeConstants {
  errorCodes: string[];
  abortedCode: string;
  partMissingCode: string;
  /** In the order of their numbers, like `programOps` and `dtypes` */
  planCodes: string[];
  programOps: string[];
  /** `perElement`: elements of the typed array per element of the tensor */
  dtypes: { name: string; array: string; perElement: number; numpy: boolean }[];
  marks: Record<string, number>;
  slots: Record<string, number>;
  indexLayout: Record<string, number>;
  limits: Record<string, number>;
}

/** The file reader and writer, which needs no LibTorch. */
export interface CheckpointAddon extends ProgramAddon {
  /** The version of the package that the addon was built for. */
  readonly version: string;
  constants(): NativeConstants;
  /** Must be called once in each thread, before any file is read. */
  prepare(factories: ValueFactories): void;
  createCancelToken(): CancelToken;
  /** Cancels all work of this addon in this process, waits for its end and starts no new work. */
  stopWork(): void;
  /**
   * A file in memory, for `fillImage`. `whole`: all its bytes will come, in order; then it can be
   * read once. `name`: for errors.
   */
  createImage(name: string, size: number, whole: boolean): ImageHandle;
  /** Copies bytes of the file into the image. Parts must not overlap. */
  fillImage(image: ImageHandle, offset: number, bytes: Uint8Array): void;
  /** The records of any zip archive, in the order of the file. */
  listArchive(source: string | ImageHandle, cancel?: CancelToken): Promise<ArchiveRecord[]>;
  /**
   * Reads a torch.save file; see `load` in lib/torch/load.ts. As all calls that take an image, it
   * rejects with the code "ERR_SDA_PART_MISSING" and `details` `{ offset, size }` where it needs
   * bytes that the image lacks.
   */
  read(
    source: string | ImageHandle,
    options: ReadOptions,
    cancel?: CancelToken,
  ): Promise<ValueProgram>;
  /**
   * Reads a small file that is in the kernel's caches, on the calling thread. Undefined in any
   * other case, errors included: call `read`, which reports the error.
   */
  readAtOnce(path: string, options: ReadOptions): ValueProgram | undefined;
  /** A model file's content without its weights; `only`: the wanted keys. */
  outline(path: string, only: string[], cancel?: CancelToken): Promise<Outline>;
  /** As `outline`, where `readAtOnce` would read the file; otherwise undefined. */
  outlineAtOnce(path: string, only: string[]): Outline | undefined;
  /** See `inspect` in lib/torch/inspect.ts. */
  inspect(
    source: string | ImageHandle,
    options: Pick<ReadOptions, "anyContainer" | "memoryBytes">,
    cancel?: CancelToken,
  ): Promise<NativeInspectResult>;
  /** See `scanPickle` in lib/torch/scan-pickle.ts. */
  scanPickle(path: string, cancel?: CancelToken): Promise<PickleScan>;
  /** The same for a file in memory, of which the addon makes a copy. */
  scanPickleBytes(bytes: Uint8Array, cancel?: CancelToken): Promise<PickleScan>;
  /**
   * Maps a file into memory, copy-on-write. `places`: offset and size of each part, in turn. A part
   * need not be aligned for the elements in it.
   */
  mapParts(path: string, places: Float64Array, cancel?: CancelToken): Promise<ArrayBuffer[]>;
  /** See `verifyFile` in lib/format/verify.ts. */
  verify(path: string, cancel?: CancelToken): Promise<VerifyResult>;
  /**
   * Writes a temporary file in the target's folder, syncs it and renames it to its final name.
   * `source`: the file from which the plan copies values.
   */
  save(
    plan: SavePlan,
    target: SaveTarget,
    source?: SourceHandle,
    cancel?: CancelToken,
  ): Promise<SaveResult>;
  /**
   * Opens a file to save its values in another one. `content`: its top-level dict, with tensors
   * without data and without the entries that only training needs.
   */
  openSource(
    path: string,
    cancel?: CancelToken,
  ): Promise<{ content: unknown; source: SourceHandle }>;
  /**
   * Closes the file now instead of when the handle is garbage-collected. A `save` that runs still
   * completes. Idempotent.
   */
  closeSource(source: SourceHandle): void;
  /** Removes temporary files of `save` whose process has ended. Returns their number. */
  removeStaleTemps(folder: string): Promise<number>;
  /** Reads the whole index file and finds its entries. */
  readIndex(path: string, cancel?: CancelToken): Promise<IndexContent>;
  /**
   * Locks the file, which it creates if it is missing. Null: the lock is held already. The kernel
   * releases the lock when the process ends.
   */
  tryLock(path: string): Promise<LockHandle | null>;
  /** False: the folder's file system has no locks. */
  canLock(folder: string): Promise<boolean>;
  /** Releases the lock. Idempotent. */
  unlock(lock: LockHandle): void;
  /**
   * Searches concatenated texts: text i begins at `starts[i]` and ends where the next one begins.
   * Returns the numbers of the texts that contain `sought`, ascending.
   */
  findText(texts: Uint8Array, starts: Uint32Array, sought: Uint8Array): Uint32Array;
  /**
   * "keep" renames `from` to `to` only if `to` does not exist. "exchange" swaps the two names in
   * one step. See native/library/rename.h.
   *
   * `expected`, for an exchange: the identity (lib/base/file-identity.ts) that the file at `to`
   * must have; with any other identity, the result is "taken" and nothing changes. `descriptor`:
   * the file `from`, open for writing here and open nowhere else.
   */
  rename(
    from: string,
    to: string,
    mode: "exchange" | "keep",
    expected?: string | null,
    descriptor?: number,
  ): Promise<RenameOutcome>;
  /** Opens shared libraries by path and keeps them open; the engine then finds them by name. */
  preload(paths: string[]): void;
}

declare const fileBrand: unique symbol;
declare const modelBrand: unique symbol;
declare const spectrogramBrand: unique symbol;
declare const streamBrand: unique symbol;
declare const backendBrand: unique symbol;
/** An opened .sda file with its weights in memory, read or mapped. */
export interface FileHandle {
  readonly [fileBrand]: true;
}
/** A network on its device. */
export interface ModelHandle {
  readonly [modelBrand]: true;
}
/** The conversion between waveforms and mel spectrograms, with its tables. */
export interface SpectrogramHandle {
  readonly [spectrogramBrand]: true;
}

/** A running generation. When the handle is garbage-collected, the generation stops. */
export interface StreamHandle {
  readonly [streamBrand]: true;
}

/** See `SpectrogramConfig` in lib/format/spectrogram-config.ts. */
export interface NativeSpectrogramConfig {
  sampleRate: number;
  nFft: number;
  hopLength: number;
  nMels: number;
  fMin: number;
  fMax: number | null;
  power: number;
}

/** The layers of a model; "codes" is a vector-quantised autoencoder. */
export type Network = "sigmoid" | "softplus" | "complex" | "codes";

/** How a program makes sound; see native/engine/engine.h. */
export interface NativeProgram {
  synthesis: "chunks" | "overlap-add" | "codes";
  griffinLimIterations: number;
  resampling: "hann" | "kaiser";
}

/** A HiFi-GAN generator's sizes. */
export interface NativeVocoderConfig {
  sampleRate: number;
  hopLength: number;
  nMels: number;
  upsampleInitialChannel: number;
  upsampleRates: number[];
  upsampleKernelSizes: number[];
  resblockKernelSizes: number[];
  resblockDilationSizes: number[][];
}

/** What the mels of a complex model were normalised by. */
export interface NativeComplexStats {
  magMean: number;
  magStd: number;
  ifMean: number;
  ifStd: number;
}

export interface NativeCodebook {
  codebookDim: number;
  codebookSize: number;
  /** Levels */
  numQuantizers: number;
}

export interface NativePrior {
  hiddenSize: number;
  numLayers: number;
  numHeads: number;
  seqLen: number;
  numQuantizers: number;
}

/** What `createModel` builds. */
export interface NativeModelOptions {
  config: NativeSpectrogramConfig;
  program: NativeProgram;
  /** Not of a model of codes */
  network?: Exclude<Network, "codes">;
  latentDim?: number;
  complexStats?: NativeComplexStats | null;
  vocoder?: NativeVocoderConfig | null;
  /** Only of a model of codes */
  codebook?: NativeCodebook;
  prior?: NativePrior | null;
  device: string;
  backend: Backend;
}

/** A model file's content without its weights. */
export interface Outline {
  /** The top-level dict without the dicts of tensors and without "vocoder_state" */
  content: unknown;
  /** "vocoder_state" without its tensors; undefined where there is none */
  vocoder?: unknown;
  /** The shape of "decoder.deconvs.0.weight" of the state dict; null where there is none */
  layerShape: number[] | null;
}

/** Row-major float32 elements with their shape: the form of mels, waveforms and latents here. */
export interface FloatTensor {
  shape: number[];
  data: Float32Array;
}

/** See `GenerateOptions` in lib/audio/options.ts. */
export interface NativeGenerateOptions {
  /** A model's handle: that model's vocoder */
  vocoder: "auto" | "model" | "griffin_lim" | ModelHandle;
  evolution: number;
  temperature: number;
  topK: number;
  topP: number;
  durationS: number;
  seed: number;
  concatMode: "crossfade" | "latent_interpolation";
  latent?: Float32Array;
  stepsBetween: number;
  overlapSamples: number;
  joint: "python" | "equal-power";
  loudness: "peak" | "running" | "none";
  spatialMode: "mono" | "stereo" | "dual_seed";
  width: number;
  depth: number;
  sampleRate: number;
}

/** A range of allowed values, both ends included. */
export interface NativeRange {
  min: number;
  max: number;
}

/** The engine's own limits, in the form of `LIMITS` in lib/audio/limits.ts. */
export interface NativeGenerationLimits {
  durationS: { above: number; max: number };
  seed: NativeRange;
  drawnSeed: NativeRange;
  stepsBetween: NativeRange;
  chunks: NativeRange;
  overlapSamples: NativeRange;
  width: NativeRange;
  depth: NativeRange;
  evolution: NativeRange;
  temperature: NativeRange;
  topK: NativeRange;
  topP: NativeRange;
  sampleRates: number[];
  concatModes: string[];
  joints: string[];
  spatialModes: string[];
  loudnesses: string[];
}

/** See `QualityReport` in lib/audio/quality.ts. */
export interface NativeQuality {
  snrDb: number;
  clippedSamples: number;
  totalSamples: number;
  peakValue: number;
  maxConsecutiveClipped: number;
}

/** A generated sound: `audio` has one array per channel. */
export interface NativeGeneration {
  audio: Floats[];
  sampleRate: number;
  quality: NativeQuality;
}

/** What computes: "auto" is LibTorch on GPUs and the engine itself on the CPU. */
export type Backend = "auto" | "libtorch";

/** The backend in the LibTorch addon, which the engine calls. */
export interface BackendHandle {
  readonly [backendBrand]: true;
}

/** LibTorch as a backend of the engine. LibTorch must be open before the addon is loaded. */
export interface LibtorchAddon {
  /** The version of the package that the addon was built for. */
  readonly version: string;
  /** The LibTorch version that the addon was compiled with, such as "2.13.0". */
  readonly builtWith: string;
  /** For `EngineAddon.attachBackend` of the same version. */
  readonly backend: BackendHandle;
  /** LibTorch's version, such as "2.13.0", and the number of CUDA devices that it can use. */
  info(): { version: string; cudaDevices: number };
}

/** The engine. */
export interface EngineAddon extends ProgramAddon {
  /** The version of the package that the addon was built for. */
  readonly version: string;
  /** Must be called once in each thread, before any file is read. */
  prepare(factories: ValueFactories): void;
  createCancelToken(): CancelToken;
  /** Cancels all work of this addon in this process, waits for its end and starts no new work. */
  stopWork(): void;
  /** Lets models compute with LibTorch. The first backend stays for the rest of the process. */
  attachBackend(backend: BackendHandle): void;

  /** Reads and checks a file, but not what a cancelled training of a vocoder left in it. */
  open(
    path: string,
    options: { verify: boolean },
    cancel?: CancelToken,
  ): Promise<{ file: FileHandle; outline: Outline }>;
  /**
   * Opens a file like `open` without `verify`, on the calling thread. Undefined where
   * `CheckpointAddon.readAtOnce` would be.
   */
  openAtOnce(path: string): { file: FileHandle; outline: Outline } | undefined;
  /** Builds the network from the file's state dict. `file` cannot be used afterwards. */
  createModel(
    file: FileHandle,
    options: NativeModelOptions,
    cancel?: CancelToken,
  ): Promise<{
    model: ModelHandle;
    spectrogram: SpectrogramHandle;
    device: string;
    hasEncoder: boolean;
    byteLength: number;
  }>;
  /** The state dict: name → Tensor, in the file's order. The tensors use the file's memory. */
  stateDict(model: ModelHandle): Map<string, Tensor>;
  /** Saves like `CheckpointAddon.save`. The plan may copy values of the model's file. */
  save(
    plan: SavePlan,
    target: SaveTarget,
    model: ModelHandle,
    cancel?: CancelToken,
  ): Promise<SaveResult>;

  encode(
    model: ModelHandle,
    mel: FloatTensor,
    cancel?: CancelToken,
  ): Promise<{ mu: FloatTensor; logvar: FloatTensor }>;
  decode(model: ModelHandle, z: FloatTensor, cancel?: CancelToken): Promise<FloatTensor>;
  /** Codes of a grid of ⌈frames / 16⌉ columns → [1, 1, nMels, frames] */
  decodeCodes(
    model: ModelHandle,
    codes: Int32Array,
    frames: number,
    cancel?: CancelToken,
  ): Promise<FloatTensor>;
  /** [1, 1, nMels, frames] → codes */
  encodeCodes(model: ModelHandle, mel: FloatTensor, cancel?: CancelToken): Promise<Codes>;
  /** The prior's codes of one second. */
  sampleCodes(
    model: ModelHandle,
    options: { seed: number; temperature: number; topK: number; topP: number },
    cancel?: CancelToken,
  ): Promise<Codes>;
  /** The prior's logits after each code: [codes, codebookSize] */
  codeLogits(model: ModelHandle, codes: Int32Array, cancel?: CancelToken): Promise<FloatTensor>;
  /** `plain`: without a complex model's phases, and not normalised */
  waveformToMel(
    spectrogram: SpectrogramHandle,
    waveform: FloatTensor,
    cancel?: CancelToken,
    plain?: boolean,
  ): Promise<FloatTensor>;
  /** An undefined `seed` is drawn from the system's random numbers. */
  melToWaveform(
    spectrogram: SpectrogramHandle,
    mel: FloatTensor,
    seed: number | undefined,
    cancel?: CancelToken,
  ): Promise<FloatTensor>;
  /** Rates are 1 or more. Returns ⌈samples · toRate / fromRate⌉ samples per channel. */
  resample(
    waveform: FloatTensor,
    fromRate: number,
    toRate: number,
    cancel?: CancelToken,
  ): Promise<FloatTensor & { data: Floats }>;
  generate(
    model: ModelHandle,
    spectrogram: SpectrogramHandle,
    options: NativeGenerateOptions,
    onProgress: ((done: number, total: number) => void) | undefined,
    cancel?: CancelToken,
  ): Promise<NativeGeneration>;
  /** The limits that the engine enforces. test/audio/limits.test.ts compares them with `LIMITS`. */
  generationLimits(): NativeGenerationLimits;
  /** The format of the sound that the options give. */
  audioFormat(
    model: ModelHandle,
    options: NativeGenerateOptions,
  ): { sampleRate: number; channels: number; frames: number };
  /**
   * Starts a generation. It pauses while a few finished pieces wait for `nextPiece`. `loudness`
   * must not be "peak".
   */
  startStream(
    model: ModelHandle,
    spectrogram: SpectrogramHandle,
    options: NativeGenerateOptions,
    onProgress: ((done: number, total: number) => void) | undefined,
    cancel?: CancelToken,
  ): StreamHandle;
  /**
   * Returns the next samples, interleaved; null after the last. Must not be called before the
   * previous call has settled.
   */
  nextPiece(stream: StreamHandle): Promise<Floats | null>;
  /** The same samples in the encoding of a WAV file with `bits` per sample. */
  nextPiece(stream: StreamHandle, bits: 16 | 24 | 32): Promise<Bytes | null>;
  /** Stops the generation if it still runs. */
  closeStream(stream: StreamHandle): void;
  /**
   * Changes the settings of the whole process; see lib/native/engine.ts. Returns those that apply.
   */
  configureEngine(options: { threads?: number; maxRequests?: number }): {
    threads: number;
    maxRequests: number;
  };
  /**
   * Refuses new work at once. Frees the memory when running work has ended, then fulfills the
   * promise. Idempotent.
   */
  dispose(model: ModelHandle, spectrogram: SpectrogramHandle): Promise<void>;
}
