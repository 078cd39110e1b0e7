/** Makes the dicts of a model file: converts names, order of keys and Python types. */
import { randomUUID } from "node:crypto";
import { isDeepStrictEqual } from "node:util";
import { badArgument, checkInteger } from "../base/check.js";
import type { AnalysisResult } from "../latent/analysis.js";
import { markFloat, markFloats } from "../values/provenance.js";
import { NdArray, type Tensor } from "../values/values.js";
import type { Generation } from "./generations.js";
import { METADATA_DEFAULTS, type ModelMetadata } from "./metadata.js";
import { ANALYSIS_NAMES, METADATA_NAMES, SPECTROGRAM_NAMES } from "./names.js";
import { SPECTROGRAM_DEFAULTS, type SpectrogramConfig } from "./spectrogram-config.js";

/** The parts of a model file. An `unknown` is a dict or value of the file, or a `Carried` value. */
export interface FileParts {
  generation: Generation;
  stateDict: unknown;
  latentDim: number;
  spectrogramConfig: unknown;
  analysis: unknown;
  trainingConfig: unknown;
  metadata: ModelMetadata;
  /** Further keys, at the end */
  extras?: ReadonlyMap<string, unknown>;
}

/** Makes the top-level dict of a model with a latent space. */
export function fileContent(parts: FileParts): Map<string, unknown> {
  return new Map<string, unknown>([
    ["format", parts.generation.format],
    ["version", parts.generation.version],
    ["model_state_dict", parts.stateDict],
    ["latent_dim", parts.latentDim],
    ["spectrogram_config", parts.spectrogramConfig],
    ["latent_analysis", parts.analysis],
    ["training_config", parts.trainingConfig],
    ["metadata", metadataDict(parts.metadata)],
    ...(parts.extras ?? []),
  ]);
}

/**
 * Makes the top-level dict of a model of codes. `parts`: the keys between "version" and "metadata".
 */
export function codesContent(
  { format, version }: Generation,
  parts: ReadonlyMap<string, unknown>,
  metadata: ModelMetadata,
): Map<string, unknown> {
  return new Map<string, unknown>([
    ["format", format],
    ["version", version],
    ...parts,
    ["metadata", metadataDict(metadata)],
  ]);
}

/**
 * Makes the 14 metadata fields of a new file. Takes each field from `given`, else from `base`, else
 * from the defaults. An id and a save date that are not given are new. The fields about the
 * analysis follow `analysis`.
 *
 * @throws SdaError ERR_SDA_ARGUMENT: a wrong field in `given`
 */
export function completeMetadata(
  given: Partial<ModelMetadata> | undefined,
  base: Partial<ModelMetadata>,
  analysis: { nActiveComponents: number } | null,
): ModelMetadata {
  const checked = checkMetadata(given);
  return {
    ...METADATA_DEFAULTS,
    tags: [...METADATA_DEFAULTS.tags],
    ...base,
    ...checked,
    modelId: checked.modelId || randomUUID(),
    saveDate: checked.saveDate || pythonIsoDate(new Date()),
    hasAnalysis: analysis !== null,
    nActiveComponents: analysis?.nActiveComponents ?? 0,
  };
}

/** Formats a date like Python's `datetime.isoformat()`, which omits microseconds that are 0. */
export function pythonIsoDate(date: Date): string {
  const [seconds, milliseconds] = date.toISOString().slice(0, -1).split(".") as [string, string];
  return `${seconds}${milliseconds === "000" ? "" : `.${milliseconds}000`}+00:00`;
}

/**
 * Checks the caller's metadata.
 *
 * @returns the fields that are not undefined
 * @throws SdaError ERR_SDA_ARGUMENT (`details.option`)
 */
export function checkMetadata(given: unknown): Partial<ModelMetadata> {
  if (given === undefined) return {};
  if (typeof given !== "object" || given === null) {
    throw badArgument("metadata", "an object", given);
  }
  const checked: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(given)) {
    if (!Object.hasOwn(METADATA_DEFAULTS, key)) {
      throw badArgument(`metadata.${key}`, "absent (there is no such field)", value);
    }
    if (value !== undefined) checked[key] = checkField(key as keyof ModelMetadata, value);
  }
  return checked;
}

/** The metadata fields that are floats in the file; other numbers are ints. */
const FLOAT_FIELDS: readonly string[] = ["datasetTotalDurationS", "finalTrainLoss", "finalValLoss"];

function checkField(key: keyof ModelMetadata, value: unknown): unknown {
  const option = `metadata.${key}`;
  if (key === "tags") {
    const good = Array.isArray(value) && value.every((tag) => typeof tag === "string");
    if (!good) throw badArgument(option, "an array of strings", value);
    return Array.from(value);
  }
  const type = typeof METADATA_DEFAULTS[key];
  if (typeof value !== type) throw badArgument(option, `a ${type}`, value);
  if (type !== "number" || FLOAT_FIELDS.includes(key)) return value;
  return checkInteger(option, value, -Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER);
}

export function metadataDict(metadata: ModelMetadata): Map<string, unknown> {
  return markFloatFields(renamed(METADATA_NAMES, metadata));
}

function markFloatFields(dict: Map<string, unknown>): Map<string, unknown> {
  for (const field of FLOAT_FIELDS) {
    const name = METADATA_NAMES[field as keyof ModelMetadata];
    if (dict.has(name)) markFloat(dict, name);
  }
  return dict;
}

/** Makes a dict of the metadata fields that differ from a file's present ones. */
export function changedMetadata(
  metadata: Partial<ModelMetadata>,
  before: ModelMetadata,
): Map<string, unknown> {
  const changed = new Map<string, unknown>();
  for (const field of Object.keys(metadata) as (keyof ModelMetadata)[]) {
    if (isDeepStrictEqual(metadata[field], before[field])) continue;
    changed.set(METADATA_NAMES[field], metadata[field]);
  }
  return markFloatFields(changed);
}

/** Makes `spectrogram_config`. Missing settings have the format's defaults. */
export function spectrogramDict(config: Partial<SpectrogramConfig>): Map<string, unknown> {
  const names: Record<string, string> = SPECTROGRAM_NAMES;
  for (const key of Object.keys(config)) {
    if (names[key] === undefined) {
      throw badArgument(`spectrogramConfig.${key}`, "absent (there is no such setting)", key);
    }
  }
  const given = Object.entries(config).filter(([, value]) => value !== undefined);
  const dict = renamed(SPECTROGRAM_NAMES, {
    ...SPECTROGRAM_DEFAULTS,
    ...(Object.fromEntries(given) as Partial<SpectrogramConfig>),
  });
  for (const field of ["fMin", "fMax", "power"] as const) markFloat(dict, SPECTROGRAM_NAMES[field]);
  return dict;
}

/** Makes `latent_analysis`. */
export function analysisDict(analysis: AnalysisResult): Map<string, unknown> {
  const dict = renamed(ANALYSIS_NAMES, analysis);
  for (const [key, value] of dict) {
    if (isTensor(value)) dict.set(key, asNdArray(value));
  }
  const correlations = Object.entries(analysis.featureCorrelations ?? {});
  dict.set(
    ANALYSIS_NAMES.featureCorrelations,
    new Map(correlations.map(([name, values]) => [name, markFloats(Array.from(values))])),
  );
  return dict;
}

function isTensor(value: unknown): value is Tensor {
  return typeof value === "object" && value !== null && "dtype" in value && "shape" in value;
}

/** Turns a caller's tensor into a numpy array, as the file format requires. */
function asNdArray(tensor: Tensor): NdArray {
  return tensor instanceof NdArray ? tensor : new NdArray(tensor.dtype, tensor.shape, tensor.data);
}

/** Makes a dict of the values under their names in a file. */
function renamed<T extends object>(
  names: { readonly [K in keyof T]-?: string },
  values: T,
): Map<string, unknown> {
  const keys = Object.keys(names) as (keyof T & string)[];
  return new Map(keys.map((key) => [names[key], values[key]]));
}
