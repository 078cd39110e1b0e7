import { describe, expect, it } from "vitest";
import { qualityReport } from "../../lib/audio/quality.js";
import { corpus, golden } from "../support/corpus.js";

const measured = {
  snrDb: 40,
  clippedSamples: 0,
  totalSamples: 100_000,
  peakValue: 0.891,
  maxConsecutiveClipped: 0,
};

describe("qualityReport", () => {
  it.each([
    [40, 0, "green", "Good quality (SNR 40.0 dB, no clipping)"],
    [Number.POSITIVE_INFINITY, 0, "green", "Good quality (SNR inf dB, no clipping)"],
    [30.01, 0, "green", "Good quality (SNR 30.0 dB, no clipping)"],
    [30, 0, "yellow", "Fair quality (SNR 30.0 dB, no clipping)"],
    [15, 0, "yellow", "Fair quality (SNR 15.0 dB, no clipping)"],
    [40, 1, "yellow", "Fair quality (SNR 40.0 dB, 1 sample clipped, 0.001 %)"],
    [40, 100, "yellow", "Fair quality (SNR 40.0 dB, 100 samples clipped, 0.100 %)"],
    [40, 101, "red", "Poor quality (SNR 40.0 dB, 101 samples clipped, 0.101 %)"],
    [14.99, 0, "red", "Poor quality (SNR 15.0 dB, no clipping)"],
    [0, 0, "red", "Poor quality (SNR 0.0 dB, no clipping)"],
  ])("SNR %d dB with %d clipped is %s", (snrDb, clippedSamples, rating, reason) => {
    const report = qualityReport({ ...measured, snrDb, clippedSamples });
    expect(report.rating).toBe(rating);
    expect(report.ratingReason).toBe(reason);
    expect(report.clipping.hasClipping).toBe(clippedSamples > 0);
  });

  it("has no percentage if there is nothing to count", () => {
    const report = qualityReport({ ...measured, totalSamples: 0 });
    expect(report.clipping.clippedPercentage).toBe(0);
  });

  it.skipIf(corpus === null)("gives the values of the Python program", () => {
    for (const { quality } of golden("default").generate) {
      const report = qualityReport({
        snrDb: Number(quality.snr_db),
        clippedSamples: quality.clipping.clipped_samples,
        totalSamples: 48000,
        peakValue: quality.clipping.peak_value,
        maxConsecutiveClipped: quality.clipping.max_consecutive_clipped,
      });
      expect(report.ratingReason).toBe(quality.rating_reason);
      expect(report.rating).toBe(quality.rating);
      expect(report.clipping).toEqual({
        clippedSamples: quality.clipping.clipped_samples,
        clippedPercentage: quality.clipping.clipped_percentage,
        peakValue: quality.clipping.peak_value,
        maxConsecutiveClipped: quality.clipping.max_consecutive_clipped,
        hasClipping: quality.clipping.has_clipping,
      });
    }
  });
});
