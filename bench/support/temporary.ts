/** Folders for what is measured, which are gone when the process ends: at Ctrl-C, too, for some hold gigabytes. */
import { mkdtempSync, rmSync } from "node:fs";
import { constants, tmpdir } from "node:os";
import { join } from "node:path";

const made = new Set<string>();

/** In SDA_BENCH_DIR where that is set. The caller removes it when it is done with it. */
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
