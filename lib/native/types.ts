/**
 * What the two addons export, as TypeScript sees it. Only lib/native names these
 * types' origin; everything above works with the interfaces.
 *
 * Native failures arrive as plain errors with `code` and `details` set; `lib/native/call.ts`
 * turns them into `SdaError`. A cancelled call rejects with code "ERR_SDA_ABORTED", which the
 * same place turns into the signal's reason.
 */
import type { Bytes, Floats } from "../values/arrays.js";
import type { readCompact } from "../values/compact.js";
import type { Tensor, ValueFactories } from "../values/values.js";

/** A flag that native loops look at; may be used at any time, from the main thread only. */
export interface CancelToken {
  cancel(): void;
  /** How far the work has come: for `verify`, bytes that are checked. */
  done(): number;
}

export interface ReadOptions {
  verify: boolean;
  unknownGlobals: "reject" | "inert";
  weights: boolean;
  /** Convert only these keys of a top-level dict; the others are parsed but not converted. */
  only?: string[];
}

/** What the reader's own list says of a global; see `InspectResult.globalKinds`. */
export type GlobalKind = "known" | "project" | "project-code" | "unknown";

/** What a file refers to and holds; bytes of tensors are those of their elements. */
export interface InspectResult {
  container: "zip" | "legacy";
  bytes: number;
  /** Every global that the pickle names, as `module.name`, by code point. */
  globals: string[];
  /**
   * What the reader's own list says of each of `globals`, in the same order: "known" (stands for
   * something that the reader builds itself), "project" (the Enum that the Python program's own files
   * name), "project-code" (anything else of `small_dataset_audio.*`), "unknown" (`load` refuses the
   * file). `load` describes both kinds of project globals as `PyObject` and runs neither.
   */
  globalKinds: GlobalKind[];
  tensors: { name: string; dtype: string; shape: number[]; bytes: number }[];
}

/** What a check of every record found; `problems` is empty for a sound file. */
export interface VerifyResult {
  ok: boolean;
  records: number;
  bytes: number;
  problems: string[];
}

export interface IndexContent {
  bytes: Uint8Array;
  /** Changes with every change of the file. */
  identity: string;
  layout: Uint32Array | null;
}

declare const lockBrand: unique symbol;
export interface LockHandle {
  readonly [lockBrand]: true;
}

export type RenameOutcome = "done" | "taken" | "missing" | "unsupported";

/** What `save` is told to write; made by lib/torch/encode.ts, read by native/addon/marshal/from_js.cc. */
export interface SavePlan {
  codes: Uint32Array;
  numbers: Float64Array;
  values: unknown[];
}

/** A file that is replaced, or a new one: `stem` + `extension`, with _1, _2, … before the extension if taken. */
export type SaveTarget = { path: string } | { folder: string; stem: string; extension: string };

export interface SaveResult {
  path: string;
  bytes: number;
}

declare const sourceBrand: unique symbol;
/** An open file that values are carried over from without becoming JavaScript values. */
export interface SourceHandle {
  readonly [sourceBrand]: true;
}

/** Numbers and names that the addon and TypeScript both state; a test compares them. */
export interface NativeConstants {
  errorCodes: string[];
  abortedCode: string;
  /** In the order of their numbers; likewise `compactOps` and `dtypes`. */
  planCodes: string[];
  compactOps: string[];
  /** `perElement`: elements of the typed array for each element of the tensor. */
  dtypes: { name: string; array: string; perElement: number; numpy: boolean }[];
  marks: Record<string, number>;
  slots: Record<string, number>;
  indexLayout: Record<string, number>;
  limits: Record<string, number>;
}

export interface CheckpointAddon {
  /** Of the package that it was built for. */
  readonly version: string;
  constants(): NativeConstants;
  /** Once per environment, before anything is read. */
  registerClasses(factories: ValueFactories & { readCompact: typeof readCompact }): void;
  createCancelToken(): CancelToken;
  /** Cancels what runs in this process, waits for it and starts nothing more. */
  stopWork(): void;
  read(path: string, options: ReadOptions, cancel?: CancelToken): Promise<unknown>;
  /** What `read` resolves to if it is small and in the kernel's caches; otherwise undefined, and whatever is wrong is for `read` to say. */
  readAtOnce(path: string, options: ReadOptions): unknown;
  inspect(path: string, cancel?: CancelToken): Promise<InspectResult>;
  verify(path: string, cancel?: CancelToken): Promise<VerifyResult>;
  /** Writes a temporary file beside the target, syncs it and gives it its name. */
  save(
    plan: SavePlan,
    target: SaveTarget,
    source?: SourceHandle,
    cancel?: CancelToken,
  ): Promise<SaveResult>;
  /** `content`: the top-level dict, tensors without data, what only training needs left out. */
  openSource(
    path: string,
    cancel?: CancelToken,
  ): Promise<{ content: unknown; source: SourceHandle }>;
  /** Lets go of the file, as collecting the handle would sooner or later; what is being saved goes on. Idempotent. */
  closeSource(source: SourceHandle): void;
  /** Removes the temporary files of `save` whose writers are dead; how many there were. */
  removeStaleTemps(folder: string): Promise<number>;
  /** The whole file and, when it has the usual layout, where its entries are (`lib/library/layout.ts`). */
  readIndex(path: string, cancel?: CancelToken): Promise<IndexContent>;
  /** Creates the file; null when somebody else holds the lock. The kernel unlocks when the process ends. */
  tryLock(path: string): Promise<LockHandle | null>;
  /** Idempotent. */
  unlock(lock: LockHandle): void;
  /** The numbers of the texts, laid one after the other from `starts`, that have `sought` in them; ascending. */
  findText(texts: Uint8Array, starts: Uint32Array, sought: Uint8Array): Uint32Array;
  /**
   * "keep" renames only to a name that is free, "exchange" swaps two names in one step. `expected`: the identity (see
   * lib/library/index/folder.ts) that `to` must have for that; "taken" when it has another, and then nothing has changed. `descriptor`: of `from`,
   * which nobody else has open; see native/library/rename.h.
   */
  rename(
    from: string,
    to: string,
    mode: "exchange" | "keep",
    expected?: string | null,
    descriptor?: number,
  ): Promise<RenameOutcome>;
  /** Opens shared libraries by path and keeps them, so that the engine finds them by name. */
  preload(paths: string[]): void;
}

declare const fileBrand: unique symbol;
declare const modelBrand: unique symbol;
declare const spectrogramBrand: unique symbol;
declare const streamBrand: unique symbol;
/** An opened .sda with its weights in memory (or mapped). */
export interface FileHandle {
  readonly [fileBrand]: true;
}
export interface ModelHandle {
  readonly [modelBrand]: true;
}
export interface SpectrogramHandle {
  readonly [spectrogramBrand]: true;
}

/** Sound that is being made; losing it stops the work. */
export interface StreamHandle {
  readonly [streamBrand]: true;
}

export interface NativeSpectrogramConfig {
  sampleRate: number;
  nFft: number;
  hopLength: number;
  nMels: number;
  fMin: number;
  fMax: number | null;
  power: number;
}

/** Row-major float32 with its shape: how mels, waveforms and latents cross the boundary. */
export interface FloatTensor {
  shape: number[];
  data: Float32Array;
}

export interface NativeGenerateOptions {
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

/** Both ends are allowed. */
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
  sampleRates: number[];
  concatModes: string[];
  joints: string[];
  spatialModes: string[];
  loudnesses: string[];
}

export interface NativeQuality {
  snrDb: number;
  clippedSamples: number;
  totalSamples: number;
  peakValue: number;
  maxConsecutiveClipped: number;
}

export interface NativeGeneration {
  audio: Floats[];
  sampleRate: number;
  quality: NativeQuality;
}

export interface EngineAddon {
  /** Of the package that it was built for. */
  readonly version: string;
  /** The LibTorch version of the headers that it was compiled with, as "2.13.0". */
  readonly builtWith: string;
  /** Once per environment, before anything is read. */
  registerClasses(factories: ValueFactories & { readCompact: typeof readCompact }): void;
  createCancelToken(): CancelToken;
  /** Cancels what runs in this process, waits for it and starts nothing more. */
  stopWork(): void;
  /** LibTorch's version, as "2.13.0", and the accelerators it can reach. */
  info(): { libtorch: string; cuda: boolean; cudaDevices: number; threads: number };

  /** Reads and checks the file; `content` is the top-level dict without "model_state_dict". */
  open(
    path: string,
    options: { verify: boolean },
    cancel?: CancelToken,
  ): Promise<{ file: FileHandle; content: unknown }>;
  /** As `readAtOnce`, without checking the weights. */
  openAtOnce(path: string): { file: FileHandle; content: unknown } | undefined;
  /** Builds the network from the opened file's state dict; takes the file from its handle, which is void afterwards. */
  createModel(
    file: FileHandle,
    options: { latentDim: number; config: NativeSpectrogramConfig; device: string },
    cancel?: CancelToken,
  ): Promise<{
    model: ModelHandle;
    spectrogram: SpectrogramHandle;
    device: string;
    hasEncoder: boolean;
    byteLength: number;
  }>;
  /** The state dict as Tensors on the file's own memory (name → Tensor, in file order). */
  stateDict(model: ModelHandle): Map<string, Tensor>;
  /** As the other addon's; the plan may carry over what the model's file holds. */
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
  waveformToMel(
    spectrogram: SpectrogramHandle,
    waveform: FloatTensor,
    cancel?: CancelToken,
  ): Promise<FloatTensor>;
  /** `seed` undefined draws one from the system. */
  melToWaveform(
    spectrogram: SpectrogramHandle,
    mel: FloatTensor,
    seed: number | undefined,
    cancel?: CancelToken,
  ): Promise<FloatTensor>;
  /** Rates from 1 on; ⌈samples · to / from⌉ samples, in `data`. */
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
  /** What the engine checks options against. test/audio/limits.test.ts compares it with `LIMITS`. */
  generationLimits(): NativeGenerationLimits;
  /** Of what the options give. */
  audioFormat(
    model: ModelHandle,
    options: NativeGenerateOptions,
  ): { sampleRate: number; channels: number; frames: number };
  /** Starts the work, which waits while a few pieces haven't been taken. `loudness` may not be "peak". */
  startStream(
    model: ModelHandle,
    spectrogram: SpectrogramHandle,
    options: NativeGenerateOptions,
    onProgress: ((done: number, total: number) => void) | undefined,
    cancel?: CancelToken,
  ): StreamHandle;
  /** The next samples, interleaved; null after the last. Not before the one before it has come. */
  nextPiece(stream: StreamHandle): Promise<Floats | null>;
  /** The same as a WAV file of so many bits a sample has them. */
  nextPiece(stream: StreamHandle, bits: 16 | 24 | 32): Promise<Bytes | null>;
  /** Stops the work, if it still runs. */
  closeStream(stream: StreamHandle): void;
  /** The engine's threads and how many requests they take, for the whole process; returns what is in force. */
  configureEngine(options: { threads?: number; maxRequests?: number }): {
    threads: number;
    maxRequests: number;
  };
  /** Refuses new work at once; memory goes when the work that runs has ended, and the promise resolves then. Idempotent. */
  dispose(model: ModelHandle, spectrogram: SpectrogramHandle): Promise<void>;
}
