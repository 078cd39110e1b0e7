/** Turns the measurements of server.bench.ts into rows and ratios with their goals. */
import { judged } from "./goals.js";
import type { Measured, Unit } from "./schema.js";
import { summarize } from "./statistics.js";

export const CONNECTIONS = 32;
export const SERVER = `server, ${CONNECTIONS} connections`;
export const ENGINE = `engine alone, ${CONNECTIONS} at once`;
export const LATENCY = "latency: median";
export const LATENCY_P99 = "latency: p99";
export const LOOP_P99 = "server's event loop: p99";
export const MEMORY = "server's memory";

export interface Minute {
  secondsPerSecond: number;
  /** Milliseconds */
  latency: { p50: number; p99: number; max: number };
  loopP99: number;
  memoryMB: number;
}

export function figures(
  minutes: readonly Minute[],
  alone: readonly number[],
): Pick<Measured, "rows" | "ratios"> {
  const of = (value: (minute: Minute) => number) => minutes.map(value);
  const measured: [name: string, unit: Unit, values: readonly number[]][] = [
    [ENGINE, "s/s", alone],
    [SERVER, "s/s", of(({ secondsPerSecond }) => secondsPerSecond)],
    [LATENCY, "ms", of(({ latency }) => latency.p50)],
    [LATENCY_P99, "ms", of(({ latency }) => latency.p99)],
    ["latency: longest", "ms", of(({ latency }) => latency.max)],
    [LOOP_P99, "ms", of(({ loopP99 }) => loopP99)],
    [MEMORY, "MB", of(({ memoryMB }) => memoryMB)],
  ];
  const share = summarize(
    minutes.map(({ secondsPerSecond }, i) => secondsPerSecond / (alone[i] as number)),
  );
  const [first] = of(({ memoryMB }) => memoryMB);
  const growth = summarize(of(({ memoryMB }) => memoryMB / (first as number)).slice(-1));
  return {
    rows: measured.map(([name, unit, values]) => ({ name, unit, ...summarize([...values]) })),
    ratios: [
      {
        what: `throughput of the server's ${CONNECTIONS} connections to that of the engine alone`,
        ours: SERVER,
        theirs: ENGINE,
        ratio: share,
        ...judged(share, { atLeast: 0.85 }),
      },
      {
        what: "the server's memory after the last half minute to that after the first",
        ours: MEMORY,
        theirs: MEMORY,
        ratio: growth,
        ...judged(growth, { atMost: 1.1 }),
      },
    ],
  };
}
