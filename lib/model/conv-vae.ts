import { badArgument, checkOptions } from "../base/check.js";
import type { SpectrogramConfig } from "../format/spectrogram-config.js";
import { callNativeSync } from "../native/call.js";
import type { Tensor } from "../values/values.js";
import { type NativeModel, toTensor } from "./native-model.js";
import { BATCH, checkTensor } from "./tensor-argument.js";

/** Of one operation on tensors. */
export interface OperationOptions {
  /** Aborting rejects with the signal's reason */
  signal?: AbortSignal;
}

/**
 * The network, a convolutional variational autoencoder (Kingma and Welling 2013, "Auto-Encoding Variational Bayes"): mel
 * spectrograms to latents and back, in float32, with running statistics and no dropout. Made by `loadModel`.
 */
export class ConvVae {
  readonly latentDim: number;
  /** false for a decoder-only file, which can generate but not encode */
  readonly hasEncoder: boolean;
  readonly #native: NativeModel;
  readonly #config: SpectrogramConfig;

  /** @internal */
  static create(
    native: NativeModel,
    latentDim: number,
    hasEncoder: boolean,
    config: SpectrogramConfig,
  ): ConvVae {
    return new ConvVae(native, latentDim, hasEncoder, config);
  }

  private constructor(
    native: NativeModel,
    latentDim: number,
    hasEncoder: boolean,
    config: SpectrogramConfig,
  ) {
    this.#native = native;
    this.latentDim = latentDim;
    this.hasEncoder = hasEncoder;
    this.#config = config;
  }

  /**
   * What the encoder makes of sounds.
   *
   * @param mel [B, 1, nMels, time], float32, as `AudioSpectrogram.waveformToMel` makes it of one second of sound
   * @returns mean and log variance of the latents' distribution, each [B, latentDim]
   * @throws SdaError ERR_SDA_ARGUMENT (`details.option`: wrong shape or dtype; decoder-only model); ERR_SDA_LIMIT when the
   *   engine has too many requests; ERR_SDA_DISPOSED. An aborted call rejects with the signal's reason.
   */
  async encode(
    mel: Tensor,
    options: OperationOptions = {},
  ): Promise<{ mu: Tensor; logvar: Tensor }> {
    this.#native.check();
    checkOptions("options", options, ["signal"]);
    const { signal } = options;
    if (!this.hasEncoder) throw badArgument("model", "one with an encoder", "a decoder-only model");
    const { nMels, sampleRate, hopLength } = this.#config;
    const time = Math.floor(sampleRate / hopLength) + 1;
    const input = checkTensor("mel", mel, [BATCH, 1, nMels, time]);
    const { mu, logvar } = await this.#native.run(signal, (addon, cancel) =>
      addon.encode(this.#native.model, input, cancel),
    );
    return { mu: toTensor(mu), logvar: toTensor(logvar) };
  }

  /**
   * What the decoder makes of latents: log(1 + x) mel spectrograms, values 0 to 1.
   *
   * @param z [B, latentDim], float32, finite
   * @returns [B, 1, nMels, time], float32, of one second of sound each
   * @throws SdaError ERR_SDA_ARGUMENT (`details.option`: wrong shape or dtype, not finite); ERR_SDA_LIMIT when the engine has
   *   too many requests; ERR_SDA_DISPOSED. An aborted call rejects with the signal's reason.
   */
  async decode(z: Tensor, options: OperationOptions = {}): Promise<Tensor> {
    this.#native.check();
    checkOptions("options", options, ["signal"]);
    const { signal } = options;
    const input = checkTensor("z", z, [BATCH, this.latentDim]);
    if (!input.data.every(Number.isFinite)) throw badArgument("z", "finite", "NaN or infinity");
    const mel = await this.#native.run(signal, (addon, cancel) =>
      addon.decode(this.#native.model, input, cancel),
    );
    return toTensor(mel);
  }

  /**
   * Name → weights, in file order and in the file's own types. The memory is the model's: don't write to it.
   *
   * @throws SdaError ERR_SDA_DISPOSED
   */
  stateDict(): Map<string, Tensor> {
    const model = this.#native.model;
    return callNativeSync(() => this.#native.addon.stateDict(model));
  }
}
