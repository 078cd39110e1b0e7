/** Temporary folders, removed when the process ends, also at Ctrl-C: some hold gigabytes. */
import { mkdtempSync, rmSync } from "node:fs";
import { constants, tmpdir } from "node:os";
import { join } from "node:path";

const made = new Set<string>();

/** Makes a folder in SDA_BENCH_DIR, or else in the system's temporary folder. */
export function temporaryFolder(): string {
  if (made.size === 0) {
    process.once("exit", removeAll);
    process.once("SIGINT", leave);
    process.once("SIGTERM", leave);
  }
  const folder = mkdtempSync(join(process.env["SDA_BENCH_DIR"] ?? tmpdir(), "sda-bench-"));
  made.add(folder);
  return folder;
}

function leave(signal: NodeJS.Signals): void {
  process.exit(128 + constants.signals[signal]);
}

function removeAll(): void {
  for (const folder of made) rmSync(folder, { recursive: true, force: true });
}
