import type { Quality } from "../types.js";

const VERDICTS = { green: "Clean", yellow: "Usable, with flaws", red: "Poor" } as const;

/** The server's measurements as a verdict and its reasons. */
export function qualityInWords({ rating, snrDb, clipping }: Quality): {
  verdict: string;
  reasons: string;
} {
  const noise =
    snrDb === null
      ? "no silent stretch to measure noise in"
      : snrDb === 0
        ? "nothing louder than silence"
        : `${Math.round(snrDb)} dB between sound and silence`;
  const clipped = clipping.hasClipping
    ? `${clipping.clippedSamples} clipped ${clipping.clippedSamples === 1 ? "sample" : "samples"} (${clipping.clippedPercentage.toFixed(3)} %)`
    : "nothing clipped";
  return { verdict: VERDICTS[rating], reasons: `${noise}, ${clipped}` };
}
