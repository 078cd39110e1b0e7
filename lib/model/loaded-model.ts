import type { GenerationResult } from "../audio/generation.js";
import { type GenerateOptions, resolveGenerateOptions } from "../audio/options.js";
import { qualityReport } from "../audio/quality.js";
import { SdaError } from "../errors.js";
import type { AnalysisResult } from "../latent/analysis.js";
import { type SliderInfo, sliderInfos, slidersToLatent } from "../latent/sliders.js";
import type { SavePlan, SaveResult, SaveTarget } from "../native/types.js";
import type { AudioSpectrogram } from "./audio-spectrogram.js";
import type { ConvVae } from "./conv-vae.js";
import type { ModelMetadata } from "./metadata.js";
import type { NativeModel } from "./native-model.js";

export interface LoadedModelParts {
  model: ConvVae;
  spectrogram: AudioSpectrogram;
  analysis: AnalysisResult | null;
  metadata: ModelMetadata;
  trainingConfig: Record<string, unknown>;
  device: string;
}

/**
 * A model ready to make sound. Made by `loadModel`. Its memory lies outside of JavaScript's heap: dispose of it when done,
 * by `dispose()`, `using` or `await using`. Requests may run at the same time; each has its own random numbers.
 */
export class LoadedModel implements Disposable, AsyncDisposable {
  readonly model: ConvVae;
  readonly spectrogram: AudioSpectrogram;
  /** null when the model was saved without one; then there are no sliders */
  readonly analysis: AnalysisResult | null;
  readonly metadata: ModelMetadata;
  /** Keys as in the file; Enum members appear as their value */
  readonly trainingConfig: Record<string, unknown>;
  /** Where the weights are: "cpu", "cuda:0", … */
  readonly device: string;
  readonly #native: NativeModel;

  /** @internal */
  constructor(native: NativeModel, parts: LoadedModelParts) {
    this.#native = native;
    this.model = parts.model;
    this.spectrogram = parts.spectrogram;
    this.analysis = parts.analysis;
    this.metadata = parts.metadata;
    this.trainingConfig = parts.trainingConfig;
    this.device = parts.device;
  }

  /** What each slider can do, in order; [] without analysis. */
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
   * Makes sound: from random latents, or from `sliders` or a `latent`. The same seed and options give the same sound.
   *
   * @throws SdaError ERR_SDA_ARGUMENT before any work, with `details.option`; ERR_SDA_DISPOSED.
   *   An aborted call rejects with the signal's reason.
   */
  async generate(options: GenerateOptions = {}): Promise<GenerationResult> {
    this.#native.check();
    const native = resolveGenerateOptions(options, {
      latentDim: this.model.latentDim,
      analysis: this.analysis,
    });
    const { signal, onProgress } = options;
    const { audio, sampleRate, quality } = await this.#native.run(signal, (addon, cancel) =>
      addon.generate(this.#native.model, this.#native.spectrogram, native, onProgress, cancel),
    );
    return {
      audio,
      sampleRate,
      channels: audio.length,
      durationS: (audio[0]?.length ?? 0) / sampleRate,
      seed: native.seed,
      quality: qualityReport(quality),
    };
  }

  /** @internal What saving needs: the file's content is carried over natively. */
  save(plan: SavePlan, target: SaveTarget, signal: AbortSignal | undefined): Promise<SaveResult> {
    return this.#native.run(signal, (addon, cancel) =>
      addon.save(plan, target, this.#native.model, cancel),
    );
  }

  /** Refuses new work at once and frees the memory when the work that runs has ended. Idempotent. */
  dispose(): void {
    void this.#native.dispose();
  }

  /** As `dispose`, and resolves when the memory is free. */
  disposeAsync(): Promise<void> {
    return this.#native.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.disposeAsync();
  }
}
