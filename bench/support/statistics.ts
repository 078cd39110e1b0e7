/** Medians with their spread: machines are noisy, and a mean believes every hiccup. */
export interface Summary {
  samples: number;
  /** Milliseconds, or a ratio */
  median: number;
  /** Quartiles */
  low: number;
  high: number;
  /** Where the median lies with 95 % confidence, by order statistics: no assumption about how samples are spread */
  between: [number, number];
}

export function summarize(samples: readonly number[]): Summary {
  const sorted = [...samples].sort((a, b) => a - b);
  const n = sorted.length;
  const at = (rank: number) => sorted[Math.max(0, Math.min(n - 1, rank))] ?? 0;
  const away = 0.98 * Math.sqrt(n); // 1.96 standard deviations of the median's rank, which is binomial
  return {
    samples: n,
    median: (at(Math.floor((n - 1) / 2)) + at(Math.floor(n / 2))) / 2,
    low: at(Math.floor(n / 4)),
    high: at(Math.floor((3 * n) / 4)),
    between: [at(Math.floor(n / 2 - away)), at(Math.ceil(n / 2 + away))],
  };
}

export function scaled(summary: Summary, factor: number): Summary {
  const { samples, median, low, high, between } = summary;
  return {
    samples,
    median: median * factor,
    low: low * factor,
    high: high * factor,
    between: [between[0] * factor, between[1] * factor],
  };
}

/** Something a second, from the milliseconds that `amount` of it took. */
export function perSecond(summary: Summary, amount: number): Summary {
  const { samples, median, low, high, between } = summary;
  const rate = (ms: number) => (amount * 1e3) / ms;
  return {
    samples,
    median: rate(median),
    low: rate(high),
    high: rate(low),
    between: [rate(between[1]), rate(between[0])],
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

export function show({ median, low, high, samples }: Summary): string {
  const ms = (value: number) => (value < 10 ? value.toFixed(3) : value.toFixed(1));
  return `${ms(median)} ms  (${ms(low)} to ${ms(high)}, ${samples} runs)`;
}
