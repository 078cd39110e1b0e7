import { execFileSync } from "node:child_process";

/** A Python that has torch and numpy: SDA_PYTHON, or the usual names; null where there is none. */
export const torchPython: string | null = findPython();

if (torchPython === null) {
  console.warn("No Python with torch and numpy (see SDA_PYTHON): tests against it are skipped.");
}

function findPython(): string | null {
  for (const python of [process.env["SDA_PYTHON"], "python3", "python"]) {
    if (!python) continue;
    try {
      execFileSync(python, ["-c", "import numpy, torch"], { stdio: "ignore", timeout: 60_000 });
      return python;
    } catch {
      // Not there, or without torch: the next one may have it.
    }
  }
  return null;
}
