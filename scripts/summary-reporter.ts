import type { Reporter, TestModule } from "vitest/node";

/** Ends the run with one plain line of totals, for logs and for programs that read them. */
export default class SummaryReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], unhandledErrors: readonly unknown[]): void {
    const count = { passed: 0, failed: unhandledErrors.length, skipped: 0 };
    for (const module of modules) {
      // A file that failed before its tests could be collected (an import that throws) has none to count.
      if (module.state() === "failed" && [...module.children.allTests("failed")].length === 0)
        count.failed++;
      for (const test of module.children.allTests()) {
        const { state } = test.result();
        count[state === "pending" ? "skipped" : state]++;
      }
    }
    // When vitest's own reporter, which writes in turns, has finished.
    process.once("exit", () => {
      console.log(`${count.passed} passed, ${count.failed} failed, ${count.skipped} skipped`);
    });
  }
}
