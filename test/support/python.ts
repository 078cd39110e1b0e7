import { execFileSync, spawnSync } from "node:child_process";

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

/** A Python 3, any will do; null where there is none. */
export const python: string | null =
  [process.env["SDA_PYTHON"], "python3"].find(
    (name) => name && spawnSync(name, ["-c", "import json, dataclasses"]).status === 0,
  ) ?? null;

if (python === null) console.warn("No python3 (see SDA_PYTHON): comparisons with it are skipped.");

export function runPython(args: string[], input = ""): string {
  const { status, stdout, stderr } = spawnSync(python ?? "python3", ["-X", "utf8", ...args], {
    input,
    encoding: "utf8",
    maxBuffer: 2 ** 28,
  });
  if (status !== 0) throw new Error(`Python ended with ${status}: ${stderr}`);
  return stdout;
}
