/** Runs test/realm in Vitest's pool of vm contexts, which has a realm for each test file. */
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { engineBuilt } from "./support/native.js";

const root = fileURLToPath(new URL("..", import.meta.url));

test.each(["vmForks", "vmThreads"])(
  "values of every realm are accepted in %s",
  (pool) => {
    const vitest = "node_modules/vitest/vitest.mjs";
    const args = [vitest, "run", "--config", "test/realm/vitest.config.ts", "--pool", pool];
    const { status, stdout, stderr } = spawnSync(process.execPath, [...args, "--root", root], {
      cwd: root,
      encoding: "utf8",
      env: { ...process.env, NO_COLOR: "1", SDA_REALM_ENGINE: engineBuilt ? "1" : "0" },
    });
    expect(stdout + stderr).toMatch(/Tests +\d+ passed/);
    expect(status).toBe(0);
  },
  120_000,
);
