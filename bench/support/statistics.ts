/** Medians with their spread: machines are noisy, and a mean believes every hiccup. */
export interface Summary {
  samples: number;
  /** Milliseconds */
  median: number;
  /** Quartiles, milliseconds */
  low: number;
  high: number;
}

export function summarize(samples: readonly number[]): Summary {
  const sorted = [...samples].sort((a, b) => a - b);
  const at = (q: number) => sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))] ?? 0;
  return { samples: sorted.length, median: at(0.5), low: at(0.25), high: at(0.75) };
}

export function show({ median, low, high, samples }: Summary): string {
  const ms = (value: number) => (value < 10 ? value.toFixed(3) : value.toFixed(1));
  return `${ms(median)} ms  (${ms(low)} to ${ms(high)}, ${samples} runs)`;
}
