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
 * Earlier results of a suite.
 *
 * @param from a file of results, of whichever suite, or a folder with one for each
 * @returns null where there are none of that suite
 * @throws Error when `from` is not there, or holds something else
 */
export function earlierResult(from: string, suite: string): Result | null {
  const found = statSync(from, { throwIfNoEntry: false });
  if (found === undefined) throw new Error(`${from} is not there`);
  const file = found.isDirectory() ? join(from, `${suite}.json`) : from;
  if (statSync(file, { throwIfNoEntry: false }) === undefined) return null;
  const result = parseResult(readFileSync(file, "utf8"), file);
  return result.suite === suite ? result : null;
}
