import { badArgument, type SeedLimits, seedOrRandom } from "../base/check.js";
import type { Floats } from "../values/arrays.js";
import type { Tensor } from "../values/values.js";
import type { AnalysisResult } from "./analysis.js";
import { Pcg64 } from "./pcg64.js";
import { randomPositions, type SliderInfo } from "./positions.js";

export { isInWarningZone, type SliderInfo } from "./positions.js";

/** What each slider can do, in order. Divisions are done in the arrays' own precision, as numpy does them. */
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
 * The latent that slider positions stand for: `pcaMean + Σ position · stepSize · component`.
 * Every product and every sum is rounded to float32, in the sliders' order, so that the Python program's
 * values come out bit for bit.
 *
 * @param positions one whole number a slider, -half … half
 * @returns [latentDim]
 * @throws SdaError ERR_SDA_ARGUMENT for a wrong count or a position that is no whole number in range
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

/** Of the normal equations: beyond this, what is left is rounding. */
const TOLERANCE = 1e-12;
/** Perpendicular axes take one; a file that somebody made up is not to take for ever. */
const MAX_STEPS = 100;

/**
 * The slider positions whose latent is nearest to `latent`: what `slidersToLatent` undoes, and for a point that no positions
 * stand for, its projection. Where the axes are not perpendicular to each other, as those of a principal component analysis
 * are, it is the least-squares solution, by conjugate gradients on the normal equations (Hestenes and Stiefel 1952, "Methods of
 * Conjugate Gradients for Solving Linear Systems"). Each position is then rounded and clamped by itself.
 *
 * @param latent [latentDim], finite
 * @returns one whole number a slider, -half … half; 0 where a step is 0
 * @throws SdaError ERR_SDA_ARGUMENT
 */
export function latentToSliders(analysis: AnalysisResult, latent: Float32Array): number[] {
  const { latentDim, nActiveComponents: count } = analysis;
  if (!(latent instanceof Float32Array) || latent.length !== latentDim) {
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
    if (!Number.isFinite(length)) break; // these axes lead nowhere
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

/** Every slider at its middle: a 0 for each of the analysis's active components. */
export function centerSliders(analysis: AnalysisResult): number[] {
  return new Array<number>(analysis.nActiveComponents).fill(0);
}

/** Seeds of numpy's generator: whole numbers that JavaScript holds exactly; 32 bits where one is drawn. */
const SEEDS: SeedLimits = { seed: { min: 0, max: 2 ** 53 - 1 }, drawnSeed: { max: 2 ** 32 - 1 } };

/**
 * A random position for each slider, uniform within its safe range.
 * The same seed gives the same positions as numpy's `default_rng(seed).integers` in the Python program.
 * A slider whose safe range holds no whole step stays at 0 and draws nothing.
 *
 * The generator is PCG64 (O'Neill 2014, "PCG: A Family of Simple Fast Space-Efficient Statistically Good Algorithms"), seeded
 * and bounded as numpy does it (Lemire 2019, "Fast Random Integer Generation in an Interval").
 *
 * @param seed 0 to 2^53 - 1; drawn from the system when omitted
 * @returns one whole number a slider
 * @throws SdaError ERR_SDA_ARGUMENT for a bad seed
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
  // Not `some`: it would skip the holes of a sparse array.
  const wrong = positions.findIndex((p) => !Number.isInteger(p) || Math.abs(p) > half);
  if (wrong >= 0) {
    const expected = `whole numbers from ${-half} to ${half}, one a slider (look at index ${wrong})`;
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
