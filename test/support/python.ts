import { spawnSync } from "node:child_process";
import { findPython } from "../../bench/support/python.js";
import { needs } from "./needs.js";

/** A Python 3, whatever packages it has. */
export const python: string | null = findPython(process.env, []).command;

/** A Python with torch and numpy. */
export const torchPython: string | null = findPython(process.env, ["torch", "numpy"]).command;

needs(python !== null, "no Python 3 (SDA_PYTHON)");
needs(torchPython !== null, "no Python with torch and numpy (SDA_PYTHON)");

/** Runs that Python and returns what it prints. */
export function runPython(args: string[], input = ""): string {
  const { status, stdout, stderr } = spawnSync(python ?? "python3", ["-X", "utf8", ...args], {
    input,
    encoding: "utf8",
    maxBuffer: 2 ** 28,
  });
  if (status !== 0) throw new Error(`Python ended with ${status}: ${stderr}`);
  return stdout;
}
