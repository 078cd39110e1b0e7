import { defineConfig } from "vitest/config";

/** Tests the output of `npm run build` with a browser and server processes. Not in `npm test`. */
export default defineConfig({
  test: {
    include: ["server/test/e2e/*.e2e.ts"],
    pool: "forks",
    testTimeout: 120_000,
    hookTimeout: 60_000,
    fileParallelism: false,
    reporters: ["default", "./scripts/summary-reporter.ts"],
  },
});
