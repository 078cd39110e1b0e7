/**
 * Functions of slider positions that need no analysis. The server's page uses this file in the
 * browser, so it imports nothing from Node.
 */
import type { Pcg64 } from "./pcg64.js";

/**
 * A slider moves the sound along one principal axis of the latent space. Its positions are whole
 * numbers, counted in steps from the mean of the training sounds.
 */
export interface SliderInfo {
  /** From 0, in the order of the positions that `generate` takes */
  index: number;
  /** The name that a person gave the slider, or "Axis 1", … */
  label: string;
  /** The sound feature that correlates most with the axis; "" when unknown */
  suggestedLabel: string;
  /** The lowest and the highest position: -half and half */
  minStep: number;
  maxStep: number;
  /** The safe range, in which most training sounds lie */
  safeMinStep: number;
  safeMaxStep: number;
  /** Between these and the safe range, sounds become unusual; see `isInWarningZone` */
  warningMinStep: number;
  warningMaxStep: number;
  /** The share of the latent space's variance along this axis, in percent */
  varianceExplainedPct: number;
}

/**
 * Draws a random position for each slider, uniform within its safe range. If the safe range
 * contains no whole step, the position is 0 and the generator does not advance.
 */
export function randomPositions(sliders: readonly SliderInfo[], random: Pcg64): number[] {
  return sliders.map(({ safeMinStep, safeMaxStep }) =>
    safeMinStep > safeMaxStep ? 0 : random.integer(safeMinStep, safeMaxStep),
  );
}

/**
 * Whether a position is outside the slider's safe range but still within its warning range.
 *
 * @param position in steps, from `slider.minStep` to `slider.maxStep`
 * @example
 * ```js
 * const { sliders } = await describeModel("data/models/pads.sda");
 * const [first] = sliders;
 * for (let position = first.minStep; position <= first.maxStep; position++) {
 *   console.log(position, isInWarningZone(position, first) ? "unusual" : "");
 * }
 * ```
 */
export function isInWarningZone(position: number, slider: SliderInfo): boolean {
  return (
    (position >= slider.warningMinStep && position < slider.safeMinStep) ||
    (position > slider.safeMaxStep && position <= slider.warningMaxStep)
  );
}
