import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { parseOptions } from "../../bench/support/arguments.js";
import { KEPT } from "../../bench/support/results.js";
import { temporaryFolder } from "../support/folder.js";

it("runs all suites but cuda, server and vocoder when none is named, and keeps the results", () => {
  expect(parseOptions([])).toMatchObject({
    suites: ["load", "library", "generate", "torch"],
    quick: false,
    out: KEPT,
    entries: [1000, 10000, 100000],
    compare: null,
    now: null,
    failOnSlower: false,
  });
});

it("lets no quick run replace the results that are kept", () => {
  expect(parseOptions(["--quick"])).toMatchObject({ out: "out/bench", entries: [1000] });
  expect(parseOptions(["--quick", "--out", "x"]).out).toBe("x");
});

it("takes suites and a file in any order", () => {
  const file = join(temporaryFolder(), "m.sda");
  writeFileSync(file, "");
  expect(parseOptions(["cuda", file, "load"])).toMatchObject({ suites: ["load", "cuda"], file });
});

it.each([
  [["lod"], "lod is neither a file nor one of load, library, generate, torch, cuda"],
  [["--entries", "10,x"], "--entries: 10,x is no list of numbers"],
  [["--entries", "0"], "--entries: 0 is no list of numbers"],
  [["--fail-on-slower"], "--fail-on-slower needs --compare"],
  [["--with", "x"], "--with needs --compare"],
  [["--quik"], "Unknown option '--quik'"],
])("refuses %j", (args, message) => {
  expect(() => parseOptions(args)).toThrow(message);
});

it("takes one file only", () => {
  const files = ["a.sda", "b.sda"].map((name) => join(temporaryFolder(), name));
  for (const file of files) writeFileSync(file, "");
  expect(() => parseOptions(files)).toThrow("one file at a time");
});
