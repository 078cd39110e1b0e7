/**
 * The generations of the Python program, in one table: what its versions write, and how each makes
 * sound. Only this file asks which version wrote a file.
 */
import { show } from "../base/brief.js";
import { SdaError } from "../base/errors.js";
import { isMap } from "../base/realm.js";
import type { NativeProgram, Network } from "../native/types.js";
import { Tensor } from "../values/values.js";
import { Fields, toNumber } from "./fields.js";

/**
 * Which version of the program wrote a model file:
 *
 * - "sda": v1.0
 * - "distill-1": the first version under the name Distill
 * - "distill-2": the later ones
 * - "distill-complex": the branch with phases in the mel spectrograms
 * - "distill-vq": the branch with vector quantisation
 * - "distillgan": v1.1
 */
export type GenerationName =
  | "sda"
  | "distill-1"
  | "distill-2"
  | "distill-complex"
  | "distill-vq"
  | "distillgan";

/**
 * The suffixes of model files, the oldest first.
 *
 * @example
 * ```js
 * const isModel = (name) => MODEL_SUFFIXES.some((suffix) => name.endsWith(suffix));
 * console.log(isModel("pads.sda"), isModel("notes.txt")); // true false
 * ```
 */
export const MODEL_SUFFIXES = [".sda", ".distill", ".distillgan"] as const;
export type ModelSuffix = (typeof MODEL_SUFFIXES)[number];

/** A version of the program. */
export interface Generation {
  readonly name: GenerationName;
  readonly suffix: ModelSuffix;
  /** The values of "format" and "version" in its files */
  readonly format: string;
  readonly version: number;
  /** The Python package of the classes in its files */
  readonly package: "small_dataset_audio" | "distill";
  readonly network: Network;
  readonly program: NativeProgram;
  /** Of a file that does not state it */
  readonly latentDim: number;
  /** Of generation options */
  readonly defaults: {
    readonly sampleRate: number;
    readonly width: number;
    readonly depth: number;
  };
  /** Whether its program reads `vocoder_state` */
  readonly hasVocoder: boolean;
}

const CHUNKS = { synthesis: "chunks", griffinLimIterations: 64, resampling: "hann" } as const;
const OVERLAP = {
  synthesis: "overlap-add",
  griffinLimIterations: 128,
  resampling: "hann",
} as const;
const OLD_SPACE = { sampleRate: 48000, width: 0.5, depth: 0.3 };
const SPACE = { sampleRate: 48000, width: 0.7, depth: 0.5 };

const DISTILL = {
  suffix: ".distill",
  format: "distill_model",
  version: 1,
  package: "distill",
  hasVocoder: false,
} as const;

/** Every generation. */
export const GENERATIONS: Readonly<Record<GenerationName, Generation>> = {
  sda: {
    name: "sda",
    suffix: ".sda",
    format: "sda_model",
    version: 1,
    package: "small_dataset_audio",
    network: "sigmoid",
    program: CHUNKS,
    latentDim: 64,
    defaults: OLD_SPACE,
    hasVocoder: false,
  },
  "distill-1": {
    ...DISTILL,
    name: "distill-1",
    network: "sigmoid",
    program: CHUNKS,
    latentDim: 64,
    defaults: OLD_SPACE,
  },
  "distill-2": {
    ...DISTILL,
    name: "distill-2",
    network: "softplus",
    program: OVERLAP,
    latentDim: 64,
    defaults: SPACE,
  },
  "distill-complex": {
    ...DISTILL,
    name: "distill-complex",
    network: "complex",
    program: OVERLAP,
    latentDim: 128,
    defaults: SPACE,
  },
  "distill-vq": {
    ...DISTILL,
    name: "distill-vq",
    version: 2,
    network: "codes",
    program: { synthesis: "codes", griffinLimIterations: 128, resampling: "hann" },
    latentDim: 0,
    defaults: SPACE,
  },
  distillgan: {
    name: "distillgan",
    suffix: ".distillgan",
    format: "distillgan_model",
    version: 1,
    package: "distill",
    network: "softplus",
    program: { ...OVERLAP, resampling: "kaiser" },
    latentDim: 64,
    defaults: { ...SPACE, sampleRate: 44100 },
    hasVocoder: true,
  },
};

/**
 * The defaults of generation options that depend on the version of the program: `sampleRate`, and
 * `width` and `depth` of `spatial`.
 * @example
 * ```js
 * console.log(GENERATION_DEFAULTS.distillgan.sampleRate); // 44100
 * ```
 */
export const GENERATION_DEFAULTS = Object.fromEntries(
  Object.values(GENERATIONS).map(({ name, defaults }) => [name, defaults]),
) as Readonly<Record<GenerationName, Generation["defaults"]>>;

const FORMATS: readonly string[] = [
  ...new Set(Object.values(GENERATIONS).map(({ format }) => format)),
];
const FIVE_LAYERS = [1024, 512, 3, 3];

/** Whether a value is the "format" of a model file of any generation. */
export function isModelFormat(format: unknown): boolean {
  return typeof format === "string" && FORMATS.includes(format);
}

/** The shape of the decoder's first convolution in a model's content; null: it has none. */
function layerShapeOf(content: unknown): readonly number[] | null {
  const weights = isMap(content) ? content.get("model_state_dict") : undefined;
  const layer = isMap(weights) ? weights.get("decoder.deconvs.0.weight") : undefined;
  return layer instanceof Tensor ? layer.shape : null;
}

/**
 * Tells the generation of a model file.
 *
 * @param content the top-level dict
 * @param layerShape the shape of the decoder's first convolution, if the content lacks it
 * @throws SdaError ERR_SDA_FORMAT: not a model file; ERR_SDA_VERSION: a version that is newer than
 *   supported; ERR_SDA_SCHEMA
 */
export function generationOf(
  content: unknown,
  path: string,
  layerShape: readonly number[] | null = layerShapeOf(content),
): Generation {
  const format = isMap(content) ? content.get("format") : undefined;
  if (!isMap(content) || !isModelFormat(format)) {
    const found = isMap(content) ? `its format is ${show(format)}` : "its content is not a dict";
    throw new SdaError("ERR_SDA_FORMAT", `${path} is not a model file: ${found}`, {
      path,
      field: "format",
    });
  }
  const generation = GENERATIONS[nameOf(content, format as string, layerShape)];
  checkVersion(new Fields(content, path, ""), "version", "version", 0, path, generation.version);
  return generation;
}

function nameOf(
  content: Map<unknown, unknown>,
  format: string,
  layerShape: readonly number[] | null,
): GenerationName {
  if (format === GENERATIONS.sda.format) return "sda";
  if (format === GENERATIONS.distillgan.format) return "distillgan";
  if (content.get("model_type") === "vqvae") return "distill-vq";
  if (layerShape?.join() === FIVE_LAYERS.join()) return "distill-complex";
  const training = content.get("training_config");
  return isMap(training) && training.has("kl_weight_max") ? "distill-2" : "distill-1";
}

/**
 * Reads the version under `key` and refuses one that is newer than supported. An unsafe integer
 * such as 10^30 is also a newer version, not a wrong value.
 */
export function checkVersion(
  fields: Fields,
  key: string,
  field: string,
  fallback: number,
  path: string,
  supported: number,
): number {
  if (!fields.has(key)) return fallback;
  const version = toNumber(fields.get(key));
  if (!Number.isInteger(version) || version < 0) throw fields.error(key, "an int, 0 or more");
  if (version > supported) {
    throw new SdaError(
      "ERR_SDA_VERSION",
      `${field} of ${path} is ${version}, newer than supported (${supported})`,
      { path, field, version, supported },
    );
  }
  return version;
}
