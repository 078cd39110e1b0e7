import { BOOLEAN, FLOAT, field, INT, object, oneOf, TEXT } from "../base/python-record.js";
import type { QualityReport } from "./quality.js";

/** A quality report as the Python program's JSON files have it. */
export const QUALITY = object<QualityReport>(
  {
    snrDb: field("snr_db", FLOAT),
    clipping: field(
      "clipping",
      object<QualityReport["clipping"]>({
        clippedSamples: field("clipped_samples", INT),
        clippedPercentage: field("clipped_percentage", FLOAT),
        peakValue: field("peak_value", FLOAT),
        maxConsecutiveClipped: field("max_consecutive_clipped", INT),
        hasClipping: field("has_clipping", BOOLEAN),
      }),
    ),
    rating: field("rating", oneOf(["green", "yellow", "red"])),
    ratingReason: field("rating_reason", TEXT),
  },
  "a quality report",
);
