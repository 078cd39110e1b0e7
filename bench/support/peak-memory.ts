import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { type Summary, scaled, summarize } from "./statistics.js";

const CHILD = fileURLToPath(new URL("../peak-memory.mjs", import.meta.url));

/** Peak memory of a 60 s request beyond its result, in MB. */
export function peakMemory(file: string, processes: number): Summary {
  const bytes = Array.from({ length: processes }, () => {
    const { status, stdout, stderr } = spawnSync(process.execPath, ["--expose-gc", CHILD, file], {
      encoding: "utf8",
    });
    if (status !== 0) throw new Error(`peak-memory.mjs: ${stderr}`);
    return (JSON.parse(stdout) as { bytes: number }).bytes;
  });
  return scaled(summarize(bytes), 1e-6);
}
