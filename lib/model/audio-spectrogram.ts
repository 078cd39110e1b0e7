import { LIMITS } from "../audio/limits.js";
import { checkInteger, checkOptions } from "../base/check.js";
import type { SpectrogramConfig } from "../format/spectrogram-config.js";
import type { Tensor } from "../values/values.js";
import type { OperationOptions } from "./conv-vae.js";
import { type NativeModel, toTensor } from "./native-model.js";
import { BATCH, checkTensor, type Dimension } from "./tensor-argument.js";

/** What mels the model makes, and how they become sound. */
interface MelKind {
  channels: 1 | 2;
  /** Each sample depends on a few frames only, so that a mel may be short */
  isLocal: boolean;
}

/** Options of `AudioSpectrogram.melToWaveform`. */
export interface MelToWaveformOptions extends OperationOptions {
  /**
   * Seed of the random initial phases, 0 to 2^53 - 1, used as by `torch.manual_seed`. Drawn at
   * random when omitted.
   */
  seed?: number;
}

/**
 * Converts sound to mel spectrograms and back, with the settings that the model was trained with.
 * `loadModel` creates it.
 *
 * @example
 * ```js
 * const model = await loadModel("data/models/pads.sda");
 * const { audio } = await model.generate({ durationS: 1, seed: 1 });
 * const waveform = new Tensor("float32", [1, 1, audio[0].length], audio[0]);
 * const mel = await model.spectrogram.waveformToMel(waveform); // [1, 1, nMels, frames]
 * const sound = await model.spectrogram.melToWaveform(mel, { seed: 1 });
 * console.log(mel.shape, sound.shape);
 * model.dispose();
 * ```
 */
export class AudioSpectrogram {
  readonly config: Readonly<SpectrogramConfig>;
  readonly #native: NativeModel;
  readonly #mels: MelKind;

  /** @internal */
  static create(native: NativeModel, config: SpectrogramConfig, mels: MelKind): AudioSpectrogram {
    return new AudioSpectrogram(native, config, mels);
  }

  private constructor(native: NativeModel, config: SpectrogramConfig, mels: MelKind) {
    this.#native = native;
    this.#mels = mels;
    this.config = Object.freeze({ ...config });
  }

  /**
   * Shape of the mel spectrogram of a sound with this many samples.
   *
   * @param samples a whole number, 0 or more
   * @returns [nMels, frames], where frames is `floor(samples / hopLength) + 1`
   * @throws SdaError ERR_SDA_ARGUMENT, ERR_SDA_DISPOSED
   */
  melShape(samples: number): [number, number] {
    this.#native.check();
    checkInteger("samples", samples, 0, Number.MAX_SAFE_INTEGER);
    return [this.config.nMels, Math.floor(samples / this.config.hopLength) + 1];
  }

  /**
   * Computes the log mel spectrogram of a sound: STFT (centred, reflect padding, periodic Hann
   * window), |·|^power, mel filter bank, log(1 + x). The filters are triangles on HTK's scale,
   * 2595·log10(1 + f/700) of f in Hz (O'Shaughnessy 1987), not normalised by area. Their arithmetic
   * is that of `torchaudio.functional.melscale_fbanks`, in float32.
   *
   * For "distill-complex" two channels: that loudness, and the steps of the phase from frame to
   * frame in units of π, as means over the bins of each band; both normalised as the model's
   * training sounds were.
   *
   * @param waveform [B, 1, samples], float32, at the model's sample rate; more than nFft / 2
   *   samples
   * @returns [B, 1, nMels, floor(samples / hopLength) + 1], float32; for "distill-complex"
   *   [B, 2, …]
   * @throws SdaError ERR_SDA_ARGUMENT (`details.option`) for another shape or dtype; ERR_SDA_LIMIT
   *   when the engine has too many requests; ERR_SDA_DISPOSED. An aborted call rejects with the
   *   signal's reason.
   */
  async waveformToMel(waveform: Tensor, options: OperationOptions = {}): Promise<Tensor> {
    return this.#analyse(waveform, options, false);
  }

  /** @internal As `waveformToMel` of the models without phases, for every model. */
  async loudness(waveform: Tensor, options: OperationOptions = {}): Promise<Tensor> {
    return this.#analyse(waveform, options, true);
  }

  async #analyse(waveform: Tensor, options: OperationOptions, plain: boolean): Promise<Tensor> {
    this.#native.check();
    checkOptions("options", options, ["signal"]);
    const { signal } = options;
    const samples = longerThan("samples", this.#halfWindow);
    const input = checkTensor("waveform", waveform, [BATCH, 1, samples]);
    const mel = await this.#native.run(signal, (addon, cancel) =>
      addon.waveformToMel(this.#native.spectrogram, input, cancel, plain),
    );
    return toTensor(mel);
  }

  /**
   * Makes sound of a log mel spectrogram, as the model's program does. "distillgan" with a vocoder:
   * the vocoder, HiFi-GAN (Kong, Kim, Bae 2020), without random numbers; the result has `frames ·
   * hopLength` samples. "distill-complex": the inverse STFT of loudness and phases, without random
   * numbers. All others, in three steps:
   *
   * - mel energies: exp(x) - 1, where x is the mel clamped at 0
   * - linear spectrum: the minimum-norm least-squares solution for the filter bank, clamped at 0
   * - phases: 64 iterations (since the second Distill 128) of the fast Griffin-Lim algorithm
   *   (Perraudin, Balazs, Søndergaard 2013, "A fast Griffin-Lim algorithm") from random phases.
   *   Momentum 0.99 is applied as in `torchaudio.functional.griffinlim`: 0.99 / 1.99 of the
   *   previous rebuilt spectrum is subtracted from the current one
   *
   * @param mel [B, 1, nMels, frames], float32; enough frames for more than nFft / 2 samples. For
   *   "distill-complex" [B, 2, nMels, frames], as `ConvVae.decode` gives it
   * @returns [B, 1, (frames - 1) · hopLength], float32; the same seed gives the same sound
   * @throws SdaError ERR_SDA_ARGUMENT (`details.option`) for another shape or dtype, a bad seed, or
   *   a hop that leaves gaps between windows; ERR_SDA_LIMIT when the engine has too many requests;
   *   ERR_SDA_DISPOSED. An aborted call rejects with the signal's reason.
   */
  async melToWaveform(mel: Tensor, options: MelToWaveformOptions = {}): Promise<Tensor> {
    this.#native.check();
    checkOptions("options", options, ["seed", "signal"]);
    const { seed, signal } = options;
    if (seed !== undefined) checkInteger("seed", seed, LIMITS.seed.min, LIMITS.seed.max);
    const { nMels, hopLength } = this.config;
    const { channels, isLocal } = this.#mels;
    const least = isLocal ? channels - 1 : Math.floor(this.#halfWindow / hopLength) + 1;
    const input = checkTensor("mel", mel, [BATCH, channels, nMels, longerThan("frames", least)]);
    const waveform = await this.#native.run(signal, (addon, cancel) =>
      addon.melToWaveform(this.#native.spectrogram, input, seed, cancel),
    );
    return toTensor(waveform);
  }

  /** Half of the STFT window. Reflect padding needs more samples than this. */
  get #halfWindow(): number {
    return Math.floor(this.config.nFft / 2);
  }
}

function longerThan(name: string, length: number): Dimension {
  return { text: `${name} > ${length}`, accepts: (given) => given > length };
}
