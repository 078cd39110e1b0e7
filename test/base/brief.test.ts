import { describe, expect, it } from "vitest";
import { brief, show } from "../../lib/base/brief.js";
import { badArgument } from "../../lib/base/check.js";
import { SdaError } from "../../lib/base/errors.js";

const json = (error: SdaError) => JSON.stringify({ message: error.message, ...error.details });

describe("error details", () => {
  it("describe a Buffer of megabytes that was passed by mistake", () => {
    const error = badArgument("path", "a path", Buffer.alloc(2_000_000));
    expect(error.details).toEqual({ option: "path", value: "a Buffer" });
    expect(json(error).length).toBeLessThan(200);
  });

  it.each([
    ["a long text", "x".repeat(1_000_000)],
    ["a long list", new Array(100_000).fill("item")],
    ["many properties", Object.fromEntries([...Array(10_000).keys()].map((i) => [`key ${i}`, i]))],
    ["a typed array", new Float32Array(1_000_000)],
    ["a deep object", { a: { b: { c: { d: "x".repeat(1_000_000) } } } }],
    ["a Map", new Map([["a", Buffer.alloc(1_000_000)]])],
    ["a large bigint", 10n ** 10_000n],
  ])("stay small for %s", (_, value) => {
    expect(json(badArgument("option", "small", value)).length).toBeLessThan(8_000);
    const details = { value, list: [value, value] };
    expect(JSON.stringify(new SdaError("ERR_SDA_IO", "m", details).details).length).toBeLessThan(
      20_000,
    );
  });

  it("keep small values as they are", () => {
    const values = ["pads", 1.5, true, null, [1, 2, 3], { mode: "stereo", width: 2 }];
    for (const value of values) expect(brief(value)).toEqual(value);
  });

  it("keep a whole path", () => {
    const path = `/${"folder/".repeat(200)}pads.sda`;
    expect(new SdaError("ERR_SDA_NOT_FOUND", "missing", { path }).details).toEqual({ path });
  });

  it("call no getter and survive a value that refers to itself", () => {
    let called = false;
    const value: Record<string, unknown> = {
      get trap() {
        called = true;
        return 1;
      },
    };
    value["self"] = value;
    expect(() => JSON.stringify(badArgument("option", "a string", value).details)).not.toThrow();
    expect(called).toBe(false);
  });
});

describe("show", () => {
  it.each([
    ["pads", '"pads"'],
    [undefined, "undefined"],
    [null, "null"],
    [[1, 2], "an array of 2"],
    [new Map(), "a Map"],
    [Object.create(null), "an object"],
    [5n, "5n"],
    [() => 1, "a function"],
    [Symbol("s"), "a symbol"],
  ])("%s", (value, text) => {
    expect(show(value)).toBe(text);
  });

  it("cuts a long text and tells its length", () => {
    expect(show("x".repeat(1000))).toBe(`"${"x".repeat(200)}… (1000 characters)"`);
  });
});
