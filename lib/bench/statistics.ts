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
