/** Calculations with summaries. `sda bench` uses the same summaries. */
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

/** The rate per second, from the milliseconds that `amount` took. */
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
 * The ratio of the time of `theirs` to that of `ours` by round: of the rounds' medians, and of
 * their fastest runs, which a noisy neighbour disturbs least.
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
