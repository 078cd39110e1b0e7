import { LIMITS } from "../audio/limits.js";
import { resolveSampling } from "../audio/options.js";
import { badArgument, checkInteger, checkOptions } from "../base/check.js";
import { SdaError } from "../base/errors.js";
import type { SpectrogramConfig } from "../format/spectrogram-config.js";
import type { NativeCodebook } from "../native/types.js";
import type { Codes } from "../values/arrays.js";
import type { Tensor } from "../values/values.js";
import type { OperationOptions } from "./conv-vae.js";
import { type NativeModel, toTensor } from "./native-model.js";
import { checkTensor } from "./tensor-argument.js";

/** Options of `VqVae.sample`. */
export interface SampleOptions extends OperationOptions {
  /** 0 to 2^53 - 1, used as by `torch.manual_seed` */
  seed: number;
  /** Divides the logits, 0.01 to 100; default 1 */
  temperature?: number;
  /** Draw from that many likeliest codes; 0 (the default): from all */
  topK?: number;
  /** Draw from the likeliest codes whose chances add up to this, 0 to 1; default 0.9 */
  topP?: number;
}

/** Options of `VqVae.decode`. */
export interface DecodeCodesOptions extends OperationOptions {
  /**
   * Frames of the mel. Default: one second for the codes of one second, otherwise 16 for each
   * column of codes
   */
  frames?: number;
}

interface VqParts {
  codebook: NativeCodebook;
  hasPrior: boolean;
  config: SpectrogramConfig;
}

/** Frames, and mel bands, of one position of codes: four layers of stride 2. */
const CELL = 16;

/**
 * A vector-quantised autoencoder (van den Oord, Vinyals, Kavukcuoglu 2017, "Neural discrete
 * representation learning") with several levels of codes for each position, and the prior that
 * draws codes. `LoadedModel.vq` of a "distill-vq" model.
 *
 * Codes are position by position, row by row of a grid (rows are mel bands, columns are time), each
 * position with its levels. A second has 8 × 6 positions of 3 levels with the usual settings.
 *
 * @example
 * ```js
 * const model = await loadModel("data/models/grid.distill");
 * const codes = await model.vq.sample({ seed: 42 });
 * const mel = await model.vq.decode(codes); // [1, 1, nMels, time]
 * const sound = await model.spectrogram.melToWaveform(mel, { seed: 42 });
 * console.log(codes.length, sound.shape);
 * model.dispose();
 * ```
 */
export class VqVae {
  /** Codes of each level: a code is from 0 to `codebookSize - 1` */
  readonly codebookSize: number;
  /** Codes of each position */
  readonly levels: number;
  /** false: the model decodes and encodes codes, but cannot make sound by itself */
  readonly hasPrior: boolean;
  readonly #native: NativeModel;
  readonly #config: SpectrogramConfig;

  /** @internal */
  static create(native: NativeModel, parts: VqParts): VqVae {
    return new VqVae(native, parts);
  }

  private constructor(native: NativeModel, { codebook, hasPrior, config }: VqParts) {
    this.#native = native;
    this.#config = config;
    this.codebookSize = codebook.codebookSize;
    this.levels = codebook.numQuantizers;
    this.hasPrior = hasPrior;
  }

  /**
   * Decodes codes to a log mel spectrogram.
   *
   * @param codes rows · columns · levels; see the class
   * @returns [1, 1, nMels, frames], float32
   * @throws SdaError ERR_SDA_ARGUMENT (`details.option`): a code out of range, a number of codes
   *   that fills no grid; ERR_SDA_LIMIT when the engine has too many requests; ERR_SDA_DISPOSED. An
   *   aborted call rejects with the signal's reason.
   */
  async decode(codes: Int32Array, options: DecodeCodesOptions = {}): Promise<Tensor> {
    this.#native.check();
    checkOptions("options", options, ["frames", "signal"]);
    const input = this.#checkCodes(codes);
    const perColumn = Math.ceil(this.#config.nMels / CELL) * this.levels;
    const columns = input.length / perColumn;
    if (!Number.isInteger(columns) || columns < 1) {
      throw badArgument("codes", `a multiple of ${perColumn} codes`, `${input.length} codes`);
    }
    const frames = checkInteger(
      "frames",
      options.frames ??
        (columns === Math.ceil(this.#second / CELL) ? this.#second : columns * CELL),
      (columns - 1) * CELL + 1,
      columns * CELL,
    );
    const mel = await this.#native.run(options.signal, (addon, cancel) =>
      addon.decodeCodes(this.#native.model, input, frames, cancel),
    );
    return toTensor(mel);
  }

  /**
   * Encodes a log mel spectrogram of any length: for each position, the nearest row of the first
   * level's codebook by Euclidean distance, then that of the next level for the rest, and so on.
   *
   * @param mel [1, 1, nMels, frames], float32, as `AudioSpectrogram.waveformToMel` makes it
   * @returns codes of a grid of `ceil(frames / 16)` columns
   * @throws SdaError ERR_SDA_ARGUMENT (`details.option`) for another shape or dtype; ERR_SDA_LIMIT
   *   when the engine has too many requests; ERR_SDA_DISPOSED. An aborted call rejects with the
   *   signal's reason.
   */
  async encode(mel: Tensor, options: OperationOptions = {}): Promise<Codes> {
    this.#native.check();
    checkOptions("options", options, ["signal"]);
    const any = { text: "frames > 0", accepts: (given: number) => given > 0 };
    const input = checkTensor("mel", mel, [1, 1, this.#config.nMels, any]);
    return this.#native.run(options.signal, (addon, cancel) =>
      addon.encodeCodes(this.#native.model, input, cancel),
    );
  }

  /**
   * Draws the codes of one second from the prior, one after the other: the first with equal
   * chances, each other one from the prior's logits, by temperature, top-k and top-p. The same seed
   * and options give the same codes.
   *
   * @returns 144 codes with the usual settings
   * @throws SdaError ERR_SDA_ARGUMENT (`details.option`), also for a model without prior;
   *   ERR_SDA_SCHEMA when damaged weights make the prior give NaN; ERR_SDA_LIMIT when the engine
   *   has too many requests; ERR_SDA_DISPOSED. An aborted call rejects with the signal's reason.
   */
  async sample(options: SampleOptions): Promise<Codes> {
    this.#native.check();
    checkOptions("options", options, ["seed", "temperature", "topK", "topP", "signal"]);
    const seed = checkInteger("seed", options.seed, LIMITS.seed.min, LIMITS.seed.max);
    const sampling = resolveSampling(options);
    this.#checkPrior();
    return this.#native.run(options.signal, (addon, cancel) =>
      addon.sampleCodes(this.#native.model, { seed, ...sampling }, cancel),
    );
  }

  /**
   * The prior's logits after each of some codes.
   *
   * @param codes 1 code to as many as a second has
   * @returns [codes, codebookSize], float32
   * @throws SdaError as `sample`
   */
  async logits(codes: Int32Array, options: OperationOptions = {}): Promise<Tensor> {
    this.#native.check();
    checkOptions("options", options, ["signal"]);
    const input = this.#checkCodes(codes);
    this.#checkPrior();
    const logits = await this.#native.run(options.signal, (addon, cancel) =>
      addon.codeLogits(this.#native.model, input, cancel),
    );
    return toTensor(logits);
  }

  /** Frames of one second. */
  get #second(): number {
    return Math.floor(this.#config.sampleRate / this.#config.hopLength) + 1;
  }

  #checkCodes(codes: unknown): Int32Array {
    if (!(codes instanceof Int32Array)) throw badArgument("codes", "an Int32Array", codes);
    const wrong = codes.find((code) => code < 0 || code >= this.codebookSize);
    if (wrong !== undefined) {
      throw badArgument("codes", `numbers from 0 to ${this.codebookSize - 1}`, wrong);
    }
    return codes;
  }

  #checkPrior(): void {
    if (this.hasPrior) return;
    throw new SdaError(
      "ERR_SDA_ARGUMENT",
      "this model has no prior, so it cannot draw codes: train one, or decode codes of your own",
      { option: "prior" },
    );
  }
}
