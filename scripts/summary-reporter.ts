import { relative } from "node:path";
import type { UserConsoleLog } from "vitest";
import type { Reporter, TestModule, Vitest } from "vitest/node";
import { SKIPPED } from "../test/support/needs.js";

export interface SummaryOptions {
  /** How many of the slowest files to list */
  slowest?: number;
}

/**
 * Ends the run with the slowest files, if the options ask for them, the reasons of skipped tests
 * and one plain line of totals for logs and for programs that read them.
 */
export default class SummaryReporter implements Reporter {
  readonly #slowest: number;
  readonly #reasons = new Set<string>();
  #root = process.cwd();

  constructor({ slowest = 0 }: SummaryOptions = {}) {
    this.#slowest = slowest;
  }

  onInit(vitest: Vitest): void {
    this.#root = vitest.config.root;
  }

  onUserConsoleLog({ content }: UserConsoleLog): void {
    for (const line of content.split("\n")) if (line.startsWith(SKIPPED)) this.#reasons.add(line);
  }

  onTestRunEnd(modules: readonly TestModule[], unhandledErrors: readonly unknown[]): void {
    const lines = [
      ...this.#slowestFiles(modules),
      ...this.#reasons,
      totals(modules, unhandledErrors),
    ];
    // Vitest's own reporter writes with a delay and has finished when the process exits.
    process.once("exit", () => console.log(lines.join("\n")));
  }

  #slowestFiles(modules: readonly TestModule[]): string[] {
    if (this.#slowest === 0) return [];
    const seconds = (module: TestModule) => {
      const { duration, collectDuration, setupDuration } = module.diagnostic();
      return (duration + collectDuration + setupDuration) / 1000;
    };
    const files = modules
      .map((module) => ({ path: module.moduleId, seconds: seconds(module) }))
      .sort((a, b) => b.seconds - a.seconds)
      .slice(0, this.#slowest)
      .map(
        ({ path, seconds }) => `${seconds.toFixed(1).padStart(7)} s  ${relative(this.#root, path)}`,
      );
    return ["", `The ${files.length} slowest files:`, ...files, ""];
  }
}

function totals(modules: readonly TestModule[], unhandledErrors: readonly unknown[]): string {
  const count = { passed: 0, failed: unhandledErrors.length, skipped: 0 };
  for (const module of modules) {
    // No test is collected from a file whose import throws, so the file counts as one failure.
    if (module.state() === "failed" && [...module.children.allTests("failed")].length === 0)
      count.failed++;
    for (const test of module.children.allTests()) {
      const { state } = test.result();
      count[state === "pending" ? "skipped" : state]++;
    }
  }
  return `${count.passed} passed, ${count.failed} failed, ${count.skipped} skipped`;
}
