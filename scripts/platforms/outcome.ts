import type { Platform } from "../../lib/native/addon-file.js";

/** A platform's addons, and what they are tried with. */
export interface Trial {
  platform: Platform;
  /** The folder of the addons */
  addons: string;
  /** The folder of the compiled library */
  dist: string;
  /** An empty place for files; it may not exist */
  work: string;
}

export interface Outcome {
  /** What was tried, such as "Node 22 under qemu" */
  what: string;
  /** Why it was not tried */
  skipped?: string;
  problems: string[];
  figures?: string;
}

export type Run = (trial: Trial) => Promise<Outcome> | Outcome;

export function skip(what: string, reason: string): Outcome {
  return { what, skipped: reason, problems: [] };
}

export function missing(what: string, packages: string): Outcome {
  return skip(what, `needs the packages ${packages}`);
}
