/** The format of bench/results/*.json, from which charts, tables and comparisons are made. */
import type { Environment } from "./environment.js";
import type { Goal, Met } from "./goals.js";
import type { Summary } from "./statistics.js";

export const SCHEMA = 1;
const PEER = "Python: ";

export type Unit = "ms" | "MB" | "s/s";

/** One figure. Lower is better for ms and MB, higher for s/s (seconds of sound per second). */
export interface Row extends Summary {
  /** Unique in its suite; names of peers' works begin with "Python: " */
  name: string;
  unit: Unit;
  goal?: Goal;
  met?: Met;
}

/** Ratio of the time of `theirs` to that of `ours` by round; `what` describes other ratios. */
export interface Ratio {
  what?: string;
  /** Names of rows */
  ours: string;
  theirs: string;
  /** Ratio of the rounds' medians */
  ratio: Summary;
  /** Ratio of each round's fastest runs */
  fastest?: Summary;
  goal?: Goal;
  met?: Met;
}

/** The measurements of one suite. */
export interface Measured {
  rows: Row[];
  ratios: Ratio[];
  /** Remarks, such as works that were not measured, with the reason */
  notes: string[];
  /** Versions of the peers' programs, by name */
  peers: Record<string, string>;
  /** Paths of further charts */
  charts?: string[];
  /** Data of the suite's further charts */
  details?: object;
}

export interface Result extends Omit<Measured, "charts"> {
  schema: typeof SCHEMA;
  suite: string;
  /** Whether this is a quick run, which has too few runs for figures */
  quick: boolean;
  environment: Environment;
  /** null for suites that need no model */
  model: { file: string; bytes: number } | null;
}

export function peerName(work: string): string {
  return `${PEER}${work}`;
}

export function isPeer(name: string): boolean {
  return name.startsWith(PEER);
}

/** @throws Error when `text` does not have this schema; the message names `from` */
export function parseResult(text: string, from: string): Result {
  let found: Partial<Result>;
  try {
    found = JSON.parse(text);
  } catch {
    throw new Error(`${from} is not JSON`);
  }
  if (found?.schema !== SCHEMA || !Array.isArray(found.rows) || !Array.isArray(found.ratios))
    throw new Error(`${from} is no result of this benchmark (schema ${SCHEMA})`);
  return found as Result;
}
