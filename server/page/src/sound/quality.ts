import { count } from "../format.js";
import type { Quality } from "../types.js";

const VERDICTS = { green: "Clean", yellow: "Usable, with flaws", red: "Poor" } as const;

/** The server's quality measurements as a verdict and its reasons. */
export function qualityInWords({ rating, snrDb, clipping }: Quality): {
  verdict: string;
  reasons: string;
} {
  const noise =
    snrDb === null
      ? "no silent part to measure noise in"
      : snrDb === 0
        ? "only silence"
        : `signal-to-noise ratio ${Math.round(snrDb)} dB`;
  const share = clipping.clippedPercentage.toFixed(3);
  const clipped = clipping.hasClipping
    ? `${count(clipping.clippedSamples, "clipped sample")} (${share} %)`
    : "no clipping";
  return { verdict: VERDICTS[rating], reasons: `${noise}, ${clipped}` };
}
