/** The zones of a slider: where the training sounds lie on it. */
import { isInWarningZone, type SliderInfo } from "../../../../lib/latent/positions.js";

export type Zone = "safe" | "warning" | "beyond";

export function zoneOf(position: number, slider: SliderInfo): Zone {
  if (isInWarningZone(position, slider)) return "warning";
  const isSafe = position >= slider.safeMinStep && position <= slider.safeMaxStep;
  return isSafe ? "safe" : "beyond";
}

const WORDS: Record<Zone, string> = {
  safe: "like the training sounds",
  warning: "unusual",
  beyond: "outside the training sounds",
};

export function zoneText(zone: Zone): string {
  return WORDS[zone];
}

/** A slider's value as a screen reader says it. */
export function valueText(position: number, slider: SliderInfo): string {
  const sign = position > 0 ? "plus " : position < 0 ? "minus " : "";
  return `${sign}${Math.abs(position)}, ${WORDS[zoneOf(position, slider)]}`;
}

/** Part of a slider's track; 0 is the track's start and 1 its end. */
export interface Stretch {
  start: number;
  end: number;
}

/**
 * The parts of the track to draw as zones. The safe part is drawn on top of the warning part. Each
 * part extends half a step past its last position, so that a thumb there is visibly inside.
 */
export function stretches(slider: SliderInfo): { safe: Stretch; warning: Stretch } {
  const { minStep, maxStep } = slider;
  const length = maxStep - minStep;
  const share = (step: number) => (length === 0 ? 0 : (step - minStep) / length);
  const stretch = (from: number, to: number): Stretch =>
    from > to
      ? { start: 0.5, end: 0.5 }
      : { start: Math.max(0, share(from - 0.5)), end: Math.min(1, share(to + 0.5)) };
  return {
    safe: stretch(slider.safeMinStep, slider.safeMaxStep),
    warning: stretch(
      Math.min(slider.warningMinStep, slider.safeMinStep),
      Math.max(slider.warningMaxStep, slider.safeMaxStep),
    ),
  };
}
