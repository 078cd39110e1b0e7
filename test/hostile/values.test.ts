/** Changed pickles as JavaScript values and back; `npm run fuzz -- values` does it for longer. */
import { join } from "node:path";
import { expect, test } from "vitest";
import { count } from "../support/effort.js";
import { temporaryFolder } from "../support/folder.js";
import { fuzzValues, pickles, roundTrip } from "../support/value-fuzz.js";

const RUNS = count({ quick: 1500, full: 20_000 });

test("what loads is saved, and what was saved loads as the same values", async () => {
  const path = join(temporaryFolder(), "a.pt");
  const { equal, refused } = await fuzzValues(RUNS, 0x5da, path);
  expect(equal).toBeGreaterThan(RUNS / 100);
  expect(refused).toBeGreaterThan(RUNS / 2);
});

test("unchanged, too", async () => {
  const path = join(temporaryFolder(), "a.pt");
  const outcomes = new Set<string>();
  for (const pickle of pickles()) outcomes.add(await roundTrip(pickle, path));
  expect(outcomes).toContain("equal");
});
