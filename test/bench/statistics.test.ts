import { expect, it } from "vitest";
import { LEAST_RUNS } from "../../bench/support/compare.js";
import { summarize } from "../../lib/bench/statistics.js";

const upTo = (n: number) => Array.from({ length: n }, (_, i) => n - i);

it("gives median and quartiles", () => {
  const { samples, median, low, high } = summarize(upTo(100));
  expect({ samples, median, low, high }).toEqual({ samples: 100, median: 50.5, low: 26, high: 76 });
});

/** From tables of the binomial distribution: P(X < rank) for one half. */
it.each([
  [6, [1, 6], 1 - 2 / 64],
  [7, [1, 7], 1 - 2 / 128],
  [8, [1, 8], 1 - 2 / 256],
  [9, [2, 8], 1 - (2 * 10) / 512],
  [20, [6, 15], 0.958611],
  [100, [40, 61], 0.9648],
])("of %i samples, finds where the median lies, exactly", (n, between, confidence) => {
  const summary = summarize(upTo(n));
  expect(summary.between).toEqual(between);
  expect(summary.confidence).toBeCloseTo(confidence, 4);
});

it.each([
  [1, 0],
  [2, 0.5],
  [5, 0.9375],
])("of %i samples, takes the extremes and says how little sure that is", (n, confidence) => {
  const summary = summarize(upTo(n));
  expect(summary.between).toEqual([1, n]);
  expect(summary.confidence).toBe(confidence);
});

it("needs as many for 95 % as comparisons ask for", () => {
  expect(summarize(upTo(LEAST_RUNS)).confidence).toBeGreaterThanOrEqual(0.95);
  expect(summarize(upTo(LEAST_RUNS - 1)).confidence).toBeLessThan(0.95);
});

it("finds it among more samples than a probability of none has an exponent for", () => {
  const { between, confidence } = summarize(upTo(100_000));
  expect(Math.abs(between[0] - (50_000 - 310))).toBeLessThan(2); // 1.96 of sqrt(n) / 2
  expect(between[0] + between[1]).toBe(100_001);
  expect(confidence).toBeGreaterThanOrEqual(0.95);
  expect(confidence).toBeLessThan(0.951);
});
