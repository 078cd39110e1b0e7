/**
 * The reader and the engine as WebAssembly, for JavaScript that has no addons. Models come as bytes
 * and nothing touches a file.
 *
 * ```js
 * const engine = await createEngine({ create: require("./sda_wasm.js"), wasm: bytesOfTheModule });
 * const model = engine.open(bytesOfAModelFile);
 * const { audio, sampleRate } = await model.generate({ durationS: 2, seed: 42 });
 * model.close();
 * engine.close();
 * ```
 */
import type { AudioFormat, GenerationResult } from "../../lib/audio/generation.js";
import { LIMITS } from "../../lib/audio/limits.js";
import {
  type GenerateOptions,
  type OptionsModel,
  resolveGenerateOptions,
} from "../../lib/audio/options.js";
import { qualityReport } from "../../lib/audio/quality.js";
import { badArgument, checkInteger } from "../../lib/base/check.js";
import { SdaError, type SdaErrorCode } from "../../lib/base/errors.js";
import type { ModelMetadata } from "../../lib/format/metadata.js";
import { type ModelContent, parseModel } from "../../lib/format/schema.js";
import { type SliderInfo, sliderInfos, slidersToLatent } from "../../lib/latent/sliders.js";
import { optionsModel } from "../../lib/model/options-model.js";
import type {
  FloatTensor,
  NativeGenerateOptions,
  NativeQuality,
  Network,
} from "../../lib/native/types.js";
import { type DType, Tensor } from "../../lib/values/values.js";

declare global {
  namespace WebAssembly {
    /** The part of the type that this file needs; @types/node lacks it. */
    class Memory {
      constructor(form: { initial: number; maximum: number; shared: boolean });
      readonly buffer: ArrayBuffer;
    }
  }
}

/** The module that emscripten made: the functions of native/wasm/engine.cc, and its memory. */
interface Module {
  HEAPU8: Uint8Array;
  PThread?: { terminateAllThreads(): void };
  _malloc(bytes: number): number;
  _free(at: number): void;
  [name: `_sda_${string}`]: (...numbers: number[]) => number;
}

/** What `createEngine` needs. */
export interface EngineFiles {
  /** The export of `sda_wasm.js` */
  create: (settings: object) => Promise<unknown>;
  /** The content of `sda_wasm.wasm` */
  wasm: Uint8Array;
  /**
   * The number of threads, at most the size of the pool; default: that size. The variant without
   * threads always works on the calling thread.
   */
  threads?: number;
}

/** Options of `WasmModel.generate` and `WasmModel.stream`, which cannot be aborted by a signal. */
export type WasmGenerateOptions = Omit<GenerateOptions, "signal" | "onProgress">;

/** The networks that this face opens. */
const NETWORKS: readonly Network[] = ["sigmoid", "softplus"];

function notYet(path: string): SdaError {
  const problem = `${path}: WebAssembly plays no models with codes, phases or a vocoder yet`;
  return new SdaError("ERR_SDA_VERSION", problem, { path, field: "format" });
}

/** The size of a page of WebAssembly memory */
const PAGE = 64 * 1024;
/** Emscripten's defaults, which the memory of the variant with threads must have */
const INITIAL_PAGES = (16 << 20) / PAGE;
const MAXIMUM_PAGES = 2 ** 31 / PAGE;

/** Starts an engine of its own memory. */
export async function createEngine(files: EngineFiles): Promise<WasmEngine> {
  const { create, wasm, threads = Number.POSITIVE_INFINITY } = files;
  // The variant without threads ignores this memory and makes its own. JavaScript must know a
  // shared memory itself, because other threads let it grow.
  const memory = new WebAssembly.Memory({
    initial: INITIAL_PAGES,
    maximum: MAXIMUM_PAGES,
    shared: true,
  });
  const module = (await create({ wasmBinary: wasm, wasmMemory: memory })) as Module;
  const native = new Native(module, module.PThread ? memory : null);
  const set = native.call<{ threads: number }>("configure", threads);
  return new WasmEngine(native, set.threads);
}

/** An engine. It shares no memory with another one. */
export class WasmEngine {
  readonly #native: Native;
  /** The threads that make sound */
  readonly threads: number;

  /** @internal */
  constructor(native: Native, threads: number) {
    this.#native = native;
    this.threads = threads;
  }

  /**
   * Opens a model file and checks every byte of it.
   *
   * @param bytes the content of an `.sda` file; copied
   * @param name stands for the path in errors
   * @throws SdaError as `loadModel`
   */
  open(bytes: Uint8Array, name = "the model"): WasmModel {
    const native = this.#native;
    const { model, content } = native.with([`${name}\0`, bytes], (text, at) =>
      native.call<{ model: number; content: unknown }>("open", text, at, bytes.length),
    );
    try {
      const parsed = parseModel(native.value(content), name);
      const { sampleRate, nFft, hopLength, nMels, fMin, fMax, power } = parsed.spectrogramConfig;
      const spectrogram = [sampleRate, nFft, hopLength, nMels, fMin, fMax ?? Number.NaN, power];
      const { generation, latentDim } = parsed;
      const { program } = generation;
      const network = NETWORKS.indexOf(generation.network);
      if (network < 0 || parsed.vocoder !== null) throw notYet(name);
      const kind = [
        network,
        program.synthesis === "chunks" ? 0 : 1,
        program.griffinLimIterations,
        program.resampling === "hann" ? 0 : 1,
      ];
      native.with([Float64Array.of(latentDim, ...spectrogram, ...kind)], (numbers) =>
        native.call("create_model", model, numbers),
      );
      return new WasmModel(native, model, parsed);
    } catch (error) {
      native.invoke("close", model);
      throw error;
    }
  }

  /** See `resample` in lib/audio/resample.ts. */
  async resample(waveform: Float32Array, fromRate: number, toRate: number): Promise<Float32Array> {
    const rates = [checkInteger("fromRate", fromRate, 1, MAX_RATE)];
    rates.push(checkInteger("toRate", toRate, 1, MAX_RATE));
    const tensor = { shape: [waveform.length], data: waveform };
    const [made] = await this.#native.compute("resample", null, tensor, ...rates);
    return (made as FloatTensor).data;
  }

  /** Ends the engine's threads, which keep a process alive. Nothing works afterwards. */
  close(): void {
    this.#native.module.PThread?.terminateAllThreads();
  }
}

/** Hz; see lib/audio/resample.ts. */
const MAX_RATE = 768_000;

/** An open model. It has memory of the engine until `close`. */
export class WasmModel {
  readonly #native: Native;
  readonly #content: ModelContent;
  #handle: number;

  /** @internal */
  constructor(native: Native, handle: number, content: ModelContent) {
    this.#native = native;
    this.#handle = handle;
    this.#content = content;
  }

  get latentDim(): number {
    return this.#content.latentDim;
  }

  get metadata(): ModelMetadata {
    return this.#content.metadata;
  }

  /** See `LoadedModel.sliders`. */
  sliders(): SliderInfo[] {
    const { analysis } = this.#content;
    return analysis === null ? [] : sliderInfos(analysis);
  }

  /** See `LoadedModel.slidersToLatent`. */
  slidersToLatent(positions: number[]): Float32Array {
    const { analysis } = this.#content;
    if (analysis === null) throw badArgument("sliders", "a model with an analysis", positions);
    return slidersToLatent(analysis, positions);
  }

  /** [B, latentDim] → mel, [B, 1, nMels, time]. */
  async decode(z: FloatTensor): Promise<FloatTensor> {
    const [mel] = await this.#native.compute("decode", this.#open, z);
    return mel as FloatTensor;
  }

  /** [B, 1, nMels, time] → the mean and the logarithm of the variance, [B, latentDim] each. */
  async encode(mel: FloatTensor): Promise<{ mu: FloatTensor; logvar: FloatTensor }> {
    const [mu, logvar] = await this.#native.compute("encode", this.#open, mel);
    return { mu: mu as FloatTensor, logvar: logvar as FloatTensor };
  }

  /** [B, 1, nMels, frames] → [B, 1, samples] by Griffin-Lim; `seed` as in `torch.manual_seed`. */
  async melToWaveform(mel: FloatTensor, seed = 0): Promise<FloatTensor> {
    const [waveform] = await this.#native.compute("mel_to_waveform", this.#open, mel, seed);
    return waveform as FloatTensor;
  }

  /** See `LoadedModel.generate`. */
  async generate(options: WasmGenerateOptions = {}): Promise<GenerationResult> {
    const resolved = resolveGenerateOptions(options, this.#facts);
    for await (const { tensors, sampleRate, quality } of this.#start(resolved, false)) {
      const audio = tensors.map(({ data }) => data) as GenerationResult["audio"];
      const durationS = (audio[0]?.length ?? 0) / sampleRate;
      const { seed } = resolved;
      return {
        audio,
        channels: audio.length,
        sampleRate,
        durationS,
        seed,
        quality: qualityReport(quality),
      };
    }
    throw new SdaError("ERR_SDA_NATIVE", "the engine gave no sound");
  }

  /**
   * As `generate`, in pieces of about a second, as soon as each is made; see `LoadedModel.stream`.
   * Leaving the loop stops the work.
   */
  async *stream(options: WasmGenerateOptions = {}): AsyncGenerator<Float32Array, void, undefined> {
    const resolved = resolveGenerateOptions(options, this.#facts, "running");
    if (resolved.loudness === "peak") throw badArgument("loudness", '"running" or "none"', "peak");
    for await (const { piece } of this.#start(resolved, true)) {
      if (piece) yield (piece[0] as FloatTensor).data;
    }
  }

  /** The form of the sound that `generate` and `stream` make with these options. */
  audioFormat(options: WasmGenerateOptions = {}): AudioFormat {
    const resolved = resolveGenerateOptions(options, this.#facts);
    return this.#withOptions(resolved, (...addresses) =>
      this.#native.call<AudioFormat>("audio_format", this.#open, ...addresses),
    );
  }

  /** Frees the model's memory when running work has ended. Idempotent. */
  close(): void {
    if (this.#handle !== 0) this.#native.invoke("close", this.#handle);
    this.#handle = 0;
  }

  get #facts(): OptionsModel {
    return optionsModel(this.#content.generation, this.#content);
  }

  get #open(): number {
    if (this.#handle === 0) throw new SdaError("ERR_SDA_DISPOSED", "this model has been closed");
    return this.#handle;
  }

  #start(options: NativeGenerateOptions, stream: boolean): AsyncGenerator<Answer> {
    return this.#native.job(() =>
      this.#withOptions(options, (...addresses) =>
        this.#native.call<{ job: number }>("generate", this.#open, ...addresses, stream ? 1 : 0),
      ),
    );
  }

  #withOptions<T>(options: NativeGenerateOptions, use: (...addresses: number[]) => T): T {
    const latent = options.latent ?? new Float32Array(0);
    return this.#native.with([optionNumbers(options), latent], (numbers, at) =>
      use(numbers, at, latent.length),
    );
  }
}

/** The options in the order that native/wasm/engine.cc reads. */
function optionNumbers(options: NativeGenerateOptions): Float64Array {
  const { durationS, seed, stepsBetween, overlapSamples, width, depth, sampleRate } = options;
  return Float64Array.of(
    durationS,
    seed,
    LIMITS.concatModes.indexOf(options.concatMode),
    stepsBetween,
    overlapSamples,
    LIMITS.joints.indexOf(options.joint),
    LIMITS.loudnesses.indexOf(options.loudness),
    LIMITS.spatialModes.indexOf(options.spatialMode),
    width,
    depth,
    sampleRate,
    options.evolution,
  );
}

/** What a job gives: a piece of a stream, or its end. */
interface Answer {
  piece?: FloatTensor[];
  tensors: FloatTensor[];
  sampleRate: number;
  quality: NativeQuality;
}

/** A tensor in the engine's memory */
interface At {
  shape: number[];
  at: number;
  dtype?: string;
}

/** Calls native/wasm/engine.cc. */
class Native {
  readonly module: Module;
  readonly #memory: WebAssembly.Memory | null;

  /** @param memory the module's memory if other threads may let it grow */
  constructor(module: Module, memory: WebAssembly.Memory | null) {
    this.module = module;
    this.#memory = memory;
  }

  /** The whole memory. Calls may let it grow, so this view is used at once. */
  get #heap(): Uint8Array {
    return this.#memory === null ? this.module.HEAPU8 : new Uint8Array(this.#memory.buffer);
  }

  /** Copies the arrays and texts into the engine's memory for as long as `use` runs. */
  with<T>(values: (ArrayBufferView | string)[], use: (...addresses: number[]) => T): T {
    const addresses: number[] = [];
    try {
      for (const value of values) {
        const bytes =
          typeof value === "string"
            ? new TextEncoder().encode(value)
            : new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
        const at = this.module._malloc(Math.max(1, bytes.length));
        if (at === 0) throw new SdaError("ERR_SDA_LIMIT", "not enough memory");
        addresses.push(at);
        this.#heap.set(bytes, at);
      }
      return use(...addresses);
    } finally {
      for (const at of addresses) this.module._free(at);
    }
  }

  /** Calls a function of engine.cc. */
  invoke(name: string, ...numbers: number[]): number {
    return (this.module[`_sda_${name}`] as (...numbers: number[]) => number)(...numbers);
  }

  /** Calls a function that answers with JSON. */
  call<T>(name: string, ...numbers: number[]): T {
    const at = this.invoke(name, ...numbers);
    const heap = this.#heap;
    // A copy, because TextDecoder does not take shared memory.
    const text = new TextDecoder().decode(heap.slice(at, heap.indexOf(0, at)));
    const answer = JSON.parse(text) as { error?: Failure } | null;
    if (answer?.error)
      throw new SdaError(answer.error.code, answer.error.message, answer.error.details);
    return answer as T;
  }

  /** Runs a job that computes tensors from one tensor. */
  async compute(
    name: string,
    model: number | null,
    { shape, data }: FloatTensor,
    ...more: number[]
  ): Promise<FloatTensor[]> {
    if (shape.reduce((count, size) => count * size, 1) !== data.length) {
      throw badArgument("shape", `the shape of ${data.length} elements`, shape);
    }
    const answers = this.job(() =>
      this.with([data, Float64Array.from(shape)], (at, sizes) =>
        model === null
          ? this.call(name, at, sizes, ...more)
          : this.call(name, model, at, sizes, shape.length, ...more),
      ),
    );
    for await (const { tensors } of answers) return tensors;
    throw new SdaError("ERR_SDA_NATIVE", `${name} gave no result`);
  }

  /** Yields what a job gives. Between two turns of work, the event loop runs. */
  async *job(start: () => { job: number }): AsyncGenerator<Answer, void, undefined> {
    const { job } = start();
    try {
      for (;;) {
        const answer = this.call<Record<string, unknown> | null>("poll", job);
        if (answer !== null) {
          for (const name of ["piece", "tensors"]) {
            const tensors = answer[name] as At[] | undefined;
            if (tensors) answer[name] = tensors.map((tensor) => this.#floats(tensor));
          }
          yield answer as unknown as Answer;
          if (answer["tensors"]) return;
        } else {
          const worked = this.invoke("take_turn") !== 0;
          await new Promise((resolve) => setTimeout(resolve, worked ? 0 : 1));
        }
      }
    } finally {
      this.invoke("end", job);
    }
  }

  #floats({ shape, at }: At): FloatTensor {
    const count = shape.reduce((product, size) => product * size, 1);
    return { shape, data: new Float32Array(this.#heap.slice(at, at + 4 * count).buffer) };
  }

  /** A file's value as lib/format takes it: see `Json::value` in native/wasm/json.h. */
  value(json: unknown): unknown {
    if (Array.isArray(json)) return json.map((item) => this.value(item));
    if (typeof json !== "object" || json === null) return json;
    const { map, float, dtype, ...rest } = json as Record<string, unknown>;
    if (map !== undefined) {
      const entries = map as [unknown, unknown][];
      return new Map(entries.map(([key, item]) => [this.value(key), this.value(item)]));
    }
    if (float !== undefined) return Number(float);
    if (dtype !== "float32" && dtype !== "float64") return undefined;
    return this.#tensor(dtype, rest as unknown as At);
  }

  #tensor(dtype: DType & `float${32 | 64}`, { shape, at }: At): Tensor {
    const size = dtype === "float64" ? 8 : 4;
    const count = shape.reduce((product, length) => product * length, 1);
    const { buffer } = this.#heap.slice(at, at + size * count);
    return new Tensor(
      dtype,
      shape,
      size === 8 ? new Float64Array(buffer) : new Float32Array(buffer),
    );
  }
}

interface Failure {
  code: SdaErrorCode;
  message: string;
  details: Record<string, unknown>;
}
