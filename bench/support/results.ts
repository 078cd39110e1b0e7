/** Reads and writes files of results. */
import { mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseResult, type Result } from "./schema.js";

/** The results that the repository keeps. */
export const KEPT = fileURLToPath(new URL("../results/", import.meta.url));

/** @returns path of the new file */
export function writeResult(folder: string, result: Result): string {
  mkdirSync(folder, { recursive: true });
  const file = join(folder, `${result.suite}.json`);
  writeFileSync(file, `${JSON.stringify(result, null, 2)}\n`);
  return file;
}

/**
 * Reads earlier results, by suite.
 *
 * @param from a file of results of one suite, or a folder with one file per suite
 * @param suites the suites to read; others are left out
 * @throws Error when `from` does not exist, is not a result, or has none of the suites
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
