import { describe, expect, test } from "vitest";
import { plainJson } from "../src/plain-json.js";

/** A value with n levels, each of which contains the next one twice: 2^n values in JSON. */
function doubled(levels: number, wrap: (inner: unknown) => unknown): unknown {
  let value: unknown = "x";
  for (let i = 0; i < levels; i++) value = wrap(value);
  return value;
}

test("a training configuration keeps its values", () => {
  const config = new Map<unknown, unknown>([
    ["epochs", 3],
    ["big", 2n ** 60n],
    ["nested", new Map([["list", [1, null, "a"]]])],
    [7, new Set(["b"])],
    ["array", new Float32Array(4)],
  ]);
  expect(plainJson(config)).toEqual({
    epochs: 3,
    big: String(2n ** 60n),
    nested: { list: [1, null, "a"] },
    7: ["b"],
    array: "16 bytes",
  });
});

describe("JSON of a small file stays small", () => {
  test.each<[string, unknown]>([
    ["lists in lists", doubled(31, (inner) => [inner, inner])],
    [
      "dicts in dicts",
      doubled(
        31,
        (inner) =>
          new Map([
            ["a", inner],
            ["b", inner],
          ]),
      ),
    ],
    ["keys of keys", doubled(31, (inner) => new Map([[[inner, inner], 1]]))],
    ["one long text, again and again", Array(5000).fill("y".repeat(10_000))],
  ])("%s", (_, value) => {
    expect(JSON.stringify(plainJson(value)).length).toBeLessThan(4_000_000);
  });
});
