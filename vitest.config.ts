import { availableParallelism } from "node:os";
import { defineConfig } from "vitest/config";

/** `npm test`, and with `--mode full` `npm run test:full`: see test/support/effort.ts. */
export default defineConfig(({ mode }) => {
  const isFull = mode === "full";
  return {
    test: {
      include: [
        "test/**/*.test.ts",
        "server/test/**/*.test.ts",
        ...(isFull ? ["test/packages/*.packages.ts"] : []), // after `npm run pack`
      ],
      // In processes instead of threads, a native crash names its test file, and each file has its
      // own memory.
      pool: "forks",
      // Vitest leaves one processor to itself, but it needs little of it.
      maxWorkers: availableParallelism(),
      globalSetup: "test/support/compiled.ts",
      setupFiles: ["test/support/own-folder.ts", "test/support/typed-arrays.ts"],
      env: isFull ? { SDA_TEST_FULL: "1" } : {},
      coverage: {
        provider: "v8" as const,
        include: ["lib/**/*.ts", "server/src/**/*.ts"],
        reporter: ["text-summary", "html", "lcovonly"],
        reportsDirectory: "out/coverage/typescript",
      },
      testTimeout: isFull ? 240_000 : 60_000,
      hookTimeout: 60_000,
      reporters: ["default", ["./scripts/summary-reporter.ts", { slowest: isFull ? 10 : 0 }]],
    },
  };
});
