import { Bench } from "tinybench";
import { type Goal, judged } from "./goals.js";
import type { Peer } from "./python.js";
import { peerName, type Ratio, type Row } from "./schema.js";
import { ratioOf, type Summary, summarize } from "./statistics.js";

export interface RoundOptions {
  rounds: number;
  /** Runs of each work in each round */
  runs: number;
  /**
   * Milliseconds of uncounted runs before each measurement, on both sides: a processor needs time
   * to reach its full speed. 0 where a single run is long.
   */
  warmUp: number;
}

/**
 * Measures our work and Python's in alternating short rounds. A noisy neighbour slows both sides of
 * a round alike, so each round gives a ratio. Times are in milliseconds.
 */
export class Rounds {
  readonly #times = new Map<string, (readonly number[])[]>();
  readonly #suffix: string;

  /** @param suffix appended to every row's name, such as ", 1000 entries" */
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

  /** A row for each measured work, with its goal if `goals` has one. */
  rows(goals: Record<string, Goal> = {}): Row[] {
    return [...this.summaries()].map(([name, summary]) => ({
      name: `${name}${this.#suffix}`,
      unit: "ms",
      ...summary,
      ...judged(summary, goals[name]),
    }));
  }

  /** The ratio to the peer's work; [] if either was not measured. */
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

  /** The ratio of the time of `slow` to that of `fast`. */
  compare(slow: string, fast: string): ReturnType<typeof ratioOf> {
    return ratioOf(this.#times.get(slow) ?? [], this.#times.get(fast) ?? []);
  }
}

/** Uses one Bench per work: a Bench with several tasks warms up all before measuring any. */
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
