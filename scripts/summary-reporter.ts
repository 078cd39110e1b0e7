import type { Reporter, TestModule } from "vitest/node";

/**
 * Prints one plain line of totals at the end of a run, for logs and for programs that read logs.
 */
export default class SummaryReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], unhandledErrors: readonly unknown[]): void {
    const count = { passed: 0, failed: unhandledErrors.length, skipped: 0 };
    for (const module of modules) {
      // A file whose import throws has no tests: count the file itself.
      if (module.state() === "failed" && [...module.children.allTests("failed")].length === 0)
        count.failed++;
      for (const test of module.children.allTests()) {
        const { state } = test.result();
        count[state === "pending" ? "skipped" : state]++;
      }
    }
    // At exit, because vitest's own reporter still writes now.
    process.once("exit", () => {
      console.log(`${count.passed} passed, ${count.failed} failed, ${count.skipped} skipped`);
    });
  }
}
