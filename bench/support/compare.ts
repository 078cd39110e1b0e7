/** An earlier result beside this one: what got slower or faster beyond the noise. */
import { isPeer, type Ratio, type Result, type Row } from "./schema.js";
import type { Summary } from "./statistics.js";

export type Verdict = "slower" | "faster" | "same" | "unclear" | "new" | "gone";

export interface Change {
  name: string;
  /** How many times faster now than then; null where there is one of them only */
  speed: number | null;
  /** What it was told by */
  by: "ratio to Python" | "own figure";
  verdict: Verdict;
}

export interface Comparison {
  /** Why the two can't be compared, if they can't: there are no changes then */
  incomparable: string[];
  /** What else is different */
  notes: string[];
  changes: Change[];
}

const LEAST = 0.05;
const LEAST_CONFIDENCE = 0.95;
/** With fewer, even the extremes enclose the median with less confidence. */
export const LEAST_RUNS = 6;

/**
 * A figure has changed when the 95 % confidence intervals of both medians don't overlap and the medians differ by more than 5 %.
 * Where a peer of Python's was measured beside it in both runs, by the same versions, the ratios to it are compared instead of
 * times: what slows the machine slows both sides, and leaves their ratio. Beside several peers, all must agree, for it might be
 * one of them that changed. Figures without a peer are compared as they are, and must differ by more than the peers' own times
 * do: so much the machine has changed. Where an interval is less sure, as it is with fewer than 6 samples, nothing can be said
 * ("unclear"). Between different processors, models, or a quick run and a full one nothing is compared at all.
 */
export function compareResults(then: Result, now: Result): Comparison {
  const incomparable = differences(then, now);
  if (incomparable.length > 0) return { incomparable, notes: [], changes: [] };
  const samePeers = JSON.stringify(entries(then.peers)) === JSON.stringify(entries(now.peers));
  const drift = peerDrift(then, now, samePeers);
  const notes: string[] = [];
  if (then.environment.node !== now.environment.node)
    notes.push(`Node ${then.environment.node} then, ${now.environment.node} now`);
  const engines = [then, now].map(engineText);
  if (engines[0] !== engines[1]) notes.push(`${engines[0]} then, ${engines[1]} now`);
  if (!samePeers) notes.push("Python or its packages are others than then: times are compared");
  if (Math.abs(drift - 1) > LEAST)
    notes.push(`Python took ${drift.toFixed(2)} times as long as then: the machine has changed`);

  const before = new Map(then.rows.map((row) => [row.name, row]));
  const after = new Set(now.rows.map(({ name }) => name));
  const changes = now.rows
    .filter(({ name }) => !isPeer(name))
    .map((row): Change => {
      const old = before.get(row.name);
      if (old === undefined)
        return { name: row.name, speed: null, by: "own figure", verdict: "new" };
      const ratios = samePeers ? ratiosOf(row.name, then, now) : [];
      return ratios.length > 0 ? byRatios(row.name, ratios) : byFigure(old, row, drift);
    });
  const gone = then.rows
    .filter(({ name }) => !isPeer(name) && !after.has(name))
    .map(({ name }): Change => ({ name, speed: null, by: "own figure", verdict: "gone" }));
  return { incomparable, notes, changes: [...changes, ...gone] };
}

function differences(then: Result, now: Result): string[] {
  const parts: [string, unknown, unknown][] = [
    ["suite", then.suite, now.suite],
    ["processor", then.environment.cpu, now.environment.cpu],
    ["processors", then.environment.processors, now.environment.processors],
    ["platform", then.environment.platform, now.environment.platform],
    ["model", modelText(then), modelText(now)],
    ["quick run", then.quick, now.quick],
  ];
  return parts.filter(([, a, b]) => a !== b).map(([what, a, b]) => `${what}: ${a} then, ${b} now`);
}

function modelText({ model }: Result): string {
  return model === null ? "none" : `${model.file} (${model.bytes} bytes)`;
}

function engineText({ environment: { engine } }: Result): string {
  return engine === null
    ? "no LibTorch"
    : `LibTorch ${engine.libtorch} on ${engine.threads} threads`;
}

function entries(versions: Record<string, string>): [string, string][] {
  return Object.entries(versions).sort(([a], [b]) => (a < b ? -1 : 1));
}

/** How many times longer the peers took now: the middle one. */
function peerDrift(then: Result, now: Result, samePeers: boolean): number {
  if (!samePeers) return 1;
  const before = new Map(then.rows.map((row) => [row.name, row.median]));
  const drifts = now.rows
    .filter(({ name }) => isPeer(name) && before.has(name))
    .map(({ name, median }) => median / (before.get(name) ?? Number.NaN))
    .sort((a, b) => a - b);
  return drifts[Math.floor(drifts.length / 2)] ?? 1;
}

function ratiosOf(name: string, then: Result, now: Result): [Summary, Summary][] {
  const beside = ({ ours, theirs }: Ratio) => ours === name && isPeer(theirs);
  return now.ratios.filter(beside).flatMap((ratio): [Summary, Summary][] => {
    const old = then.ratios.find((other) => beside(other) && other.theirs === ratio.theirs);
    return old === undefined ? [] : [[old.ratio, ratio.ratio]];
  });
}

function byRatios(name: string, ratios: [Summary, Summary][]): Change {
  const verdicts = ratios.map(([then, now]) => verdict(then, now, now.median / then.median, LEAST));
  const [first = "same"] = verdicts;
  const speeds = ratios.map(([then, now]) => now.median / then.median).sort((a, b) => a - b);
  return {
    name,
    speed: speeds[Math.floor(speeds.length / 2)] ?? null,
    by: "ratio to Python",
    verdict: verdicts.every((each) => each === first) ? first : "same",
  };
}

function byFigure(then: Row, now: Row, drift: number): Change {
  const speed = now.unit === "s/s" ? now.median / then.median : then.median / now.median;
  const least = Math.max(LEAST, Math.abs(drift - 1), Math.abs(1 / drift - 1));
  return {
    name: now.name,
    speed,
    by: "own figure",
    verdict: verdict(then, now, speed, least),
  };
}

function verdict(then: Summary, now: Summary, speed: number, least: number): Verdict {
  if (Math.min(then.confidence, now.confidence) < LEAST_CONFIDENCE) return "unclear";
  const overlap = then.between[0] <= now.between[1] && now.between[0] <= then.between[1];
  // As large a step either way: 1.05 times as fast, or 1.05 times as slow.
  const change = Math.max(speed, 1 / speed) - 1;
  if (overlap || !(change > least)) return "same";
  return speed > 1 ? "faster" : "slower";
}
