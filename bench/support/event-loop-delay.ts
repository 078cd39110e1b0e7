import { monitorEventLoopDelay } from "node:perf_hooks";
import { type Summary, summarize } from "./statistics.js";

export interface EventLoopDelay {
  p99: Summary;
  longest: Summary;
}

/**
 * Measures the interval between ticks of a 1 ms timer while `work` runs, in milliseconds: the 99th
 * percentile and the longest interval of each round. An idle event loop gives about 1 ms.
 */
export async function eventLoopDelay(
  work: () => Promise<unknown>,
  count: number,
): Promise<EventLoopDelay> {
  const rounds: { p99: number; longest: number }[] = [];
  for (let round = 0; round < count; round++) {
    const histogram = monitorEventLoopDelay({ resolution: 1 });
    histogram.enable();
    await work();
    histogram.disable();
    rounds.push({ p99: histogram.percentile(99) / 1e6, longest: histogram.max / 1e6 });
  }
  return {
    p99: summarize(rounds.map(({ p99 }) => p99)),
    longest: summarize(rounds.map(({ longest }) => longest)),
  };
}
