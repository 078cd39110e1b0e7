import type { Measured } from "./schema.js";

export const SUITES = ["load", "library", "generate", "torch", "cuda", "server"] as const;
export type SuiteName = (typeof SUITES)[number];

export interface Context {
  /** The model that is measured */
  file: string;
  /** Few runs, to see that all works */
  quick: boolean;
  /** The Python that peers run in, if there is one */
  python: string | null;
  /** What is left out, and why: that there is no Python */
  notes: string[];
  /** The machine, in a few words, for charts */
  machine: string;
  /** Where a suite's own charts go */
  out: string;
  /** Libraries' numbers of entries */
  entries: number[];
  /** Tells what is being done now */
  say(text: string): void;
}

export interface Suite {
  title: string;
  /** Whether the model plays a part */
  usesModel: boolean;
  run(context: Context): Promise<Measured>;
}
