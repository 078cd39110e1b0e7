import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { environment } from "./environment.js";

const FOLDER = fileURLToPath(new URL("../results/", import.meta.url));

/** A file's path in bench/results, whose folder exists from then on. */
export function resultFile(name: string): string {
  mkdirSync(FOLDER, { recursive: true });
  return join(FOLDER, name);
}

export function writeResults(name: string, file: string, figures: object): void {
  const all = { file: file.split("/").at(-1), ...environment(), ...figures };
  writeFileSync(resultFile(name), `${JSON.stringify(all, null, 2)}\n`);
}
