/** 2,000 loads leave nothing behind. */
import { describe, expect, test } from "vitest";
import { engineBuilt } from "../support/native.js";
import { bundledModel, runScript } from "./run.js";

// Leaking each model would be 12 GB. Where the collector decides when they go, some tens of MB of
// them wait for it at any time.
const ALLOWED_GROWTH_MB: Record<string, number> = {
  "disposed of": 32,
  forgotten: 96,
  "read as a plain torch file": 32,
  "failing to load": 16,
};

describe.skipIf(!engineBuilt)("memory after 2,000 models", () => {
  for (const [what, allowed] of Object.entries(ALLOWED_GROWTH_MB)) {
    test(what, async () => {
      const ended = await runScript("memory-script.ts", [what, bundledModel], ["--expose-gc"]);
      expect(ended).toMatchObject({ code: 0, signal: null, stderr: "" });
      expect(Number(ended.stdout) / 2 ** 20).toBeLessThan(allowed);
    });
  }
});
