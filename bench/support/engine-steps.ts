/** Times of the engine's steps for one second of sound, measured by scripts/engine-bench.sh. */
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
 * Milliseconds on one thread. `ffts` are the FFTs of `griffin_lim` measured alone; `library_ffts`
 * are the same FFTs done by LibTorch's own library.
 */
export type EngineSteps = Record<(typeof NAMES)[number], Summary>;

export interface EngineTimes {
  steps: EngineSteps;
  /** Ratio of Griffin-Lim's time to that of its FFTs alone, by round */
  thanFfts: Summary;
  thanLibraryFfts: Summary;
}

/** @returns the times, or the reason why they could not be measured */
export function engineTimes(file: string, count: number): EngineTimes | string {
  if (!existsSync(SCRIPT)) return "scripts/engine-bench.sh is not there";
  const rounds: Record<string, number>[] = [];
  for (let round = 0; round < count; round++) {
    const { status, stdout, stderr } = spawnSync("bash", [SCRIPT, resolve(file)], {
      encoding: "utf8",
    });
    if (status !== 0)
      return `scripts/engine-bench.sh failed (${status}; npm run build?): ${firstLine(stderr)}`;
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

function firstLine(text: string): string {
  return text.trim().split("\n")[0] ?? "";
}
