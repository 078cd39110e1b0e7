import { badArgument, checkOptions } from "../base/check.js";
import { SdaError } from "../base/errors.js";
import type { SpectrogramConfig } from "../format/spectrogram-config.js";
import { callNativeSync } from "../native/call.js";
import type { Network } from "../native/types.js";
import type { Tensor } from "../values/values.js";
import { type NativeModel, toTensor } from "./native-model.js";
import { BATCH, checkTensor } from "./tensor-argument.js";

interface VaeParts {
  latentDim: number;
  hasEncoder: boolean;
  config: SpectrogramConfig;
  network: Network;
}

/** Options of one operation on tensors. */
export interface OperationOptions {
  /** Aborting rejects with the signal's reason */
  signal?: AbortSignal;
}

/**
 * The network, a convolutional variational autoencoder (Kingma and Welling 2013, "Auto-Encoding
 * Variational Bayes"). It encodes mel spectrograms to latents and decodes latents, in float32 and
 * in evaluation mode: batch norm uses its running statistics, dropout is off. `loadModel` creates
 * it.
 *
 * @example
 * ```js
 * const model = await loadModel("data/models/pads.sda");
 * const { latentDim } = model.vae;
 * const z = new Tensor("float32", [1, latentDim], new Float32Array(latentDim));
 * const mel = await model.vae.decode(z); // [1, 1, nMels, time]
 * console.log(mel.shape);
 * model.dispose();
 * ```
 */
export class ConvVae {
  /** Number of values in a latent; 0 for a model of codes (see `LoadedModel.vq`) */
  readonly latentDim: number;
  /** false for a decoder-only file, which can generate but not encode */
  readonly hasEncoder: boolean;
  readonly #native: NativeModel;
  readonly #config: SpectrogramConfig;
  readonly #network: Network;

  /** @internal */
  static create(native: NativeModel, parts: VaeParts): ConvVae {
    return new ConvVae(native, parts);
  }

  private constructor(native: NativeModel, parts: VaeParts) {
    this.#native = native;
    this.latentDim = parts.latentDim;
    this.hasEncoder = parts.hasEncoder;
    this.#config = parts.config;
    this.#network = parts.network;
  }

  /** Mels of one second: [B, channels, nMels, time]. */
  get #channels(): number {
    return this.#network === "complex" ? 2 : 1;
  }

  #checkLatents(): void {
    if (this.#network !== "codes") return;
    const message = "this model has codes instead of latents: use model.vq";
    throw new SdaError("ERR_SDA_ARGUMENT", message, { option: "model" });
  }

  /**
   * Encodes mel spectrograms, each of one second of sound.
   *
   * @param mel [B, 1, nMels, time], float32, log(1 + x) as `AudioSpectrogram.waveformToMel` makes
   *   it; time is `floor(sampleRate / hopLength) + 1`. For "distill-complex" [B, 2, nMels, time],
   *   normalised: loudness, and steps of the phase
   * @returns mean and log variance of the latents' distribution, each [B, latentDim], float32
   * @throws SdaError ERR_SDA_ARGUMENT (`details.option`: wrong shape or dtype; decoder-only model);
   *   ERR_SDA_LIMIT when the engine has too many requests; ERR_SDA_DISPOSED. An aborted call
   *   rejects with the signal's reason.
   */
  async encode(
    mel: Tensor,
    options: OperationOptions = {},
  ): Promise<{ mu: Tensor; logvar: Tensor }> {
    this.#native.check();
    checkOptions("options", options, ["signal"]);
    const { signal } = options;
    this.#checkLatents();
    if (!this.hasEncoder)
      throw badArgument("model", "a model with an encoder", "a decoder-only model");
    const { nMels, sampleRate, hopLength } = this.#config;
    const time = Math.floor(sampleRate / hopLength) + 1;
    const input = checkTensor("mel", mel, [BATCH, this.#channels, nMels, time]);
    const { mu, logvar } = await this.#native.run(signal, (addon, cancel) =>
      addon.encode(this.#native.model, input, cancel),
    );
    return { mu: toTensor(mu), logvar: toTensor(logvar) };
  }

  /**
   * Decodes latents to log(1 + x) mel spectrograms: with values from 0 to 1 of "sda" and
   * "distill-1", from 0 of the later ones.
   *
   * @param z [B, latentDim], float32, finite
   * @returns [B, 1, nMels, time], float32, one second of sound each; time is
   *   `floor(sampleRate / hopLength) + 1`. For "distill-complex" [B, 2, nMels, time], normalised
   * @throws SdaError ERR_SDA_ARGUMENT (`details.option`: wrong shape or dtype, not finite);
   *   ERR_SDA_LIMIT when the engine has too many requests; ERR_SDA_DISPOSED. An aborted call
   *   rejects with the signal's reason.
   */
  async decode(z: Tensor, options: OperationOptions = {}): Promise<Tensor> {
    this.#native.check();
    checkOptions("options", options, ["signal"]);
    const { signal } = options;
    this.#checkLatents();
    const input = checkTensor("z", z, [BATCH, this.latentDim]);
    if (!input.data.every(Number.isFinite)) throw badArgument("z", "finite", "NaN or infinity");
    const mel = await this.#native.run(signal, (addon, cancel) =>
      addon.decode(this.#native.model, input, cancel),
    );
    return toTensor(mel);
  }

  /**
   * The weights by name, in the file's order and with the file's dtypes. The tensors share the
   * model's memory: do not write to them.
   *
   * @throws SdaError ERR_SDA_DISPOSED
   */
  stateDict(): Map<string, Tensor> {
    const model = this.#native.model;
    return callNativeSync(() => this.#native.addon.stateDict(model));
  }
}
