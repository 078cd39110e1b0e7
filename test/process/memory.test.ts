/** Thousands of loads, and dozens of stopped requests, leak no memory. */
import { describe, expect, test } from "vitest";
import { count } from "../support/effort.js";
import { engineBuilt } from "../support/native.js";
import { bundledModel, LONG_TEST, runScript } from "./run.js";

// A leak of each model would be 12 GB in 2,000 loads, one of each stopped request some 50 MB in 40.
// Where the garbage collector frees models, some tens of MB wait for it at any time.
const LOADS = count({ quick: 24, full: 2000 });
/** The lowest of so many measurements counts. */
const READINGS = count({ quick: 4, full: 10 });
const ALLOWED_GROWTH_MB: [what: string, times: number, allowed: number][] = [
  ["disposed of", LOADS, 32],
  ["forgotten", count({ quick: 40, full: 2000 }), 96], // fewer could not leak as much
  ["read as a plain torch file", LOADS, 32],
  ["failing to load", LOADS, 16],
  ["stopping requests", count({ quick: 4, full: 40 }), 32],
  ["leaving streams", count({ quick: 4, full: 60 }), 32],
];

describe.skipIf(!engineBuilt)("memory does not grow by models", LONG_TEST, () => {
  for (const [what, times, allowed] of ALLOWED_GROWTH_MB) {
    test(`${what}, ${times} times`, async () => {
      const args = [what, bundledModel, String(times), String(READINGS)];
      const ended = await runScript("memory-script.ts", args, ["--expose-gc"]);
      expect(ended).toMatchObject({ code: 0, signal: null, stderr: "" });
      expect(Number(ended.stdout) / 2 ** 20).toBeLessThan(allowed);
    });
  }
});
