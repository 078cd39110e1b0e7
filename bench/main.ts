/**
 * Runs the benchmarks and writes a JSON file and a chart for each. Compares with a Python that has
 * torch, if found; SDA_PYTHON names one.
 *
 *     npm run bench -- [load] [library] [generate] [torch] [cuda] [server] [vocoder] [FILE]
 *         [--quick] [--out FOLDER] [--entries 1000,10000]
 *         [--compare OLD.json|FOLDER] [--with NEW.json|FOLDER] [--fail-on-slower]
 *
 * Without names, all but cuda, server and vocoder run, in eight minutes. The suite
 * vocoder needs a FILE.distillgan with one. A quick run writes to out/bench, so
 * it does not replace the figures of a full run. With both --compare and --with, nothing is
 * measured: the two results are compared.
 *
 * Exit codes: 1 if --fail-on-slower is given and a figure got slower; 2 for wrong usage, for a
 * failed benchmark, and with --fail-on-slower when no figure can be compared.
 */
import { spawnSync } from "node:child_process";
import { statSync } from "node:fs";
import { basename } from "node:path";
import { fileURLToPath } from "node:url";
import { type Options, parseOptions } from "./support/arguments.js";
import { compareResults } from "./support/compare.js";
import { environment, machine } from "./support/environment.js";
import { printComparison, printResult } from "./support/print.js";
import { findPython } from "./support/python.js";
import { earlierResults, writeResult } from "./support/results.js";
import { type Result, SCHEMA } from "./support/schema.js";
import type { Suite, SuiteName } from "./support/suite.js";

const MODULES: Record<SuiteName, string> = {
  load: "./load.bench.js",
  library: "./library.bench.js",
  generate: "./generate.bench.js",
  torch: "./torch.bench.js",
  cuda: "./generate-cuda.bench.js",
  server: "./server.bench.js",
  vocoder: "./vocoder.bench.js",
};

async function main(args: string[]): Promise<number> {
  const options = parseOptions(args);
  const { suites, compare, now, failOnSlower } = options;
  // Read before writing: the new results may replace these files.
  const earlier = compare === null ? null : earlierResults(compare, suites);
  const later = now === null ? null : earlierResults(now, suites);
  const verdicts: Verdict[] = [];
  for (const name of suites) {
    const old = earlier?.get(name);
    const result = later === null ? await resultOf(name, options) : later.get(name);
    if (old !== undefined && result !== undefined) verdicts.push(tell(old, result));
  }
  if (!failOnSlower) return 0;
  if (verdicts.includes("slower")) return 1;
  if (!verdicts.includes("fine")) throw new Error("nothing could be compared");
  return 0;
}

/**
 * Runs each of several suites in a process of its own: a heap filled by one suite makes garbage
 * collection slower for the next.
 */
async function resultOf(name: SuiteName, options: Options): Promise<Result | undefined> {
  const { suites, file, quick, out, entries } = options;
  if (suites.length === 1) return measure(name, options);
  const args = [
    name,
    file,
    "--out",
    out,
    "--entries",
    entries.join(","),
    ...(quick ? ["--quick"] : []),
  ];
  const command = [...process.execArgv, fileURLToPath(import.meta.url), ...args];
  if (spawnSync(process.execPath, command, { stdio: "inherit" }).status !== 0)
    throw new Error(`the benchmark ${name} failed`);
  return earlierResults(out, [name]).get(name);
}

async function measure(name: SuiteName, options: Options): Promise<Result> {
  const { file, quick, out, entries } = options;
  const { suite } = (await import(MODULES[name])) as { suite: Suite };
  const here = await environment();
  const python = findPython();
  const { charts = [], ...all } = await suite.run({
    file,
    quick,
    out,
    entries,
    python: python.command,
    notes: [...(quick ? [QUICK] : []), ...(python.command === null ? [python.why] : [])],
    machine: machine(here),
    say: (text) => process.stderr.write(`${name}: ${text} …\n`),
  });
  const measured = quick ? withoutGoals(all) : all;
  const model = suite.usesModel ? { file: basename(file), bytes: statSync(file).size } : null;
  const result: Result = {
    schema: SCHEMA,
    suite: name,
    quick,
    environment: here,
    model,
    ...measured,
  };
  console.log(`\n${suite.title}: ${model ? `${file}, ` : ""}${machine(here)}\n`);
  printResult(result);
  const where = `${model ? `${model.file}, ` : ""}${machine(here)}`;
  const subtitle = `${where}; ${quick ? "quick run, " : ""}medians, quartiles`;
  // Imported after all measurements: a large heap makes garbage collection slower.
  const { writeBarsChart } = await import("./support/bars-chart.js");
  const bars = writeBarsChart(out, result, suite.title, subtitle);
  console.log(`\n${[writeResult(out, result), ...(bars ? [bars] : []), ...charts].join("\n")}`);
  return result;
}

const QUICK =
  "Quick run: it shows that everything works. Its figures are not warmed up and say nothing.";

function withoutGoals<T extends Pick<Result, "rows" | "ratios">>(measured: T): T {
  return {
    ...measured,
    rows: measured.rows.map(({ goal: _, met: __, ...row }) => row),
    ratios: measured.ratios.map(({ goal: _, met: __, ...ratio }) => ratio),
  };
}

type Verdict = "slower" | "fine" | "incomparable";

function tell(earlier: Result, now: Result): Verdict {
  const comparison = compareResults(earlier, now);
  console.log(`\n${now.suite}, beside ${earlier.environment.date}:\n`);
  printComparison(comparison);
  const { changes } = comparison;
  if (changes.some(({ verdict }) => verdict === "slower")) return "slower";
  return changes.some(({ verdict }) => verdict === "same" || verdict === "faster")
    ? "fine"
    : "incomparable";
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  process.stderr.write(`error: ${error instanceof Error ? error.message : error}\n`);
  process.exitCode = 2;
}
