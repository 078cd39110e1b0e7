/** What generate.bench.ts has measured, beside what was asked for. */
import { COLORS } from "./chart.js";
import type { EngineTimes } from "./engine-steps.js";
import type { EventLoopDelay } from "./event-loop-delay.js";
import type { Figure } from "./goals.js";
import type { Rounds } from "./rounds.js";
import { perSecond, type Summary, scaled, show } from "./statistics.js";
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

export function generateFigures({ rounds, memory, delay, engine }: Measured): Figure[] {
  return [
    besidePython(rounds, "1 s of sound", "1 s", { atLeast: 4 }),
    besidePython(rounds, "60 s of sound", "60 s", { atLeast: 6 }),
    besidePython(rounds, "decode one latent", "decode", { atLeast: 2 }),
    besidePython(rounds, "melToWaveform, 1 s", "griffin_lim"),
    atOnce(rounds),
    firstPiece(rounds),
    ...griffinLim(engine),
    {
      what: "memory of a 60 s request beyond its result",
      ours: `${memory.median.toFixed(1)} MB`,
      compared: memory,
      unit: "MB",
      goal: { atMost: 100 },
    },
    {
      what: `event loop, ${MANY} × 4 s at once: 99th percentile of a 1 ms timer`,
      ours: `${delay.p99.median.toFixed(2)} ms, longest ${delay.longest.median.toFixed(1)} ms`,
      compared: delay.p99,
      unit: "ms",
      goal: { atMost: 5 },
    },
  ];
}

/** What throughput is compared with. */
export function references(rounds: Rounds): Reference[] {
  const long = secondsPerSecond(rounds, "60 s", 60);
  const python = secondsPerSecond(rounds, "Python: 1 s", 1);
  return [
    ...(long ? [{ name: "one request of 60 s", secondsPerSecond: long, color: COLORS.grey }] : []),
    ...(python
      ? [{ name: "PyTorch, 1 s at a time", secondsPerSecond: python, color: COLORS.purple }]
      : []),
  ];
}

function besidePython(rounds: Rounds, what: string, name: string, goal?: Figure["goal"]): Figure {
  const python = milliseconds(rounds, `Python: ${name}`);
  const ratio = python === undefined ? null : rounds.ratio(name, name);
  return {
    what,
    ours: milliseconds(rounds, name) ?? "-",
    python,
    compared: ratio?.median ?? null,
    fastest: ratio?.fastest,
    unit: "×",
    ...(goal && { goal }),
  };
}

function atOnce(rounds: Rounds): Figure {
  const [name, whole] = [`${BATCHES} × ${MANY} × 1 s`, "60 s, beside many"] as const;
  const rate = (work: string, seconds: number) =>
    `${secondsPerSecond(rounds, work, seconds)?.toFixed(1)} s/s`;
  const { median } = rounds.compare(whole, name);
  return {
    what: `${MANY} requests of 1 s at once: throughput, than that of 60 s`,
    ours: `${rate(name, BATCHES * MANY)}, ${rate(whole, 60)}`,
    compared: scaled(median, (BATCHES * MANY) / 60),
    unit: "×",
    goal: { atLeast: 1 },
  };
}

function firstPiece(rounds: Rounds): Figure {
  const [whole, first] = ["60 s streamed", "60 s streamed: first piece"] as const;
  return {
    what: "60 s as a stream: the whole, than its first piece",
    ours: `${milliseconds(rounds, whole)}, ${milliseconds(rounds, first)}`,
    compared: rounds.compare(whole, first).median,
    unit: "×",
    goal: { atLeast: 30 },
  };
}

function griffinLim(engine: EngineTimes | string): Figure[] {
  const goal = { atMost: 1.6 };
  const what = "Griffin-Lim on one thread, than its FFTs alone";
  if (typeof engine === "string") {
    return [{ what, ours: "not measured", compared: null, unit: "×", goal }];
  }
  const { griffin_lim, ffts, library_ffts } = engine.steps;
  const beside = ({ median }: Summary) =>
    `${griffin_lim.median.toFixed(2)} ms, ${median.toFixed(2)} ms`;
  return [
    { what, ours: beside(ffts), compared: engine.thanFfts, unit: "×", goal },
    {
      what: "the same, than LibTorch's own FFTs alone",
      ours: beside(library_ffts),
      compared: engine.thanLibraryFfts,
      unit: "×",
    },
  ];
}

/** undefined for what was not measured */
function milliseconds(rounds: Rounds, name: string): string | undefined {
  const summary = rounds.summaries().get(name);
  return summary && show(summary).split("  ")[0];
}

function secondsPerSecond(rounds: Rounds, name: string, seconds: number): number | undefined {
  const summary = rounds.summaries().get(name);
  return summary && perSecond(summary, seconds).median;
}
