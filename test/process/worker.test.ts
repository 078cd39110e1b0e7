/** Models in worker threads: terminating one worker must not affect the others. */
import { describe, expect, test } from "vitest";
import { count } from "../support/effort.js";
import { engineBuilt } from "../support/native.js";
import { bundledModel, LONG_TEST, runScript } from "./run.js";

/** How many of the repetitions are done */
const SHARE = count({ quick: 0.12, full: 1 });

describe.skipIf(!engineBuilt)("worker threads", LONG_TEST, () => {
  for (const scenario of [
    "several at once",
    "terminated while generating",
    "terminated while it reads a stream",
    "terminated while streams wait for their readers",
    "terminated with streams and requests queued",
    "terminated while another goes on",
    "terminated with a model loaded",
    "terminated at random moments",
    "terminated while native objects are made",
    "terminated while it saves",
    "disposed of, then terminated, with work queued",
    "the process exits while a worker's work is queued",
    "a worker that exits by itself",
  ]) {
    test(scenario, async () => {
      const ended = await runScript("worker-script.ts", [scenario, bundledModel, String(SHARE)]);
      expect(ended).toEqual({ code: 0, signal: null, stdout: "done\n", stderr: "" });
    });
  }
});
