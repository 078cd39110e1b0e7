import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { earlierResults, writeResult } from "../../bench/support/results.js";
import { parseResult } from "../../bench/support/schema.js";
import { temporaryFolder } from "../support/folder.js";
import { around, result, row } from "./made-up.js";

const one = result([row("a", around(1))]);

it("reads what it wrote, from a file and from a folder of them", () => {
  const folder = join(temporaryFolder(), "new", "folder");
  const file = writeResult(folder, one);
  writeResult(folder, { ...one, suite: "torch" });
  expect(earlierResults(file, ["load", "torch"])).toEqual(new Map([["load", one]]));
  expect([...earlierResults(folder, ["library", "load", "torch"]).keys()]).toEqual([
    "load",
    "torch",
  ]);
});

it("says what is not there", () => {
  const folder = temporaryFolder();
  expect(() => earlierResults(join(folder, "no"), ["load"])).toThrow("no is not there");
  expect(() => earlierResults(folder, ["load", "torch"])).toThrow("has no results of load, torch");
  const file = writeResult(folder, one);
  expect(() => earlierResults(file, ["torch"])).toThrow("has no results of torch");
});

it("refuses files of another shape by name", () => {
  const folder = temporaryFolder();
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "load.json"), '{ "milliseconds": {} }');
  expect(() => earlierResults(folder, ["load"])).toThrow("load.json is no result");
  expect(() => parseResult("{", "x.json")).toThrow("x.json is not JSON");
  expect(() => parseResult("null", "x.json")).toThrow("x.json is no result");
});
