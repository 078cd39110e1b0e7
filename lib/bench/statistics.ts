/** Medians with their spread: machines are noisy, and a mean believes every hiccup. */
export interface Summary {
  samples: number;
  /** Milliseconds, or a ratio */
  median: number;
  /** Quartiles */
  low: number;
  high: number;
  /** Where the median lies, by order statistics: no assumption about how samples are spread */
  between: [number, number];
  /** How sure `between` is: 0.95 or the least step above it; less where samples are so few that it is their extremes, 0 for one */
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
 * How many samples may be cut off at each end so that the median lies between the rest with 95 % confidence. How many of n
 * samples are below the median is binomial, with a probability of one half: exact, not by the normal distribution.
 */
function medianRanks(n: number): { cut: number; confidence: number } {
  let logProbability = -n * Math.LN2; // that none is below; the probability itself is below the least double from 1075 on
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
