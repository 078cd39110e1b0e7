import type { AudioFormat, GenerationResult } from "../audio/generation.js";
import { type GenerateOptions, resolveGenerateOptions } from "../audio/options.js";
import { qualityReport } from "../audio/quality.js";
import { PieceStream, type SoundStream } from "../audio/sound-stream.js";
import { badArgument } from "../base/check.js";
import { SdaError } from "../base/errors.js";
import type { ModelMetadata } from "../format/metadata.js";
import { MODEL_SOURCE, type ModelSource } from "../format/model-source.js";
import type { AnalysisResult } from "../latent/analysis.js";
import { type SliderInfo, sliderInfos, slidersToLatent } from "../latent/sliders.js";
import { callNativeSync, stoppingProgress } from "../native/call.js";
import type { NativeGenerateOptions } from "../native/types.js";
import type { Floats } from "../values/arrays.js";
import type { AudioSpectrogram } from "./audio-spectrogram.js";
import type { ConvVae } from "./conv-vae.js";
import type { NativeModel } from "./native-model.js";
import { NativeSource } from "./native-source.js";

export interface LoadedModelParts {
  vae: ConvVae;
  spectrogram: AudioSpectrogram;
  analysis: AnalysisResult | null;
  metadata: ModelMetadata;
  trainingConfig: Record<string, unknown>;
  device: string;
  byteLength: number;
}

/**
 * A model ready to make sound. Made by `loadModel`. Its memory lies outside of JavaScript's heap:
 * dispose of it when done, by `dispose()`, `using` or `await using`. Requests may run at the same
 * time; each has its own random numbers.
 */
export class LoadedModel implements Disposable, AsyncDisposable {
  /** The network */
  readonly vae: ConvVae;
  readonly spectrogram: AudioSpectrogram;
  /** null when the model was saved without one; then there are no sliders */
  readonly analysis: AnalysisResult | null;
  readonly metadata: ModelMetadata;
  /** Keys as in the file; Enum members appear as their value */
  readonly trainingConfig: Record<string, unknown>;
  /** Where the weights are: "cpu", "cuda:0", … */
  readonly device: string;
  /** What its weights take, in bytes, on the device where they are */
  readonly byteLength: number;
  readonly #native: NativeModel;

  /** @internal */
  static create(native: NativeModel, parts: LoadedModelParts): LoadedModel {
    return new LoadedModel(native, parts);
  }

  private constructor(native: NativeModel, parts: LoadedModelParts) {
    this.#native = native;
    this.vae = parts.vae;
    this.spectrogram = parts.spectrogram;
    this.analysis = parts.analysis;
    this.metadata = parts.metadata;
    this.trainingConfig = parts.trainingConfig;
    this.device = parts.device;
    this.byteLength = parts.byteLength;
  }

  /** The network; `vae` by its older name. */
  get model(): ConvVae {
    return this.vae;
  }

  /**
   * What each slider can do, in order; [] without analysis.
   *
   * @throws SdaError ERR_SDA_DISPOSED
   */
  sliders(): SliderInfo[] {
    this.#native.check();
    return this.analysis === null ? [] : sliderInfos(this.analysis);
  }

  /**
   * The latent that slider positions stand for.
   *
   * @param positions one whole number a slider, within its minStep … maxStep
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
   * give the same sound, bit by bit, whatever else the engine does and on however many threads.
   *
   * Chunks of a second are decoded, made sound (see `AudioSpectrogram.melToWaveform`) and joined;
   * then come an 8th-order Butterworth low-pass at 20 kHz, forward and backward (as
   * `scipy.signal.sosfiltfilt`: zero phase, odd extension; left out where 20 kHz is at or above
   * half the model's rate), `spatial`, `loudness`, and for another rate than the model's a
   * windowed-sinc resampler (as `torchaudio.functional.resample`: Hann window, six zero crossings a
   * side, cutoff at 0.99 of the lower rate's half). Random numbers are those of torch's CPU
   * generator, mt19937, one for each request.
   *
   * @throws SdaError ERR_SDA_ARGUMENT before any work, with `details.option`; ERR_SDA_LIMIT when
   *   the engine has too many requests; ERR_SDA_SCHEMA when the weights are damaged, so that the
   *   network gives no numbers; ERR_SDA_DISPOSED. An aborted call rejects with the signal's reason.
   */
  async generate(options: GenerateOptions = {}): Promise<GenerationResult> {
    const native = this.#resolve(options);
    const { signal, onProgress } = stoppingProgress(options.signal, options.onProgress);
    const { audio, sampleRate, quality } = await this.#native.run(signal, (addon, cancel) =>
      addon.generate(this.#native.model, this.#native.spectrogram, native, onProgress, cancel),
    );
    if (onProgress) signal?.throwIfAborted(); // the last call may have thrown, when all was done
    return {
      audio,
      sampleRate,
      channels: audio.length,
      durationS: (audio[0]?.length ?? 0) / sampleRate,
      seed: native.seed,
      quality: qualityReport(quality),
    };
  }

  /**
   * Makes the same sound as `generate` and gives it piece by piece, about a second each, while the
   * rest is still being made. Pieces are interleaved samples of all channels; `format` tells the
   * channels, the rate and the length. Loudness is "running" by default, because the peak is
   * unknown until the end: `generate({ ...options, loudness: "running" })` gives the same samples.
   *
   * The work begins when the first piece is asked for, pauses while a few finished pieces wait to
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

  /** @internal A stream that has begun; `ended` is called once, when it is over or can't begin. */
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
    const stopping = stoppingProgress(options.signal, options.onProgress);
    const source = new NativeSource(this.#native, { options: native, ...stopping, ended });
    return { source, stream: new PieceStream(source, { format, seed: native.seed }) };
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
      { latentDim: this.vae.latentDim, analysis: this.analysis },
      loudness,
    );
  }

  /** @internal What `saveModel` takes from this model; the file's content is carried over natively. */
  get [MODEL_SOURCE](): ModelSource {
    return {
      latentDim: this.vae.latentDim,
      spectrogramConfig: this.spectrogram.config,
      analysis: this.analysis,
      metadata: this.metadata,
      stateDict: () => this.vae.stateDict(),
      write: (plan, target, signal) =>
        this.#native.run(signal, (addon, cancel) =>
          addon.save(plan, target, this.#native.model, cancel),
        ),
    };
  }

  /**
   * @internal For a `ModelCache`: from now on `dispose` does nothing; the returned function
   * disposes.
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
