import { describe, expect, test } from "vitest";
import {
  bytes,
  count,
  day,
  duration,
  featureName,
  fileName,
  hertz,
  loss,
  percent,
  seconds,
} from "../../page/src/format.js";
import { parseTags } from "../../page/src/model/tags.js";
import { waveformRows } from "../../page/src/sound/peaks.js";
import { qualityInWords } from "../../page/src/sound/quality.js";
import type { Quality } from "../../page/src/types.js";

test.each([
  [0, "0 B"],
  [999, "999 B"],
  [1000, "1.0 kB"],
  [999_949, "1.0 MB"],
  [12_629_298, "13 MB"],
  [3.2e12, "3.2 TB"],
  [5e15, "5000 TB"],
])("%d bytes are %s", (n, text) => {
  expect(bytes(n)).toBe(text);
});

test.each([
  [0.25, "0.3 s"],
  [4, "4 s"],
  [61.9, "1:01 min"],
])("a sound of %d s is %s", (s, text) => {
  expect(seconds(s)).toBe(text);
});

test.each([
  [42, "42 s"],
  [240, "4 min"],
  [3600, "1 h 0 min"],
  [9000, "2 h 30 min"],
])("a dataset of %d s is %s", (s, text) => {
  expect(duration(s)).toBe(text);
});

test("dates are shown as days; other text is unchanged", () => {
  expect(day("2026-02-14T23:59:59.123456+00:00")).toBe("14 Feb 2026");
  expect(day("")).toBe("unknown");
  expect(day("yesterday")).toBe("yesterday");
});

test("a loss is unknown without epochs and when it is not a number", () => {
  expect(loss(4.1678, 90)).toBe("4.17");
  expect(loss(0, 0)).toBe("unknown");
  expect(loss(null, 90)).toBe("unknown");
});

test("counts use singular and plural", () => {
  expect(count(1, "model")).toBe("1 model");
  expect(count(1234, "model")).toBe("1,234 models");
});

test("rates, shares and features", () => {
  expect(hertz(44100)).toBe("44.1 kHz");
  expect(percent(4.256)).toBe("4.3 %");
  expect(percent(22.15)).toBe("22 %");
  expect(featureName("zero_crossing_rate")).toBe("zero crossing rate");
});

test("a download's file name has safe characters only", () => {
  expect(fileName("Brillo ✨/../é", 42)).toBe("Brillo_e_seed42.wav");
  expect(fileName("✨", 0)).toBe("sound_seed0.wav");
});

test("tags are separated by commas; empty and duplicate tags are dropped", () => {
  expect(parseTags(" drums,, warm pad ,Drums,")).toEqual(["drums", "warm pad"]);
  expect(parseTags("")).toEqual([]);
});

describe("the waveform", () => {
  test("of a mono sound has maxima above and minima below", () => {
    expect(waveformRows([[-0.5, 0.25, -1, 0.75]])).toEqual([
      [0.25, 0.75],
      [-0.5, -1],
    ]);
  });

  test("of a stereo sound has the left channel above and the right below", () => {
    const rows = waveformRows([
      [-0.5, 0.25],
      [-0.1, 0.9],
    ]);
    expect(rows).toEqual([[0.5], [0.9]]);
  });
});

describe("quality in words", () => {
  const clean: Quality = {
    snrDb: null,
    clipping: {
      clippedSamples: 0,
      clippedPercentage: 0,
      peakValue: 0.9,
      maxConsecutiveClipped: 0,
      hasClipping: false,
    },
    rating: "green",
    ratingReason: "",
  };

  test("a null ratio, which stands for infinity", () => {
    expect(qualityInWords(clean)).toEqual({
      verdict: "Clean",
      reasons: "no silent part to measure noise in, no clipping",
    });
  });

  test("noise and clipping", () => {
    const clipping = {
      ...clean.clipping,
      clippedSamples: 1,
      clippedPercentage: 0.002,
      hasClipping: true,
    };
    expect(qualityInWords({ ...clean, snrDb: 12.4, clipping, rating: "red" })).toEqual({
      verdict: "Poor",
      reasons: "signal-to-noise ratio 12 dB, 1 clipped sample (0.002 %)",
    });
  });
});
