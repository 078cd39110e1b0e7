import { monitorEventLoopDelay } from "node:perf_hooks";
import { type Summary, summarize } from "./statistics.js";

export interface EventLoopDelay {
  p99: Summary;
  longest: Summary;
}

/**
 * Milliseconds from one turn of a 1 ms timer to the next while `work` runs, that one included: the 99th percentile and the
 * longest of each round.
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
