/** Measures seconds of sound per second by concurrent requests and by engine threads. */
import { availableParallelism } from "node:os";
import { configureEngine, type LoadedModel } from "../../dist/index.js";
import { Rounds } from "./rounds.js";
import { together } from "./sound-works.js";
import { perSecond, type Summary } from "./statistics.js";

const ONE_ROUND = { rounds: 1, runs: 1, warmUp: 50 };
const REQUESTS = [1, 2, 4, 8, 16, 32];
const MANY = 16;

export interface Point {
  /** Number of concurrent requests */
  requests: number;
  threads: number;
  secondsPerSecond: Summary;
}

export async function measureThroughput(
  model: LoadedModel,
  rounds: number,
): Promise<{ byRequests: Point[]; byThreads: Point[] }> {
  const { threads } = configureEngine();
  const byRequests = REQUESTS.map((requests) => ({ requests, threads }));
  const byThreads = threadCounts().flatMap((threads) =>
    [1, MANY].map((requests) => ({ requests, threads })),
  );
  try {
    return {
      byRequests: await measure(model, byRequests, rounds),
      byThreads: await measure(model, byThreads, rounds),
    };
  } finally {
    configureEngine({ threads });
  }
}

/** 1, 2, 4 … up to twice the number of processors, which is included itself. */
function threadCounts(): number[] {
  const processors = availableParallelism();
  const powers = [1, 2, 4, 8, 16, 32, 64].filter((n) => n <= Math.max(4, 2 * processors));
  return [...new Set([...powers, Math.min(64, processors)])].sort((a, b) => a - b);
}

async function measure(
  model: LoadedModel,
  settings: readonly { requests: number; threads: number }[],
  count: number,
): Promise<Point[]> {
  const rounds = new Rounds();
  const name = ({ requests, threads }: { requests: number; threads: number }) =>
    `${requests} × 1 s, ${threads} threads`;
  for (let round = 0; round < count; round++) {
    for (const setting of settings) {
      configureEngine({ threads: setting.threads });
      const work = { [name(setting)]: () => together(model, setting.requests, 1) };
      await rounds.run(work, null, [], ONE_ROUND);
    }
  }
  const summaries = rounds.summaries();
  return settings.flatMap((setting) => {
    const ms = summaries.get(name(setting));
    return ms ? [{ ...setting, secondsPerSecond: perSecond(ms, setting.requests) }] : [];
  });
}
