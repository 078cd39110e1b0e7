import type { NativeQuality } from "../native/types.js";

/**
 * How clean a sound is: its signal-to-noise ratio over frames of 10 ms, its clipped samples
 * (|x| ≥ 0.999), and a rating derived from both.
 */
export interface QualityReport {
  /**
   * dB between frames with signal and frames without: Infinity when none is silent, 0 when all are
   */
  snrDb: number;
  clipping: {
    /** Samples with |x| ≥ 0.999, in all channels */
    clippedSamples: number;
    clippedPercentage: number;
    peakValue: number;
    /** The longest run of clipped samples */
    maxConsecutiveClipped: number;
    hasClipping: boolean;
  };
  rating: "green" | "yellow" | "red";
  /** The rating and its reasons as a sentence */
  ratingReason: string;
}

const RED_SNR_DB = 15;
const YELLOW_SNR_DB = 30;
const RED_CLIPPED_PERCENT = 0.1;

/**
 * Rates measured sound. Red: SNR below 15 dB, or more than 0.1 % of the samples clipped.
 * Yellow: SNR of at most 30 dB, or any clipping. Green otherwise.
 */
export function qualityReport(measured: NativeQuality): QualityReport {
  const { snrDb, clippedSamples, totalSamples, peakValue, maxConsecutiveClipped } = measured;
  const clippedPercentage = totalSamples === 0 ? 0 : (100 * clippedSamples) / totalSamples;
  const hasClipping = clippedSamples > 0;
  const facts = `SNR ${decibels(snrDb)} dB, ${clippingText(clippedSamples, clippedPercentage)}`;
  const [rating, verdict] =
    snrDb < RED_SNR_DB || clippedPercentage > RED_CLIPPED_PERCENT
      ? (["red", "Poor"] as const)
      : snrDb <= YELLOW_SNR_DB || hasClipping
        ? (["yellow", "Fair"] as const)
        : (["green", "Good"] as const);
  return {
    snrDb,
    clipping: { clippedSamples, clippedPercentage, peakValue, maxConsecutiveClipped, hasClipping },
    rating,
    ratingReason: `${verdict} quality (${facts})`,
  };
}

function decibels(value: number): string {
  return value === Number.POSITIVE_INFINITY ? "inf" : value.toFixed(1);
}

function clippingText(samples: number, percentage: number): string {
  if (samples === 0) return "no clipping";
  return `${samples} ${samples === 1 ? "sample" : "samples"} clipped, ${percentage.toFixed(3)} %`;
}
