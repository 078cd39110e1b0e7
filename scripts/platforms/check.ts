import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { packageRoot } from "../../lib/native/package-root.js";
import type { Outcome, Trial } from "./outcome.js";

/** Emulators take a hundred times as long. */
const TIMEOUT_MS = 30 * 60_000;

interface Report {
  node: string;
  platform: string;
  checks: { name: string; problem?: string }[];
}

/** Runs a program of Node's. */
export interface Runner {
  what: string;
  /** The emulator and its arguments, up to Node's program */
  command: string[];
  env?: Record<string, string>;
  /** A path of this machine, as the program sees it */
  path?(path: string): string;
}

export const CHECK = join(packageRoot, "test/platforms/check.mjs");

/** Runs test/platforms/check.mjs and takes its report. */
export function runCheck(trial: Trial, runner: Runner): Outcome {
  const { what, command, env = {}, path = (one) => one } = runner;
  mkdirSync(trial.work, { recursive: true });
  const report = join(trial.work, "report.json");
  const script = path(CHECK);
  const [program = "", ...args] = command;
  const { status, signal, stderr } = spawnSync(
    program,
    [...args, script, path(trial.dist), path(report)],
    {
      encoding: "utf8",
      stdio: ["ignore", "ignore", "pipe"],
      timeout: TIMEOUT_MS,
      env: {
        ...process.env,
        SDA_CHECKPOINT_ADDON: path(join(trial.addons, "sda_checkpoint.node")),
        SDA_ENGINE_ADDON: path(join(trial.addons, "sda_engine.node")),
        // How check.mjs starts itself: an emulated program starts others without the emulator.
        SDA_COMMAND: JSON.stringify(command),
        ...env,
      },
    },
  );
  return outcomeOf(what, report, `${signal ? `ended by ${signal}` : `exit ${status}`}\n${stderr}`);
}

/**
 * The outcome that the file `report` tells.
 *
 * @param ended how the run ended, in case that it left no report
 */
export function outcomeOf(what: string, report: string, ended: string): Outcome {
  if (!existsSync(report)) {
    return { what, problems: ["no report", ...ended.trim().split("\n").slice(-8)] };
  }
  const found: Report = JSON.parse(readFileSync(report, "utf8"));
  const problems = found.checks.flatMap(({ name, problem }) =>
    problem ? [`${name}: ${problem}`] : [],
  );
  const figures = `${found.checks.length - problems.length} of ${found.checks.length} checks`;
  return { what: `${what}, Node ${found.node.slice(1)}`, problems, figures };
}
