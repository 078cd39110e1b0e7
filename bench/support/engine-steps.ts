/** Where the time of one second of sound goes: scripts/engine-bench.sh measures the engine's steps, on one thread. */
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { ratioOf, type Summary, summarize } from "./statistics.js";

const SCRIPT = fileURLToPath(new URL("../../scripts/engine-bench.sh", import.meta.url));
const NAMES = [
  "decode",
  "draw",
  "inverse_mel",
  "griffin_lim",
  "finishing",
  "ffts",
  "library_ffts",
] as const;

/**
 * Milliseconds; `ffts` are those that `griffin_lim` does, measured alone, and `library_ffts` the same ones by the library that
 * LibTorch carries.
 */
export type EngineSteps = Record<(typeof NAMES)[number], Summary>;

export interface EngineTimes {
  steps: EngineSteps;
  /** How many times longer Griffin-Lim takes, round by round */
  thanFfts: Summary;
  thanLibraryFfts: Summary;
}

/** @returns why there are none where there are none */
export function engineTimes(file: string, count: number): EngineTimes | string {
  if (!existsSync(SCRIPT)) return "scripts/engine-bench.sh is not there";
  const rounds: Record<string, number>[] = [];
  for (let round = 0; round < count; round++) {
    const { status, stdout, stderr } = spawnSync("bash", [SCRIPT, resolve(file)], {
      encoding: "utf8",
    });
    if (status !== 0)
      return `scripts/engine-bench.sh failed (${status}; npm run build comes first): ${stderr.trim().split("\n")[0]}`;
    rounds.push(JSON.parse(stdout));
  }
  const times = (name: string) => rounds.map((round) => round[name] ?? Number.NaN);
  const than = (name: string) =>
    ratioOf(
      times("griffin_lim").map((ms) => [ms]),
      times(name).map((ms) => [ms]),
    ).median;
  return {
    steps: Object.fromEntries(NAMES.map((name) => [name, summarize(times(name))])) as EngineSteps,
    thanFfts: than("ffts"),
    thanLibraryFfts: than("library_ffts"),
  };
}
