import type { AnalysisResult } from "../latent/analysis.js";
import { NdArray, Tensor } from "../values/values.js";
import { type Fields, schemaError, toNumber } from "./fields.js";
import { checkVersion } from "./generations.js";
import { ANALYSIS_NAMES } from "./names.js";

const ANALYSIS_VERSION = 1;
const DEFAULT_STEPS = 21;
const MAX_STEPS = 2 ** 31 - 1;

/**
 * Reads `latent_analysis` from a model file's top-level dict. The shape of every array must fit
 * the other arrays and the model's latent dimension. Axes, mean and bounds must be finite.
 *
 * @returns null: the value is None or missing
 * @throws SdaError ERR_SDA_SCHEMA (`details.field`), ERR_SDA_VERSION
 */
export function parseAnalysis(top: Fields, latentDim: number, path: string): AnalysisResult | null {
  const key = "latent_analysis";
  if ((top.get(key) ?? null) === null) return null;
  const fields = top.dict(key);
  const names = ANALYSIS_NAMES;
  const version = checkVersion(
    fields,
    names.version,
    `${key}.${names.version}`,
    1,
    path,
    ANALYSIS_VERSION,
  );

  const pcaComponents = readArray(fields, names.pcaComponents, [null, latentDim]);
  const n = pcaComponents.shape[0] as number;
  const perAxis = (name: string) => readArray(fields, name, [n]);
  const analysis: AnalysisResult = {
    version,
    pcaComponents,
    pcaMean: readArray(fields, names.pcaMean, [latentDim]),
    // Not required to be finite: it is 0 / 0 = NaN when all training sounds are equal.
    explainedVarianceRatio: readArray(fields, names.explainedVarianceRatio, [n], false),
    nActiveComponents: fields.integer(names.nActiveComponents, undefined, 0, n),
    componentLabels: readLabels(fields, names.componentLabels, n),
    suggestedLabels: readLabels(fields, names.suggestedLabels, n),
    safeMin: perAxis(names.safeMin),
    safeMax: perAxis(names.safeMax),
    warningMin: perAxis(names.warningMin),
    warningMax: perAxis(names.warningMax),
    stepSize: perAxis(names.stepSize),
    nSteps: fields.integer(names.nSteps, DEFAULT_STEPS, 1, MAX_STEPS),
    featureCorrelations: readCorrelations(fields, names.featureCorrelations, path),
    latentDim: fields.integer(names.latentDim, latentDim),
  };
  if (analysis.latentDim !== latentDim) {
    throw fields.error(names.latentDim, `the model's latent_dim (${latentDim})`);
  }
  return analysis;
}

/**
 * Reads an array of float32 or float64, or lists of numbers.
 *
 * @param shape the required length of each dimension; null: any length from 1
 * @param finite whether every element must be finite
 */
function readArray(fields: Fields, key: string, shape: (number | null)[], finite = true): Tensor {
  const value = fields.get(key);
  const array = value instanceof Tensor ? value : fromLists(value, shape.length);
  const refuse = (why: string) => {
    const wanted = shape.map((length) => length ?? "n").join(", ");
    return fields.error(key, `an array of float32 or float64, [${wanted}]${why}`);
  };
  if (array === null) throw refuse("");
  if (array.dtype !== "float32" && array.dtype !== "float64") {
    throw refuse(` (its type is ${array.dtype})`);
  }
  const fits =
    array.shape.length === shape.length &&
    array.shape.every((length, i) => (shape[i] === null ? length > 0 : length === shape[i]));
  if (!fits) throw refuse(` (its shape is [${array.shape.join(", ")}])`);
  if (finite && !allFinite(array.data as Float64Array)) throw refuse(", of finite numbers only");
  return array;
}

/** Every load calls this function. The loop takes a tenth of the time of `every`. */
function allFinite(numbers: Float32Array | Float64Array): boolean {
  for (let i = 0; i < numbers.length; i++) {
    if (!Number.isFinite(numbers[i])) return false;
  }
  return true;
}

/**
 * Makes a float64 array from lists of numbers. `depth`: 1 or 2 dimensions. Null: not such lists.
 */
function fromLists(value: unknown, depth: number): Tensor | null {
  if (!Array.isArray(value)) return null;
  const rows = depth === 2 ? value : [value];
  const width = (rows[0] as unknown[] | undefined)?.length;
  const even = rows.every((row) => Array.isArray(row) && row.length === width);
  if (width === undefined || !even) return null;
  const numbers = (rows as unknown[][]).flat();
  if (!numbers.every(isNumber)) return null;
  const shape = depth === 2 ? [rows.length, width] : [width];
  return new NdArray("float64", shape, Float64Array.from(numbers, toNumber), false);
}

function readLabels(fields: Fields, key: string, n: number): string[] {
  const labels = fields.strings(key, []);
  if (labels.length > n) throw fields.error(key, `at most ${n} labels, one per axis`);
  return labels;
}

function readCorrelations(fields: Fields, key: string, path: string): Record<string, number[]> {
  if (!fields.has(key)) return {};
  const correlations = fields.dict(key);
  return Object.fromEntries(
    correlations.keys().map((name) => {
      const values = correlations.get(name as string);
      const good = typeof name === "string" && Array.isArray(values) && values.every(isNumber);
      if (!good) {
        const field = `latent_analysis.${key}.${String(name)}`;
        throw schemaError(path, field, "a str with a list of float", values);
      }
      return [name, Array.from(values, toNumber)];
    }),
  );
}

function isNumber(item: unknown): boolean {
  return typeof item === "number" || typeof item === "bigint";
}
