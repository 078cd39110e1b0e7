/** Reads and writes the files of results. */
import { mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseResult, type Result } from "./schema.js";

/** Those that the repository keeps. */
export const KEPT = fileURLToPath(new URL("../results/", import.meta.url));

/** @returns the file's path */
export function writeResult(folder: string, result: Result): string {
  mkdirSync(folder, { recursive: true });
  const file = join(folder, `${result.suite}.json`);
  writeFileSync(file, `${JSON.stringify(result, null, 2)}\n`);
  return file;
}

/**
 * Results that were written before, by suite.
 *
 * @param from a file of results, of whichever suite, or a folder with one for each
 * @param suites those that are looked for; others are left out
 * @throws Error when `from` is not there, holds something else, or has none of the suites
 */
export function earlierResults(from: string, suites: readonly string[]): Map<string, Result> {
  const found = statSync(from, { throwIfNoEntry: false });
  if (found === undefined) throw new Error(`${from} is not there`);
  const files = found.isDirectory() ? suites.map((suite) => join(from, `${suite}.json`)) : [from];
  const results = new Map<string, Result>();
  for (const file of files) {
    if (statSync(file, { throwIfNoEntry: false }) === undefined) continue;
    const result = parseResult(readFileSync(file, "utf8"), file);
    if (suites.includes(result.suite)) results.set(result.suite, result);
  }
  if (results.size === 0) throw new Error(`${from} has no results of ${suites.join(", ")}`);
  return results;
}
