import { spawnSync } from "node:child_process";

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
