/** A process can exit at any stage of a model: at once, with its own code, without a crash. */
import { describe, expect, test } from "vitest";
import { engineBuilt } from "../support/native.js";
import { bundledModel, runScript } from "./run.js";

const EXPECTED_EXIT = 7;

describe.skipIf(!engineBuilt)("the process ends", () => {
  for (const stage of [
    "nothing loaded",
    "while a file is read",
    "while a model is loaded",
    "with a model loaded",
    "while decoding",
    "while generating",
    "while generating, disposed of",
    "while work is queued",
    "while a stream is read",
    "while streams wait for their readers",
    "while streams are queued",
    "by itself, model kept",
    "by itself, work not awaited",
    "by itself, a stream left early",
    "by itself, a stream not read to its end",
    "by itself, a piece not awaited",
    "by itself, with work begun in an exit handler",
    "by itself, disposal not awaited",
  ]) {
    test(stage, async () => {
      const ended = await runScript("exit-script.ts", [stage, bundledModel]);
      expect(ended).toMatchObject({ code: EXPECTED_EXIT, signal: null, stderr: "" });
    });
  }

  test("by an uncaught error while generating", async () => {
    const ended = await runScript("exit-script.ts", [
      "by an uncaught error while generating",
      bundledModel,
    ]);
    expect(ended).toMatchObject({ code: 1, signal: null });
    expect(ended.stderr).toContain("on purpose");
  });
});
