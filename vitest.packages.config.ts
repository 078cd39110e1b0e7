import { defineConfig } from "vitest/config";

/** Installs the packages of `npm run pack` without a compiler. Too slow for `npm test`. */
export default defineConfig({
  test: {
    include: ["test/packages/*.packages.ts"],
    testTimeout: 300_000,
    hookTimeout: 600_000,
    fileParallelism: false,
    reporters: ["default", "./scripts/summary-reporter.ts"],
  },
});
