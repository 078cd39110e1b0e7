import type { Measured } from "./schema.js";

export const SUITES = [
  "load",
  "library",
  "generate",
  "torch",
  "cuda",
  "server",
  "vocoder",
] as const;
export type SuiteName = (typeof SUITES)[number];

export interface Context {
  /** The model to measure */
  file: string;
  /** Whether to make few runs, only to show that everything works */
  quick: boolean;
  /** The Python for the peers; null without one */
  python: string | null;
  /** Remarks for the result, such as that no Python was found */
  notes: string[];
  /** Short description of the machine, for charts */
  machine: string;
  /** Folder for the suite's further charts */
  out: string;
  /** Numbers of entries of the libraries to measure */
  entries: number[];
  /** Reports the current step to the user */
  say(text: string): void;
}

export interface Suite {
  title: string;
  /** Whether the suite measures the model */
  usesModel: boolean;
  run(context: Context): Promise<Measured>;
}
