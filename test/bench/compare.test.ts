import { expect, it } from "vitest";
import { compareResults } from "../../bench/support/compare.js";
import { judged, met } from "../../bench/support/goals.js";
import type { Result } from "../../bench/support/schema.js";
import { perSecond, ratioOf } from "../../bench/support/statistics.js";
import { around, result, row } from "./made-up.js";

const verdicts = (then: Result, now: Result) =>
  compareResults(then, now).changes.map(({ verdict }) => verdict);

it("takes ratios round by round, and turns intervals of rates around", () => {
  const { median, fastest } = ratioOf(
    [
      [4, 8, 6],
      [20, 30, 40],
    ],
    [
      [2, 2, 2],
      [10, 10, 20],
    ],
  );
  expect([median.low, median.high]).toEqual([3, 3]);
  expect(fastest.median).toBe(2);
  expect(perSecond(around(500, 0.2), 1)).toMatchObject({ median: 2, low: 1 / 0.6, high: 2.5 });
});

it("says yes, even and no of goals", () => {
  expect(met(around(10), { atLeast: 10 })).toBe("yes");
  expect(met(around(9.95), { atLeast: 10 })).toBe("even");
  expect(met(around(9), { atLeast: 10 })).toBe("no");
  expect(met(around(10.05), { atMost: 10 })).toBe("even");
  expect(met(around(11), { atMost: 10 })).toBe("no");
  expect(judged(around(1))).toEqual({});
});

it("calls slower and faster only what is beyond the noise", () => {
  const then = result([row("a", around(10))]);
  expect(verdicts(then, result([row("a", around(12))]))).toEqual(["slower"]);
  expect(verdicts(then, result([row("a", around(8))]))).toEqual(["faster"]);
  expect(verdicts(then, result([row("a", around(10.4))]))).toEqual(["same"]);
  expect(verdicts(then, result([row("a", around(12, 0.2))]))).toEqual(["same"]);
  expect(verdicts(then, result([row("a", around(12, 0.01, 5))]))).toEqual(["unclear"]);
  expect(verdicts(then, result([row("b", around(12))]))).toEqual(["new", "gone"]);
});

it("notes what else is different", () => {
  const then = result([row("a", around(10))]);
  const engine = { libtorch: "2.12.0", threads: 4 };
  const now = { ...then, environment: { ...then.environment, node: "v24.1.0", engine } };
  expect(compareResults(then, now).notes).toEqual([
    "Node v20.0.0 then, v24.1.0 now",
    "LibTorch 2.13.0 on 2 threads then, LibTorch 2.12.0 on 4 threads now",
  ]);
});

it("takes more of a rate for faster", () => {
  const of = (rate: number) => result([row("t", around(rate), "s/s")]);
  expect(verdicts(of(100), of(120))).toEqual(["faster"]);
  expect(verdicts(of(100), of(80))).toEqual(["slower"]);
});

it("corrects for the machine by the peer", () => {
  const of = (ours: number, theirs: number, torch?: string) =>
    result(
      [row("a", around(ours)), row("b", around(ours)), row("Python: a", around(theirs))],
      [{ ours: "a", theirs: "Python: a", ratio: around(theirs / ours) }],
      "A",
      torch,
    );
  expect(verdicts(of(10, 100), of(20, 200))).toEqual(["same", "same"]);
  expect(verdicts(of(10, 100), of(10, 200))).toEqual(["faster", "same"]);
  expect(verdicts(of(10, 100), of(20, 100))).toEqual(["slower", "slower"]);
  // Another torch is another yardstick.
  expect(verdicts(of(10, 100), of(10, 200, "2.14"))).toEqual(["same", "same"]);
});

it("believes peers only where they agree", () => {
  const of = (one: number, two: number) =>
    result(
      [row("a", around(10))],
      [
        { ours: "a", theirs: "Python: x", ratio: around(one) },
        { ours: "a", theirs: "Python: y", ratio: around(two) },
      ],
    );
  expect(verdicts(of(10, 10), of(8, 10))).toEqual(["same"]);
  expect(verdicts(of(10, 10), of(8, 8))).toEqual(["slower"]);
});

it("compares nothing between different machines or models, and says why", () => {
  const then = result([row("a", around(10))]);
  const { incomparable, changes } = compareResults(
    then,
    result([row("a", around(99))], [], "Another"),
  );
  expect(incomparable).toEqual(["processor: A then, Another now"]);
  expect(changes).toEqual([]);
  const other = { ...then, model: { file: "n.sda", bytes: 2 } };
  expect(compareResults(then, other).incomparable[0]).toContain("n.sda (2 bytes) now");
  expect(compareResults(then, { ...then, quick: true }).incomparable).toHaveLength(1);
});
