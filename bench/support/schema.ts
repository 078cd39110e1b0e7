/** The one shape of every suite's results: what bench/results/*.json holds, and what charts, tables and comparisons are made of. */
import type { Environment } from "./environment.js";
import type { Goal, Met } from "./goals.js";
import type { Summary } from "./statistics.js";

export const SCHEMA = 1;
const PEER = "Python: ";

export type Unit = "ms" | "MB" | "s/s";

/** One figure. Milliseconds and megabytes are better when lower, seconds of sound per second when higher. */
export interface Row extends Summary {
  /** Unique in its suite; a peer's begins with "Python: " */
  name: string;
  unit: Unit;
  goal?: Goal;
  met?: Met;
}

/** How many times longer `theirs` took than `ours` (or as `what` says), round by round. */
export interface Ratio {
  what?: string;
  /** Names of rows */
  ours: string;
  theirs: string;
  /** Of the rounds' medians */
  ratio: Summary;
  /** Of each round's fastest runs */
  fastest?: Summary;
  goal?: Goal;
  met?: Met;
}

/** What a suite gives. */
export interface Measured {
  rows: Row[];
  ratios: Ratio[];
  /** What was not measured, and why */
  notes: string[];
  /** Versions of the peers' programs, by name */
  peers: Record<string, string>;
  /** Charts beside the suite's own */
  charts?: string[];
  /** Figures of that suite alone, that its own charts show */
  details?: object;
}

export interface Result extends Omit<Measured, "charts"> {
  schema: typeof SCHEMA;
  suite: string;
  /** With few runs: shows that all works, and no more */
  quick: boolean;
  environment: Environment;
  /** null where the suite needs none */
  model: { file: string; bytes: number } | null;
}

export function peerName(work: string): string {
  return `${PEER}${work}`;
}

export function isPeer(name: string): boolean {
  return name.startsWith(PEER);
}

/** @throws Error when it is not of this schema; `from` names it in the message */
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
