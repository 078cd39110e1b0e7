import type { AudioFormat, GenerationResult } from "../audio/generation.js";
import { type GenerateOptions, resolveGenerateOptions } from "../audio/options.js";
import { PieceStream } from "../audio/piece-stream.js";
import { qualityReport } from "../audio/quality.js";
import { badArgument } from "../base/check.js";
import { SdaError } from "../base/errors.js";
import type { ModelMetadata } from "../format/metadata.js";
import { MODEL_SOURCE, type ModelSource } from "../format/model-source.js";
import type { AnalysisResult } from "../latent/analysis.js";
import { type SliderInfo, sliderInfos, slidersToLatent } from "../latent/sliders.js";
import { callNativeSync, callNativeUnder, stoppingProgress } from "../native/call.js";
import type { EngineAddon, NativeGenerateOptions, StreamHandle } from "../native/types.js";
import type { AudioSpectrogram } from "./audio-spectrogram.js";
import type { ConvVae } from "./conv-vae.js";
import type { NativeModel } from "./native-model.js";

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
 * A model ready to make sound. Made by `loadModel`. Its memory lies outside of JavaScript's heap: dispose of it when done,
 * by `dispose()`, `using` or `await using`. Requests may run at the same time; each has its own random numbers.
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
  #shared = false;

  /** @internal */
  constructor(native: NativeModel, parts: LoadedModelParts) {
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
  slidersToLatent(positions: number[]): Float32Array {
    this.#native.check();
    if (this.analysis === null) {
      throw new SdaError("ERR_SDA_ARGUMENT", "this model has no analysis, so it has no sliders", {
        option: "sliders",
      });
    }
    return slidersToLatent(this.analysis, positions);
  }

  /**
   * Makes sound: from random latents, or from `sliders` or a `latent`. The same seed and options give the same sound, bit by
   * bit, whatever else the engine does and on however many threads.
   *
   * Chunks of a second are decoded, made sound (see `AudioSpectrogram.melToWaveform`) and joined; then come an 8th-order
   * Butterworth low-pass at 20 kHz, forward and backward (as `scipy.signal.sosfiltfilt`: zero phase, odd extension; left out
   * where 20 kHz is at or above half the model's rate), `spatial`, `loudness`, and for another rate than the model's a
   * windowed-sinc resampler (as `torchaudio.functional.resample`: Hann window, six zero crossings a side, cutoff at 0.99
   * of the lower rate's half). Random numbers are those of torch's CPU generator, mt19937, one for each request.
   *
   * @throws SdaError ERR_SDA_ARGUMENT before any work, with `details.option`; ERR_SDA_LIMIT when the engine has too many
   *   requests; ERR_SDA_SCHEMA when the weights are damaged, so that the network gives no numbers; ERR_SDA_DISPOSED.
   *   An aborted call rejects with the signal's reason.
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
   * Makes the same sound as `generate`, and gives it piece by piece, about a second each, while the rest is still being made:
   * interleaved samples of all channels (see `audioFormat`). Loudness is "running" by default, since the peak isn't known before
   * the end: `generate({ ...options, loudness: "running" })` gives the same samples.
   *
   * Work begins with the first piece that is asked for, goes on while no more than a few wait to be taken, and stops when the
   * reader leaves, when the signal aborts, or when the iterator is lost.
   *
   * @throws SdaError ERR_SDA_ARGUMENT at once, with `details.option`, also for loudness "peak"; ERR_SDA_DISPOSED;
   *   ERR_SDA_LIMIT with the first piece. An aborted stream rejects with the signal's reason.
   */
  stream(options: GenerateOptions = {}): AsyncIterableIterator<Float32Array> {
    const native = this.#resolve(options, "running");
    if (native.loudness === "peak") throw badArgument("loudness", '"running" or "none"', "peak");
    const { signal, onProgress } = stoppingProgress(options.signal, options.onProgress);
    const { addon } = this.#native;
    const start = () => this.#start(native, onProgress);
    return new PieceStream(
      piecesOf(addon, signal, start, (handle) => addon.nextPiece(handle)),
      (bits) => piecesOf(addon, signal, start, (handle) => addon.nextPiece(handle, bits)),
    );
  }

  #start(options: NativeGenerateOptions, onProgress: GenerateOptions["onProgress"]): StreamHandle {
    const { addon, model, spectrogram } = this.#native;
    return callNativeSync(() =>
      addon.startStream(model, spectrogram, options, onProgress, undefined),
    );
  }

  /**
   * What `generate` and `stream` give for these options: the rate, the channels, and how many samples each has.
   *
   * @throws SdaError ERR_SDA_ARGUMENT with `details.option`; ERR_SDA_DISPOSED
   */
  audioFormat(options: GenerateOptions = {}): AudioFormat {
    const native = this.#resolve(options);
    return callNativeSync(() => this.#native.addon.audioFormat(this.#native.model, native));
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

  /** @internal For an owner who lends it: `dispose` does nothing from now on, only what is returned disposes of it. */
  share(): () => Promise<void> {
    this.#shared = true;
    return () => this.#native.dispose();
  }

  /**
   * Refuses new work at once and frees the memory when the work that runs has ended. Idempotent. A model that a
   * `ModelCache` has lent is the cache's to dispose of: this does nothing then.
   */
  dispose(): void {
    void this.disposeAsync();
  }

  /** As `dispose`, and resolves when the memory is free. */
  disposeAsync(): Promise<void> {
    return this.#shared ? Promise.resolve() : this.#native.dispose();
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

/** What a stream gives, one piece after the other; it ends when its reader leaves. */
async function* piecesOf<T>(
  addon: Pick<EngineAddon, "closeStream">,
  signal: AbortSignal | undefined,
  start: () => StreamHandle,
  take: (handle: StreamHandle) => Promise<T | null>,
): AsyncGenerator<T, void, undefined> {
  signal?.throwIfAborted();
  const handle = start();
  const stop = () => addon.closeStream(handle);
  signal?.addEventListener("abort", stop, { once: true });
  try {
    for (;;) {
      const piece = await callNativeUnder(signal, () => take(handle));
      if (piece === null) return;
      yield piece;
      signal?.throwIfAborted();
    }
  } finally {
    signal?.removeEventListener("abort", stop);
    stop();
  }
}
