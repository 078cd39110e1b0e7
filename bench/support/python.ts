/** The Python that peers run in: SDA_PYTHON, or python3 or python on the PATH, if it has torch. */
import { spawnSync } from "node:child_process";

export const python: string | null = findPython();

function findPython(): string | null {
  const names = [process.env["SDA_PYTHON"], "python3", "python"];
  const asks = "import importlib.util, sys; sys.exit(importlib.util.find_spec('torch') is None)";
  return names.find((name) => name && spawnSync(name, ["-c", asks]).status === 0) ?? null;
}

/** Runs a script of bench/peers and returns what it prints as JSON. */
export function runPeer(script: string, args: string[]): PeerReport {
  const file = new URL(`../peers/${script}`, import.meta.url).pathname;
  const ended = spawnSync(python ?? "python3", [file, ...args], { encoding: "utf8" });
  if (ended.status !== 0) throw new Error(`${script}: ${ended.stderr}`);
  return JSON.parse(ended.stdout) as PeerReport;
}

export interface PeerReport {
  environment: Record<string, unknown>;
  results: Record<string, { median_ms: number; samples: number[] }>;
}
