import { existsSync } from "node:fs";
import { parseArgs } from "node:util";
import { modelFile } from "./model-file.js";
import { KEPT } from "./results.js";
import { type Context, SUITES, type SuiteName } from "./suite.js";

export interface Options extends Pick<Context, "file" | "quick" | "out" | "entries"> {
  suites: SuiteName[];
  /** Earlier results to compare with: a file or a folder */
  compare: string | null;
  /** Newer results to compare with `compare`, instead of measuring */
  now: string | null;
  failOnSlower: boolean;
}

/** Suites that need special hardware, another model or a long time: they run only when named */
const NAMED_ONLY: ReadonlySet<SuiteName> = new Set(["cuda", "server", "vocoder"]);

/** @throws Error for an unknown or invalid argument */
export function parseOptions(args: string[]): Options {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: {
      quick: { type: "boolean", default: false },
      out: { type: "string" },
      compare: { type: "string" },
      with: { type: "string" },
      "fail-on-slower": { type: "boolean", default: false },
      entries: { type: "string" },
    },
  });
  const isSuite = (word: string): word is SuiteName => SUITES.some((name) => name === word);
  const named = SUITES.filter((name) => positionals.includes(name));
  const files = positionals.filter((word) => !isSuite(word));
  if (files.length > 1) throw new Error(`one file at a time, not ${files.join(" and ")}`);
  for (const file of files)
    if (!existsSync(file))
      throw new Error(`${file} is neither a file nor one of ${SUITES.join(", ")}`);
  const { quick, compare = null, with: now = null } = values;
  if (compare === null && (now !== null || values["fail-on-slower"]))
    throw new Error(`${now === null ? "--fail-on-slower" : "--with"} needs --compare`);
  const entries = (values.entries ?? (quick ? "1000" : "1000,10000,100000")).split(",").map(Number);
  if (!entries.every((count) => Number.isSafeInteger(count) && count > 0))
    throw new Error(`--entries: ${values.entries} is no list of numbers`);
  return {
    suites: named.length > 0 ? named : SUITES.filter((name) => !NAMED_ONLY.has(name)),
    file: modelFile(files[0]),
    quick,
    out: values.out ?? (quick ? "out/bench" : KEPT),
    entries,
    compare,
    now,
    failOnSlower: values["fail-on-slower"],
  };
}
