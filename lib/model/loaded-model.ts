import type { AudioFormat, GenerationResult } from "../audio/generation.js";
import { type GenerateOptions, resolveGenerateOptions, VOCODER_HANDLE } from "../audio/options.js";
import { qualityReport } from "../audio/quality.js";
import { PieceStream, type SoundStream } from "../audio/sound-stream.js";
import { badArgument } from "../base/check.js";
import { SdaError } from "../base/errors.js";
import type { Generation, GenerationName } from "../format/generations.js";
import type { ModelMetadata } from "../format/metadata.js";
import { MODEL_SOURCE, type ModelSource } from "../format/model-source.js";
import type { VocoderInfo } from "../format/vocoder.js";
import type { AnalysisResult } from "../latent/analysis.js";
import { type SliderInfo, sliderInfos, slidersToLatent } from "../latent/sliders.js";
import { callNativeSync, stoppingProgress } from "../native/call.js";
import type { ModelHandle, NativeGenerateOptions } from "../native/types.js";
import type { Floats } from "../values/arrays.js";
import type { AudioSpectrogram } from "./audio-spectrogram.js";
import type { ConvVae } from "./conv-vae.js";
import type { NativeModel } from "./native-model.js";
import { NativeSource } from "./native-source.js";
import { optionsModel } from "./options-model.js";
import { rememberSound } from "./sound-recipe.js";
import type { VqVae } from "./vq-vae.js";

export interface LoadedModelParts {
  generation: Generation;
  vae: ConvVae;
  vq: VqVae | null;
  vocoder: VocoderInfo | null;
  spectrogram: AudioSpectrogram;
  analysis: AnalysisResult | null;
  metadata: ModelMetadata;
  trainingConfig: Record<string, unknown>;
  device: string;
  byteLength: number;
}

/**
 * A model in memory, ready to make sound. `loadModel` creates it. Its memory lies outside
 * JavaScript's heap: dispose of the model when done, with `dispose()`, `using` or `await using`.
 * Requests may run at the same time; each has its own random numbers.
 *
 * @example
 * ```js
 * const model = await loadModel("data/models/pads.sda");
 * for (const { index, label } of model.sliders()) console.log(index, label);
 * const sliders = model.sliders().map(() => 0);
 * sliders[0] = 3;
 * await writeWav("pads.wav", await model.generate({ durationS: 2, seed: 42, sliders }));
 * model.dispose();
 * ```
 */
export class LoadedModel implements Disposable, AsyncDisposable {
  /** Which version of the program wrote the file */
  readonly generation: GenerationName;
  /** The network. Of a "distill-vq" model only `stateDict` works; see `vq` */
  readonly vae: ConvVae;
  /** The network of a "distill-vq" model; null for others */
  readonly vq: VqVae | null;
  /** The vocoder in the file; null: it has none */
  readonly vocoder: VocoderInfo | null;
  /** Converts sound to mel spectrograms and back */
  readonly spectrogram: AudioSpectrogram;
  /** null when the file has no analysis; the model has no sliders then */
  readonly analysis: AnalysisResult | null;
  readonly metadata: ModelMetadata;
  /** Keys as in the file; an Enum member appears as its value */
  readonly trainingConfig: Record<string, unknown>;
  /** Where the weights are: "cpu", "cuda:0", … */
  readonly device: string;
  /** Size of the weights in bytes, on the device where they are */
  readonly byteLength: number;
  readonly #native: NativeModel;
  readonly #generation: Generation;

  /** @internal */
  static create(native: NativeModel, parts: LoadedModelParts): LoadedModel {
    return new LoadedModel(native, parts);
  }

  private constructor(native: NativeModel, parts: LoadedModelParts) {
    this.#native = native;
    this.#generation = parts.generation;
    this.generation = parts.generation.name;
    this.vae = parts.vae;
    this.vq = parts.vq;
    this.vocoder = parts.vocoder;
    this.spectrogram = parts.spectrogram;
    this.analysis = parts.analysis;
    this.metadata = parts.metadata;
    this.trainingConfig = parts.trainingConfig;
    this.device = parts.device;
    this.byteLength = parts.byteLength;
  }

  /** The network; an older name of `vae`. */
  get model(): ConvVae {
    return this.vae;
  }

  /**
   * Describes the sliders, in order: label, range and share of the variance. [] without analysis.
   *
   * @throws SdaError ERR_SDA_DISPOSED
   */
  sliders(): SliderInfo[] {
    this.#native.check();
    return this.analysis === null ? [] : sliderInfos(this.analysis);
  }

  /**
   * Converts slider positions to a latent.
   *
   * @param positions one whole number per slider, from its minStep to its maxStep
   * @returns [latentDim]
   * @throws SdaError ERR_SDA_ARGUMENT, also for a model without analysis; ERR_SDA_DISPOSED
   */
  slidersToLatent(positions: number[]): Floats {
    this.#native.check();
    if (this.analysis === null) {
      throw new SdaError("ERR_SDA_ARGUMENT", "this model has no analysis, so it has no sliders", {
        option: "sliders",
      });
    }
    return slidersToLatent(this.analysis, positions);
  }

  /**
   * Makes sound: from random latents, or from `sliders` or a `latent`. The same seed and options
   * give the same samples, bit by bit, for any number of threads and any other work of the engine.
   *
   * The steps:
   *
   * - decode chunks of one second, convert them to sound (see `AudioSpectrogram.melToWaveform`) and
   *   join them
   * - an 8th-order Butterworth low-pass at 20 kHz, forward and backward, as
   *   `scipy.signal.sosfiltfilt` does: zero phase, odd extension. Left out where 20 kHz is at or
   *   above half of the model's sample rate
   * - `spatial`, then `loudness`
   * - for another rate than the model's, a windowed-sinc resampler, as
   *   `torchaudio.functional.resample`: Hann window, six zero crossings per side, cutoff at 0.99 of
   *   half the lower rate
   *
   * Each request has its own random number generator, torch's CPU generator mt19937.
   *
   * @throws SdaError ERR_SDA_ARGUMENT before any work, with `details.option`; ERR_SDA_LIMIT when
   *   the engine has too many requests; ERR_SDA_SCHEMA when damaged weights make the network give
   *   NaN or infinity; ERR_SDA_DISPOSED. An aborted call rejects with the signal's reason.
   */
  async generate(options: GenerateOptions = {}): Promise<GenerationResult> {
    const native = this.#resolve(options);
    const stopping = stoppingProgress(options.signal, options.onProgress);
    const { signal, onProgress } = stopping;
    const { audio, sampleRate, quality } = await this.#native
      .run(signal, (addon, cancel) =>
        addon.generate(this.#native.model, this.#native.spectrogram, native, onProgress, cancel),
      )
      .finally(stopping.release);
    if (onProgress) signal?.throwIfAborted(); // the last onProgress may have thrown
    const result = {
      audio,
      sampleRate,
      channels: audio.length,
      durationS: (audio[0]?.length ?? 0) / sampleRate,
      seed: native.seed,
      quality: qualityReport(quality),
    };
    return this.#remember(result, options, native);
  }

  /**
   * Makes the same sound as `generate` and yields it in pieces of about a second, while the rest is
   * still being made. Pieces are interleaved samples of all channels; `format` tells the channels,
   * the rate and the length. Loudness is "running" by default, because the peak is unknown until
   * the end: `generate({ ...options, loudness: "running" })` gives the same samples
   * (on a GPU, to rounding).
   *
   * The work begins when the first piece is requested, pauses while a few finished pieces wait to
   * be read, and stops when the reader leaves, when the signal aborts, or when the stream is
   * garbage-collected. In a server, use `ModelCache.stream`, which keeps the model loaded until
   * then.
   *
   * @throws SdaError ERR_SDA_ARGUMENT at once, with `details.option`, also for loudness "peak";
   *   ERR_SDA_DISPOSED; ERR_SDA_LIMIT with the first piece. An aborted stream rejects with the
   *   signal's reason.
   */
  stream(options: GenerateOptions = {}): SoundStream {
    return this.#open(options).stream;
  }

  /** @internal Starts a stream. Calls `ended` once, when the stream is over or can't start. */
  begin(options: GenerateOptions, ended: () => void): SoundStream {
    const { source, stream } = this.#open(options, ended);
    try {
      source.start();
    } catch (error) {
      source.close();
      throw error;
    }
    return stream;
  }

  #open(options: GenerateOptions, ended?: () => void) {
    const native = this.#resolve(options, "running");
    if (native.loudness === "peak") throw badArgument("loudness", '"running" or "none"', "peak");
    const format = this.#format(native);
    const { signal, onProgress } = options;
    const source = new NativeSource(this.#native, { options: native, signal, onProgress, ended });
    const stream = new PieceStream(source, { format, seed: native.seed });
    return { source, stream: this.#remember(stream, options, native) };
  }

  #remember<T extends object>(sound: T, given: GenerateOptions, used: NativeGenerateOptions): T {
    const { metadata, device } = this;
    const source = { metadata, device, generation: this.#generation };
    return rememberSound(sound, this, source, given, used);
  }

  /**
   * The format of the sound that `generate` and `stream` make with these options: sample rate,
   * channels, and samples per channel.
   *
   * @throws SdaError ERR_SDA_ARGUMENT with `details.option`; ERR_SDA_DISPOSED
   */
  audioFormat(options: GenerateOptions = {}): AudioFormat {
    return this.#format(this.#resolve(options));
  }

  #format(options: NativeGenerateOptions): AudioFormat {
    return callNativeSync(() => this.#native.addon.audioFormat(this.#native.model, options));
  }

  #resolve(options: GenerateOptions, loudness?: "running"): NativeGenerateOptions {
    this.#native.check();
    return resolveGenerateOptions(
      options,
      optionsModel(this.#generation, {
        latentDim: this.vae.latentDim,
        analysis: this.analysis,
      }),
      loudness,
    );
  }

  /** @internal The handle for `GenerateOptions.vocoder`; undefined where the file has none. */
  get [VOCODER_HANDLE](): ModelHandle | undefined {
    return this.vocoder === null ? undefined : this.#native.model;
  }

  /**
   * @internal The parts that `saveModel` needs. The addon copies the content of the model's file.
   */
  get [MODEL_SOURCE](): ModelSource {
    return {
      generation: this.#generation,
      latentDim: this.vae.latentDim,
      spectrogramConfig: this.spectrogram.config,
      analysis: this.analysis,
      metadata: this.metadata,
      vocoder: this.vocoder,
      stateDict: () => this.vae.stateDict(),
      write: (plan, target, signal) =>
        this.#native.run(signal, (addon, cancel) =>
          addon.save(plan, target, this.#native.model, cancel),
        ),
    };
  }

  /**
   * @internal Hands the model to a `ModelCache`: from now on `dispose` does nothing. The returned
   * function disposes.
   */
  share(): () => Promise<void> {
    this.#native.lent = true;
    return () => this.#native.dispose();
  }

  /**
   * Refuses new work at once and frees the memory when running work has ended. Idempotent. On a
   * model that a `ModelCache` has lent, this does nothing: the cache disposes of its models.
   */
  dispose(): void {
    void this.disposeAsync();
  }

  /** As `dispose`, and resolves when the memory is free. */
  disposeAsync(): Promise<void> {
    return this.#native.lent ? Promise.resolve() : this.#native.dispose();
  }

  /** As `dispose`. */
  [Symbol.dispose](): void {
    this.dispose();
  }

  /** As `disposeAsync`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.disposeAsync();
  }
}
