import { defineConfig } from "vitest/config";

/** Installs what `npm run pack` made on a system without a compiler: minutes, so not a part of `npm test`. */
export default defineConfig({
  test: {
    include: ["test/packages/*.packages.ts"],
    testTimeout: 300_000,
    hookTimeout: 600_000,
    fileParallelism: false,
    reporters: ["default", "./scripts/summary-reporter.ts"],
  },
});
