/** Compares two results and finds the figures that changed by more than the noise. */
import { engineText } from "./environment.js";
import { isPeer, type Ratio, type Result, type Row } from "./schema.js";
import type { Summary } from "./statistics.js";

export type Verdict = "slower" | "faster" | "same" | "unclear" | "new" | "gone";

export interface Change {
  name: string;
  /** How many times faster the newer figure is; null if only one result has the figure */
  speed: number | null;
  /** The value that was compared */
  by: "ratio to Python" | "own figure";
  verdict: Verdict;
}

export interface Comparison {
  /** Reasons why the results cannot be compared; if any, `changes` is empty */
  incomparable: string[];
  /** Other differences between the two runs */
  notes: string[];
  changes: Change[];
}

const LEAST = 0.05;
const LEAST_CONFIDENCE = 0.95;
/** With fewer runs, not even minimum and maximum enclose the median with 95 % confidence. */
export const LEAST_RUNS = 6;

/**
 * Compares two results figure by figure.
 *
 * - A figure has changed if the 95 % confidence intervals of both medians do not overlap and the
 *   medians differ by more than 5 %.
 * - If both runs measured a Python peer with the same versions, the ratios to the peer are compared
 *   instead of times, because a slow machine slows both sides alike. With several peers, all must
 *   agree, because one peer alone may have changed.
 * - Figures without a peer must differ by more than the peers' own times, which show how much the
 *   machine itself has changed.
 * - A figure whose confidence is below 95 %, as with fewer than 6 samples, is "unclear".
 * - Runs with different processors or models, or a quick and a full run, are not compared.
 */
export function compareResults(then: Result, now: Result): Comparison {
  const incomparable = differences(then, now);
  if (incomparable.length > 0) return { incomparable, notes: [], changes: [] };
  const samePeers = JSON.stringify(entries(then.peers)) === JSON.stringify(entries(now.peers));
  const drift = peerDrift(then, now, samePeers);
  const notes: string[] = [];
  if (then.environment.node !== now.environment.node)
    notes.push(`Node ${then.environment.node} then, ${now.environment.node} now`);
  const engines = [then, now].map(({ environment }) => engineText(environment.engine));
  if (engines[0] !== engines[1]) notes.push(`${engines[0]} then, ${engines[1]} now`);
  if (!samePeers) notes.push("other versions of Python or its packages: times are compared");
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

function entries(versions: Record<string, string>): [string, string][] {
  return Object.entries(versions).sort(([a], [b]) => (a < b ? -1 : 1));
}

/** Median of the factors by which the peers' times have grown. */
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
  // Symmetric: 1.05 times as fast and 1.05 times as slow are changes of the same size.
  const change = Math.max(speed, 1 / speed) - 1;
  if (overlap || !(change > least)) return "same";
  return speed > 1 ? "faster" : "slower";
}
