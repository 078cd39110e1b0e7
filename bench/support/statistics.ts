/** What is made of summaries; the summary itself is what `sda bench` gives, too. */
import { type Summary, summarize } from "../../lib/bench/statistics.js";

export { type Summary, summarize };

export function scaled(summary: Summary, factor: number): Summary {
  const { samples, median, low, high, between, confidence } = summary;
  return {
    samples,
    median: median * factor,
    low: low * factor,
    high: high * factor,
    between: [between[0] * factor, between[1] * factor],
    confidence,
  };
}

/** Something a second, from the milliseconds that `amount` of it took. */
export function perSecond(summary: Summary, amount: number): Summary {
  const { samples, median, low, high, between, confidence } = summary;
  const rate = (ms: number) => (amount * 1e3) / ms;
  return {
    samples,
    median: rate(median),
    low: rate(high),
    high: rate(low),
    between: [rate(between[1]), rate(between[0])],
    confidence,
  };
}

/**
 * How many times longer `theirs` took, round by round: by the rounds' medians, and by their fastest runs, which a noisy
 * neighbour has disturbed least.
 */
export function ratioOf(
  theirs: readonly (readonly number[])[],
  ours: readonly (readonly number[])[],
): { median: Summary; fastest: Summary } {
  const compare = (figure: (times: readonly number[]) => number) =>
    summarize(theirs.map((times, round) => figure(times) / figure(ours[round] ?? [])));
  return {
    median: compare((times) => summarize(times).median),
    fastest: compare((times) => Math.min(...times)),
  };
}
