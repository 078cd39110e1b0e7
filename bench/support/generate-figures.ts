/** Turns the measurements of generate.bench.ts into rows and ratios with their goals. */
import { COLORS } from "./colors.js";
import type { EngineTimes } from "./engine-steps.js";
import type { EventLoopDelay } from "./event-loop-delay.js";
import { judged } from "./goals.js";
import type { Rounds } from "./rounds.js";
import { type Measured as Figures, peerName, type Ratio, type Row, type Unit } from "./schema.js";
import { BATCHES, MANY, soundNames } from "./sound-works.js";
import { perSecond, type Summary, scaled } from "./statistics.js";
import type { Reference } from "./throughput-chart.js";

interface Measured {
  rounds: Rounds;
  /** Duration of the long request in seconds */
  longS: number;
  memory: Summary;
  delay: EventLoopDelay;
  engine: EngineTimes | string;
}

export function figures(measured: Measured): Pick<Figures, "rows" | "ratios"> {
  const { rounds, longS, memory, delay, engine } = measured;
  const row = (name: string, unit: Unit, summary: Summary, goal?: Row["goal"]): Row => ({
    name,
    unit,
    ...summary,
    ...judged(summary, goal),
  });
  const { long } = soundNames(longS);
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
      ...rounds.besidePeer(long, long, { atLeast: 6 }),
      ...rounds.besidePeer("decode", "decode", { atLeast: 2 }),
      ...rounds.besidePeer("griffin_lim", "griffin_lim"),
      ...ownRatios(rounds, longS),
      ...engineRatios(engine),
    ],
  };
}

function ownRatios(rounds: Rounds, longS: number): Ratio[] {
  const { long, besideMany, many, streamed, firstPiece } = soundNames(longS);
  const atOnce = scaled(rounds.compare(besideMany, many).median, (BATCHES * MANY) / longS);
  const pieces = rounds.compare(streamed, firstPiece).median;
  return [
    {
      what: `throughput of ${MANY} at once, than that of ${long}`,
      ours: many,
      theirs: besideMany,
      ratio: atOnce,
      ...judged(atOnce, { atLeast: 1 }),
    },
    {
      what: `${long} as a stream: the whole, than its first piece`,
      ours: firstPiece,
      theirs: streamed,
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

/** Reference lines for the throughput chart. */
export function references(rounds: Rounds, longS: number): Reference[] {
  const name = soundNames(longS).long;
  const long = secondsPerSecond(rounds, name, longS);
  const python = secondsPerSecond(rounds, peerName("1 s"), 1);
  return [
    ...(long
      ? [{ name: `one request of ${name}`, secondsPerSecond: long, color: COLORS.grey }]
      : []),
    ...(python
      ? [{ name: "PyTorch, 1 s at a time", secondsPerSecond: python, color: COLORS.purple }]
      : []),
  ];
}

function secondsPerSecond(rounds: Rounds, name: string, seconds: number): number | undefined {
  const summary = rounds.summaries().get(name);
  return summary && perSecond(summary, seconds).median;
}
