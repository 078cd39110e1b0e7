/**
 * Runs the benchmarks, beside Python with torch where one is found (SDA_PYTHON names one), and writes a JSON and a chart for each.
 *
 *     npm run bench -- [load] [library] [generate] [torch] [cuda] [FILE.sda] [--quick] [--out FOLDER]
 *         [--compare OLD.json|FOLDER] [--fail-on-slower] [--entries 1000,10000]
 *
 * Without names it runs all but cuda. A quick run writes to out/bench, so that it replaces no figures of a full one.
 */
import { statSync } from "node:fs";
import { parseOptions } from "./support/arguments.js";
import { writeBarsChart } from "./support/bars-chart.js";
import { type Comparison, compareResults } from "./support/compare.js";
import { environment, machine } from "./support/environment.js";
import { printComparison, printResult } from "./support/print.js";
import { findPython } from "./support/python.js";
import { earlierResult, writeResult } from "./support/results.js";
import { type Result, SCHEMA } from "./support/schema.js";
import type { Suite, SuiteName } from "./support/suite.js";

const MODULES: Record<SuiteName, string> = {
  load: "./load.bench.js",
  library: "./library.bench.js",
  generate: "./generate.bench.js",
  torch: "./torch.bench.js",
  cuda: "./generate-cuda.bench.js",
};

async function main(args: string[]): Promise<number> {
  const { suites, compare, failOnSlower, ...options } = parseOptions(args);
  // Before anything is written: they may be the files that are replaced.
  const earlier = new Map(
    suites.map((name) => [name, compare === null ? null : earlierResult(compare, name)]),
  );
  if (compare !== null && ![...earlier.values()].some((result) => result !== null))
    throw new Error(`${compare} has no results of ${suites.join(", ")}`);
  const python = findPython();
  let slower = false;
  for (const name of suites) {
    const { suite } = (await import(MODULES[name])) as { suite: Suite };
    const say = (text: string) => process.stderr.write(`${name}: ${text} …\n`);
    const { charts = [], ...measured } = await suite.run({ ...options, python, say });
    const model = suite.usesModel
      ? { file: options.file.split(/[\\/]/).at(-1) ?? "", bytes: statSync(options.file).size }
      : null;
    const result: Result = {
      schema: SCHEMA,
      suite: name,
      quick: options.quick,
      environment: environment(),
      model,
      ...measured,
    };
    console.log(`\n${suite.title}: ${model ? `${options.file}, ` : ""}${machine()}\n`);
    printResult(result);
    const subtitle = `${model ? `${model.file}, ` : ""}${machine()}; medians, quartiles`;
    const bars = writeBarsChart(options.out, result, suite.title, subtitle);
    const written = [writeResult(options.out, result), ...(bars ? [bars] : []), ...charts];
    console.log(`\n${written.join("\n")}`);
    slower = tell(earlier.get(name) ?? null, result) || slower;
  }
  return slower && failOnSlower ? 1 : 0;
}

/** @returns whether something got slower */
function tell(earlier: Result | null, now: Result): boolean {
  if (earlier === null) return false;
  const comparison: Comparison = compareResults(earlier, now);
  console.log(`\nBeside ${earlier.environment.date}:\n`);
  printComparison(comparison);
  return comparison.changes.some(({ verdict }) => verdict === "slower");
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  process.stderr.write(`error: ${error instanceof Error ? error.message : error}\n`);
  process.exitCode = 2;
}
