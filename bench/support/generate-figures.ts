/** What generate.bench.ts has measured, beside what was asked for. */
import { COLORS } from "./chart.js";
import type { EngineTimes } from "./engine-steps.js";
import type { EventLoopDelay } from "./event-loop-delay.js";
import { judged } from "./goals.js";
import type { Rounds } from "./rounds.js";
import { type Measured as Figures, peerName, type Ratio, type Row, type Unit } from "./schema.js";
import { perSecond, type Summary, scaled } from "./statistics.js";
import type { Reference } from "./throughput-chart.js";

export const MANY = 16;
/** So many times one after the other, they are about as much sound as the long one: a disturbance weighs the same in both. */
export const BATCHES = 4;

interface Measured {
  rounds: Rounds;
  memory: Summary;
  delay: EventLoopDelay;
  engine: EngineTimes | string;
}

export function figures(measured: Measured): Pick<Figures, "rows" | "ratios"> {
  const { rounds, memory, delay, engine } = measured;
  const row = (name: string, unit: Unit, summary: Summary, goal?: Row["goal"]): Row => ({
    name,
    unit,
    ...summary,
    ...judged(summary, goal),
  });
  const steps = typeof engine === "string" ? [] : Object.entries(engine.steps);
  return {
    rows: [
      ...rounds.rows(),
      row("memory of 60 s beyond its result", "MB", memory, { atMost: 100 }),
      row(`event loop, ${MANY} × 4 s: p99`, "ms", delay.p99, { atMost: 5 }),
      row(`event loop, ${MANY} × 4 s: longest`, "ms", delay.longest),
      ...steps.map(([name, summary]) => row(`engine: ${name}`, "ms", summary)),
    ],
    ratios: [
      ...rounds.besidePeer("1 s", "1 s", { atLeast: 4 }),
      ...rounds.besidePeer("60 s", "60 s", { atLeast: 6 }),
      ...rounds.besidePeer("decode", "decode", { atLeast: 2 }),
      ...rounds.besidePeer("griffin_lim", "griffin_lim"),
      ...ownRatios(rounds),
      ...engineRatios(engine),
    ],
  };
}

function ownRatios(rounds: Rounds): Ratio[] {
  const [many, long] = [`${BATCHES} × ${MANY} × 1 s`, "60 s, beside many"] as const;
  const [first, whole] = ["60 s streamed: first piece", "60 s streamed"] as const;
  const atOnce = scaled(rounds.compare(long, many).median, (BATCHES * MANY) / 60);
  const pieces = rounds.compare(whole, first).median;
  return [
    {
      what: `throughput of ${MANY} at once, than that of 60 s`,
      ours: many,
      theirs: long,
      ratio: atOnce,
      ...judged(atOnce, { atLeast: 1 }),
    },
    {
      what: "60 s as a stream: the whole, than its first piece",
      ours: first,
      theirs: whole,
      ratio: pieces,
      ...judged(pieces, { atLeast: 30 }),
    },
  ];
}

function engineRatios(engine: EngineTimes | string): Ratio[] {
  if (typeof engine === "string") return [];
  const { thanFfts, thanLibraryFfts } = engine;
  const ours = "engine: griffin_lim";
  return [
    {
      what: "Griffin-Lim on one thread, than its FFTs alone",
      ours,
      theirs: "engine: ffts",
      ratio: thanFfts,
      ...judged(thanFfts, { atMost: 1.6 }),
    },
    {
      what: "the same, than LibTorch's own FFTs alone",
      ours,
      theirs: "engine: library_ffts",
      ratio: thanLibraryFfts,
    },
  ];
}

/** What throughput is compared with. */
export function references(rounds: Rounds): Reference[] {
  const long = secondsPerSecond(rounds, "60 s", 60);
  const python = secondsPerSecond(rounds, peerName("1 s"), 1);
  return [
    ...(long ? [{ name: "one request of 60 s", secondsPerSecond: long, color: COLORS.grey }] : []),
    ...(python
      ? [{ name: "PyTorch, 1 s at a time", secondsPerSecond: python, color: COLORS.purple }]
      : []),
  ];
}

function secondsPerSecond(rounds: Rounds, name: string, seconds: number): number | undefined {
  const summary = rounds.summaries().get(name);
  return summary && perSecond(summary, seconds).median;
}
