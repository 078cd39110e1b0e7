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

/** How many times longer `theirs` took: the ratios of the rounds' medians, round by round. */
export function ratioOf(
  theirs: readonly (readonly number[])[],
  ours: readonly (readonly number[])[],
): Summary {
  return summarize(
    theirs.map((times, round) => summarize(times).median / summarize(ours[round] ?? []).median),
  );
}

export function show({ median, low, high, samples }: Summary): string {
  const ms = (value: number) => (value < 10 ? value.toFixed(3) : value.toFixed(1));
  return `${ms(median)} ms  (${ms(low)} to ${ms(high)}, ${samples} runs)`;
}
