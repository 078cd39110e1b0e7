/** Medians with their spread: machines are noisy, and a mean believes every hiccup. */
export interface Summary {
  samples: number;
  /** Milliseconds, or a ratio */
  median: number;
  /** Quartiles */
  low: number;
  high: number;
}

export function summarize(samples: readonly number[]): Summary {
  const sorted = [...samples].sort((a, b) => a - b);
  const at = (q: number) => sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))] ?? 0;
  return { samples: sorted.length, median: at(0.5), low: at(0.25), high: at(0.75) };
}

export function scaled({ samples, median, low, high }: Summary, factor: number): Summary {
  return { samples, median: median * factor, low: low * factor, high: high * factor };
}

/** Something a second, from the milliseconds that `amount` of it took. */
export function perSecond({ samples, median, low, high }: Summary, amount: number): Summary {
  const rate = (ms: number) => (amount * 1e3) / ms;
  return { samples, median: rate(median), low: rate(high), high: rate(low) };
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

export function show({ median, low, high, samples }: Summary): string {
  const ms = (value: number) => (value < 10 ? value.toFixed(3) : value.toFixed(1));
  return `${ms(median)} ms  (${ms(low)} to ${ms(high)}, ${samples} runs)`;
}
