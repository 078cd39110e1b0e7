import { badArgument, seedOrRandom } from "../check.js";
import type { Tensor } from "../torch/values.js";
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
export function slidersToLatent(analysis: AnalysisResult, positions: number[]): Float32Array {
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

/** Every slider at its middle: a 0 for each of the analysis's active components. */
export function centerSliders(analysis: AnalysisResult): number[] {
  return new Array<number>(analysis.nActiveComponents).fill(0);
}

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
  return randomPositions(sliderInfos(analysis), new Pcg64(seedOrRandom(seed)));
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

function at(array: Tensor, index: number): number {
  return array.data[index] as number;
}
