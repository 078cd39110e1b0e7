import { Bench } from "tinybench";
import { type Goal, judged } from "./goals.js";
import type { Peer } from "./python.js";
import { peerName, type Ratio, type Row } from "./schema.js";
import { ratioOf, type Summary, summarize } from "./statistics.js";

export interface RoundOptions {
  rounds: number;
  /** Of each work, in each round */
  runs: number;
  /**
   * Milliseconds of runs that don't count, on both sides: a processor that did other work takes a while to be at full speed.
   * 0 for none, where one run is long itself
   */
  warmUp: number;
}

/**
 * Ours and Python's work in turns, in short rounds: a noisy neighbour slows both, and each round gives a ratio. The
 * times are in milliseconds.
 */
export class Rounds {
  readonly #times = new Map<string, (readonly number[])[]>();
  readonly #suffix: string;

  /** @param suffix of every row's name, as in ", 1000 entries" */
  constructor(suffix = "") {
    this.#suffix = suffix;
  }

  collect(name: string, times: readonly number[]): void {
    this.#times.set(name, [...(this.#times.get(name) ?? []), times]);
  }

  async run(
    ours: Record<string, () => unknown>,
    peer: Peer | null,
    theirs: readonly string[],
    { rounds, runs, warmUp }: RoundOptions,
    keep = true,
  ): Promise<void> {
    for (let round = 0; round < rounds; round++) {
      for (const [name, work] of Object.entries(ours)) {
        const times = await measure(name, work, runs, warmUp);
        if (keep) this.collect(name, times);
      }
      if (peer === null) continue;
      for (const work of theirs) {
        const times = await peer.measure(work, warmUp, runs);
        if (keep) this.collect(peerName(work), times);
      }
    }
  }

  summaries(): Map<string, Summary> {
    const summaries = new Map<string, Summary>();
    for (const [name, times] of this.#times) summaries.set(name, summarize(times.flat()));
    return summaries;
  }

  /** All that was measured, with the goals of some. */
  rows(goals: Record<string, Goal> = {}): Row[] {
    return [...this.summaries()].map(([name, summary]) => ({
      name: `${name}${this.#suffix}`,
      unit: "ms",
      ...summary,
      ...judged(summary, goals[name]),
    }));
  }

  /** Beside the peer's work; none where it was not measured. */
  besidePeer(ours: string, theirs: string, goal?: Goal): Ratio[] {
    const peer = peerName(theirs);
    if (!this.#times.has(ours) || !this.#times.has(peer)) return [];
    const { median, fastest } = this.compare(peer, ours);
    return [
      {
        ours: `${ours}${this.#suffix}`,
        theirs: `${peer}${this.#suffix}`,
        ratio: median,
        fastest,
        ...judged(median, goal),
      },
    ];
  }

  /** How many times longer `slow` took than `fast`. */
  compare(slow: string, fast: string): ReturnType<typeof ratioOf> {
    return ratioOf(this.#times.get(slow) ?? [], this.#times.get(fast) ?? []);
  }
}

/** One Bench for each: one that has several tasks warms up all of them before it measures the first. */
async function measure(
  name: string,
  work: () => unknown,
  runs: number,
  warmUp: number,
): Promise<number[]> {
  const bench = new Bench({
    iterations: runs,
    time: 0,
    warmup: warmUp > 0,
    warmupIterations: 1,
    warmupTime: warmUp,
    retainSamples: true,
  }).add(name, async () => {
    await work();
  });
  const [task] = await bench.run();
  const result = task?.result;
  if (result?.state !== "completed") throw new Error(`${name}: ${result?.state}`);
  return [...(result.latency.samples ?? [])];
}
