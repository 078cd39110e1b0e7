/** What can be said of slider positions without the analysis they came from. Imports nothing of Node's: the server's page uses it, too. */
import type { Pcg64 } from "./pcg64.js";

/** One principal axis as a slider. Steps are whole slider positions. */
export interface SliderInfo {
  index: number;
  label: string;
  suggestedLabel: string;
  /** The slider's ends: -half and half */
  minStep: number;
  maxStep: number;
  /** Between these the training sounds lie */
  safeMinStep: number;
  safeMaxStep: number;
  /** Between these and the safe bounds sounds get unusual; see `isInWarningZone` */
  warningMinStep: number;
  warningMaxStep: number;
  /** Percent of the latent space's variance along this axis */
  varianceExplainedPct: number;
}

/**
 * A random position for each slider, uniform within its safe range. A slider whose safe range holds no whole step
 * stays at 0 and draws nothing.
 */
export function randomPositions(sliders: readonly SliderInfo[], random: Pcg64): number[] {
  return sliders.map(({ safeMinStep, safeMaxStep }) =>
    safeMinStep > safeMaxStep ? 0 : random.integer(safeMinStep, safeMaxStep),
  );
}

/** Whether a position lies beyond the safe range but within the warning range, on either side. */
export function isInWarningZone(position: number, slider: SliderInfo): boolean {
  return (
    (position >= slider.warningMinStep && position < slider.safeMinStep) ||
    (position > slider.safeMaxStep && position <= slider.warningMaxStep)
  );
}
