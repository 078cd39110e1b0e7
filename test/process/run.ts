import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { compiled } from "../support/compiled.js";

export interface Ended {
  code: number | null;
  signal: NodeJS.Signals | null;
  stdout: string;
  stderr: string;
}

/** Below the limit of the tests that take long, so that they say what ended */
const TIME_LIMIT_MS = 280_000;
export const LONG_TEST = { timeout: 300_000 };

/** Runs a script of this folder in a Node process of its own, and waits for its end. */
export function runScript(
  name: string,
  args: string[],
  nodeOptions: string[] = [],
): Promise<Ended> {
  return new Promise((resolve, reject) => {
    const child = spawn(
      process.execPath,
      [...nodeOptions, compiled(`test/process/${name}`), ...args],
      {
        stdio: ["ignore", "pipe", "pipe"],
        timeout: TIME_LIMIT_MS,
      },
    );
    let stdout = "";
    let stderr = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      stdout += text;
    });
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      stderr += text;
    });
    child.on("error", reject);
    child.on("close", (code, signal) => resolve({ code, signal, stdout, stderr }));
  });
}

export const bundledModel = fileURLToPath(
  new URL("../../assets/models/synthetic-plucks.sda", import.meta.url),
);
