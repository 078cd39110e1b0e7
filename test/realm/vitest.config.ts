import { defineConfig } from "vitest/config";

/** For test/realm.test.ts. */
export default defineConfig({
  test: { include: ["test/realm/*.spec.ts"], pool: "vmForks", maxWorkers: 1, testTimeout: 60_000 },
});
