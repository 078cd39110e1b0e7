/** The vocoder, the codebook and the statistics that some generations' files hold. */
import type {
  NativeCodebook,
  NativeComplexStats,
  NativePrior,
  NativeVocoderConfig,
} from "../native/types.js";
import { type Fields, toNumber } from "./fields.js";

/** A neural vocoder in a model file: turns mel spectrograms into sound. */
export interface VocoderInfo {
  /** "hifigan_v2" */
  type: string;
  /** Epochs of training */
  epochs: number;
  /** null: unknown */
  finalLoss: number | null;
  /** ISO 8601; "" when unknown */
  trainingDate: string;
}

/** The type of every vocoder so far. */
const VOCODER_TYPE = "hifigan_v2";

const INT = Number.MAX_SAFE_INTEGER;

/**
 * Reads `vocoder_state`.
 *
 * @returns null: the value is None or missing
 * @throws SdaError ERR_SDA_SCHEMA (`details.field`)
 */
export function parseVocoder(
  top: Fields,
): { info: VocoderInfo; config: NativeVocoderConfig } | null {
  if ((top.get("vocoder_state") ?? null) === null) return null;
  const fields = top.dict("vocoder_state");
  const type = fields.string("type");
  if (type !== VOCODER_TYPE) throw fields.error("type", `"${VOCODER_TYPE}"`);
  const config = fields.dict("config");
  if (toNumber(config.get("resblock_type") ?? 1) !== 1 && config.get("resblock_type") !== "1") {
    throw config.error("resblock_type", "1");
  }
  return {
    info: parseVocoderInfo(fields, type),
    config: {
      sampleRate: config.integer("sample_rate", undefined, 1, INT),
      hopLength: config.integer("hop_size", undefined, 1, INT),
      nMels: config.integer("num_mels", undefined, 1, INT),
      upsampleInitialChannel: config.integer("upsample_initial_channel", undefined, 1, INT),
      upsampleRates: integers(config, "upsample_rates"),
      upsampleKernelSizes: integers(config, "upsample_kernel_sizes"),
      resblockKernelSizes: integers(config, "resblock_kernel_sizes"),
      resblockDilationSizes: listsOfIntegers(config, "resblock_dilation_sizes"),
    },
  };
}

function parseVocoderInfo(fields: Fields, type: string): VocoderInfo {
  const training = fields.has("training_metadata") ? fields.dict("training_metadata") : undefined;
  const loss = training?.get("final_loss") ?? null;
  return {
    type,
    epochs: training?.integer("epochs", 0) ?? 0,
    finalLoss: loss === null ? null : (training as Fields).float("final_loss"),
    trainingDate: training?.string("training_date", "") ?? "",
  };
}

/** Reads `normalization_stats`. null: the mels are not normalised. */
export function parseComplexStats(top: Fields): NativeComplexStats | null {
  if ((top.get("normalization_stats") ?? null) === null) return null;
  const fields = top.dict("normalization_stats");
  const finite = (key: string) => {
    const value = fields.float(key);
    if (!Number.isFinite(value)) throw fields.error(key, "a finite float");
    return value;
  };
  return {
    magMean: finite("mag_mean"),
    magStd: finite("mag_std"),
    ifMean: finite("if_mean"),
    ifStd: finite("if_std"),
  };
}

/** Reads `vqvae_config`. */
export function parseCodebook(top: Fields): NativeCodebook {
  const fields = top.dict("vqvae_config");
  return {
    codebookDim: fields.integer("codebook_dim", 128, 1, INT),
    codebookSize: fields.integer("codebook_size", 256, 1, INT),
    numQuantizers: fields.integer("num_quantizers", 3, 1, INT),
  };
}

/** Reads `prior_config`. null: the file has no prior. */
export function parsePrior(top: Fields): NativePrior | null {
  if (!top.boolean("has_prior", false)) return null;
  const fields = top.dict("prior_config");
  return {
    hiddenSize: fields.integer("hidden_size", undefined, 1, INT),
    numLayers: fields.integer("num_layers", undefined, 1, INT),
    numHeads: fields.integer("num_heads", undefined, 1, INT),
    seqLen: fields.integer("seq_len", 144, 1, INT),
    numQuantizers: fields.integer("num_quantizers", 3, 1, INT),
  };
}

function refuse(fields: Fields, key: string, expected: string): never {
  throw fields.error(key, expected);
}

function integersIn(value: unknown): number[] | undefined {
  if (!Array.isArray(value)) return undefined;
  const numbers = value.map(toNumber);
  return numbers.every(Number.isSafeInteger) ? numbers : undefined;
}

function integers(fields: Fields, key: string): number[] {
  return integersIn(fields.get(key)) ?? refuse(fields, key, "a list of ints");
}

function listsOfIntegers(fields: Fields, key: string): number[][] {
  const expected = "a list of lists of ints";
  const value = fields.get(key);
  if (!Array.isArray(value)) throw fields.error(key, expected);
  return value.map((item) => integersIn(item) ?? refuse(fields, key, expected));
}
