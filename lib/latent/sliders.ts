import { badArgument, type SeedLimits, seedOrRandom } from "../base/check.js";
import { isFloat32Array } from "../base/realm.js";
import type { Floats } from "../values/arrays.js";
import type { Tensor } from "../values/values.js";
import type { AnalysisResult } from "./analysis.js";
import { Pcg64 } from "./pcg64.js";
import { randomPositions, type SliderInfo } from "./positions.js";

export { isInWarningZone, type SliderInfo } from "./positions.js";

/**
 * Describes each slider, in order. Divides in the precision of the arrays, like numpy, so that
 * bounds are the same as in the Python program.
 */
export function sliderInfos(analysis: AnalysisResult): SliderInfo[] {
  const half = halfRange(analysis);
  return Array.from({ length: analysis.nActiveComponents }, (_, index) => {
    const steps = (bound: Tensor, round: (x: number) => number) => {
      const step = at(analysis.stepSize, index);
      if (step === 0) return 0;
      const quotient = at(bound, index) / step;
      const inFloat32 = bound.dtype === "float32" && analysis.stepSize.dtype === "float32";
      const rounded = round(inFloat32 ? Math.fround(quotient) : quotient);
      return Math.max(-half, Math.min(half, rounded)) + 0;
    };
    return {
      index,
      label: analysis.componentLabels[index] ?? `Axis ${index + 1}`,
      suggestedLabel: analysis.suggestedLabels[index] ?? "",
      minStep: -half + 0,
      maxStep: half,
      safeMinStep: steps(analysis.safeMin, Math.ceil),
      safeMaxStep: steps(analysis.safeMax, Math.floor),
      warningMinStep: steps(analysis.warningMin, Math.ceil),
      warningMaxStep: steps(analysis.warningMax, Math.floor),
      varianceExplainedPct: at(analysis.explainedVarianceRatio, index) * 100,
    };
  });
}

/**
 * Computes the latent of slider positions: `pcaMean + Σ position · stepSize · component`. Rounds
 * each product and each sum to float32, in the order of the sliders, so that the values equal the
 * Python program's bit for bit.
 *
 * @param positions one whole number per slider, -half … half
 * @returns [latentDim]
 * @throws SdaError ERR_SDA_ARGUMENT: a wrong number of positions, or a position that is not a whole
 *   number in its range
 */
export function slidersToLatent(analysis: AnalysisResult, positions: number[]): Floats {
  checkPositions(analysis, positions);
  const { latentDim } = analysis;
  const z = Float32Array.from({ length: latentDim }, (_, d) => at(analysis.pcaMean, d));
  positions.forEach((position, i) => {
    const distance = Math.fround(position * at(analysis.stepSize, i));
    for (let d = 0; d < latentDim; d++) {
      const component = Math.fround(at(analysis.pcaComponents, i * latentDim + d));
      // Storing into a Float32Array rounds the sum; the product needs its own rounding first.
      z[d] = (z[d] as number) + Math.fround(distance * component);
    }
  });
  return z;
}

/** Stop when the gradient's norm has shrunk by this factor: the rest is rounding error. */
const TOLERANCE = 1e-12;
/** Perpendicular axes take one step. This limits the time for the axes of a hostile file. */
const MAX_STEPS = 100;

/**
 * Computes the slider positions for a latent: the inverse of `LoadedModel.slidersToLatent`. A
 * latent that no positions give exactly is projected onto the sliders' axes: the distances along
 * the axes are the least-squares solution. Each position is then rounded to a whole step and
 * clamped to its range.
 *
 * The method is conjugate gradients on the normal equations (Hestenes and Stiefel 1952, "Methods of
 * Conjugate Gradients for Solving Linear Systems"), because the axes in a file may not be
 * perpendicular. The axes of a principal component analysis are, and take one step.
 *
 * @param latent [latentDim], finite
 * @returns one whole number per slider, -half … half; 0 for a slider whose step size is 0
 * @throws SdaError ERR_SDA_ARGUMENT: `latent` has another type or length, or a value that is not
 *   finite
 * @example
 * ```js
 * const { analysis } = await describeModel("data/models/pads.sda");
 * const mean = Float32Array.from(analysis.pcaMean.data);
 * console.log(latentToSliders(analysis, mean)); // [ 0, 0, 0, 0, 0, 0 ], the center
 * ```
 */
export function latentToSliders(analysis: AnalysisResult, latent: Float32Array): number[] {
  const { latentDim, nActiveComponents: count } = analysis;
  if (!isFloat32Array(latent) || latent.length !== latentDim) {
    throw badArgument("latent", `a Float32Array of ${latentDim}`, latent);
  }
  if (!latent.every(Number.isFinite)) throw badArgument("latent", "finite", "NaN or infinity");
  const axis = (i: number, d: number) => at(analysis.pcaComponents, i * latentDim + d);
  const combine = (along: Float64Array) =>
    Float64Array.from({ length: latentDim }, (_, d) =>
      dot(count, (i) => (along[i] as number) * axis(i, d)),
    );
  const project = (point: Float64Array) =>
    Float64Array.from({ length: count }, (_, i) =>
      dot(latentDim, (d) => (point[d] as number) * axis(i, d)),
    );

  const distances = new Float64Array(count);
  const left = Float64Array.from(latent, (value, d) => value - at(analysis.pcaMean, d));
  let gradient = project(left);
  const direction = gradient.slice();
  let norm = squared(gradient);
  const enough = norm * TOLERANCE ** 2;
  for (let step = 0; step < Math.min(count, MAX_STEPS) && norm > enough; step++) {
    const moved = combine(direction);
    const length = norm / squared(moved);
    // The axes are so short or so long that the division underflows or overflows.
    if (!Number.isFinite(length)) break;
    for (let i = 0; i < count; i++)
      distances[i] = (distances[i] as number) + length * (direction[i] as number);
    for (let d = 0; d < latentDim; d++)
      left[d] = (left[d] as number) - length * (moved[d] as number);
    gradient = project(left);
    const before = norm;
    norm = squared(gradient);
    for (let i = 0; i < count; i++)
      direction[i] = (gradient[i] as number) + (norm / before) * (direction[i] as number);
  }
  const half = halfRange(analysis);
  return Array.from(distances, (distance, i) => {
    const step = at(analysis.stepSize, i);
    const position = step === 0 ? 0 : Math.round(distance / step);
    return Math.max(-half, Math.min(half, position)) + 0;
  });
}

/**
 * Returns the middle position of each slider, 0. It stands for the mean of the training sounds.
 *
 * @returns one 0 per slider
 * @example
 * ```js
 * const { analysis } = await describeModel("data/models/pads.sda");
 * const positions = centerSliders(analysis);
 * positions[0] = 3; // moves the first slider only
 * console.log(positions);
 * ```
 */
export function centerSliders(analysis: AnalysisResult): number[] {
  return new Array<number>(analysis.nActiveComponents).fill(0);
}

/** A passed seed may be any safe integer from 0 on. A drawn seed has 32 bits. */
const SEEDS: SeedLimits = { seed: { min: 0, max: 2 ** 53 - 1 }, drawnSeed: { max: 2 ** 32 - 1 } };

/**
 * Draws a random position for each slider, uniform within its safe range. A seed gives the same
 * positions as numpy's `default_rng(seed).integers` in the Python program. A slider whose safe
 * range contains no whole step stays at 0.
 *
 * The generator is PCG64 (O'Neill 2014, "PCG: A Family of Simple Fast Space-Efficient Statistically
 * Good Algorithms for Random Number Generation"), with numpy's seeding and its bounded integers
 * (Lemire 2019, "Fast Random Integer Generation in an Interval").
 *
 * @param seed a whole number, 0 to 2^53 - 1; omitted: drawn from the system's random numbers
 * @returns one whole number per slider
 * @throws SdaError ERR_SDA_ARGUMENT: the seed is not such a number
 * @example
 * ```js
 * const { analysis } = await describeModel("data/models/pads.sda");
 * console.log(randomizeSliders(analysis, 42)); // [ -8, 6, 2, -1, -2, 6 ], on every call
 * ```
 */
export function randomizeSliders(analysis: AnalysisResult, seed?: number): number[] {
  return randomPositions(sliderInfos(analysis), new Pcg64(seedOrRandom(seed, SEEDS)));
}

function checkPositions(analysis: AnalysisResult, positions: unknown): void {
  const count = analysis.nActiveComponents;
  const half = halfRange(analysis);
  if (!Array.isArray(positions) || positions.length !== count) {
    throw badArgument("sliders", `an array of ${count} positions`, positions);
  }
  // `findIndex` visits the holes of a sparse array; `some` skips them.
  const wrong = positions.findIndex((p) => !Number.isInteger(p) || Math.abs(p) > half);
  if (wrong >= 0) {
    const expected = `whole numbers from ${-half} to ${half}, one per slider (index ${wrong} is wrong)`;
    throw badArgument("sliders", expected, positions[wrong]);
  }
}

function halfRange(analysis: AnalysisResult): number {
  return Math.floor(analysis.nSteps / 2);
}

function dot(length: number, product: (index: number) => number): number {
  let sum = 0;
  for (let index = 0; index < length; index++) sum += product(index);
  return sum;
}

function squared(vector: Float64Array): number {
  return dot(vector.length, (i) => (vector[i] as number) ** 2);
}

function at(array: Tensor, index: number): number {
  return array.data[index] as number;
}
