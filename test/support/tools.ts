/** Programs of the system that read and change sound files. */
import { execFileSync } from "node:child_process";
import { needs } from "./needs.js";

export function isThere(...tools: string[]): boolean {
  const missing = tools.filter((tool) => {
    try {
      execFileSync("sh", ["-c", `command -v ${tool}`], { stdio: "ignore" });
      return false;
    } catch {
      return true;
    }
  });
  return needs(missing.length === 0, `not installed: ${missing.join(", ")}`);
}

export function tool(name: string, ...args: string[]): Buffer {
  return execFileSync(name, args, { stdio: "pipe", maxBuffer: 2 ** 30 });
}

export const ffmpeg = (...args: string[]) => tool("ffmpeg", "-y", "-v", "error", ...args);
