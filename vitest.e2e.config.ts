import { defineConfig } from "vitest/config";

/** A browser and servers in processes of their own, on what `npm run build` built: not a part of `npm test`. */
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
