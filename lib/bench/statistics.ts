/** The median of measurements and its spread. A mean would follow every outlier. */
export interface Summary {
  /** Number of samples */
  samples: number;
  /** In the unit of the samples: milliseconds, or a ratio */
  median: number;
  /** Lower quartile */
  low: number;
  /** Upper quartile */
  high: number;
  /**
   * Confidence interval of the median, from order statistics: it assumes nothing about the
   * distribution of the samples
   */
  between: [number, number];
  /**
   * Confidence level of `between`: 0.95, or the smallest possible level above it. With few samples,
   * `between` is their extremes and the level is lower; 0 for one sample.
   */
  confidence: number;
}

const ENOUGH = 0.95;

export function summarize(samples: readonly number[]): Summary {
  const sorted = [...samples].sort((a, b) => a - b);
  const n = sorted.length;
  const at = (rank: number) => sorted[Math.max(0, Math.min(n - 1, rank))] ?? 0;
  const { cut, confidence } = medianRanks(n);
  return {
    samples: n,
    median: (at(Math.floor((n - 1) / 2)) + at(Math.floor(n / 2))) / 2,
    low: at(Math.floor(n / 4)),
    high: at(Math.floor((3 * n) / 4)),
    between: [at(cut), at(n - 1 - cut)],
    confidence,
  };
}

/**
 * The number of samples to cut off at each end so that the rest encloses the median with 95 %
 * confidence (Conover 1999, "Practical Nonparametric Statistics", section 3.2). The number of n
 * samples below the median is binomial with probability 1/2. The sum is exact, without the normal
 * approximation.
 */
function medianRanks(n: number): { cut: number; confidence: number } {
  // Of no sample below the median. A logarithm, because 2^-n underflows a double for n > 1074.
  let logProbability = -n * Math.LN2;
  let below = Math.exp(logProbability);
  let cut = 0;
  let outside = below;
  while (cut + 1 < n - 1 - cut) {
    logProbability += Math.log((n - cut) / (cut + 1));
    below += Math.exp(logProbability);
    if (1 - 2 * below < ENOUGH) break;
    cut++;
    outside = below;
  }
  return { cut, confidence: Math.max(0, 1 - 2 * outside) };
}
