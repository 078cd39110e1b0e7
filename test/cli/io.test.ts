import { describe, expect, it } from "vitest";
import { printable, table, writeJson } from "../../lib/cli/io.js";
import { keepingIo } from "../support/io.js";

describe("output", () => {
  it("as JSON has strings for numbers that JSON lacks", () => {
    const { io, kept } = keepingIo();
    writeJson(io, { a: Number.POSITIVE_INFINITY, b: [Number.NaN], c: 2n ** 60n, d: 1.5 });
    expect(JSON.parse(kept.stdout)).toEqual({
      a: "Infinity",
      b: ["NaN"],
      c: "1152921504606846976",
      d: 1.5,
    });
  });

  it("as a table aligns its columns, numbers to the right", () => {
    expect(
      table([
        ["NAME", "BYTES"],
        ["weight", 5],
        ["b", 12345],
      ]),
    ).toBe("NAME    BYTES\nweight      5\nb       12345\n");
  });

  it("shows a file's control characters instead of sending them to the terminal", () => {
    expect(printable("a\u001b[2Jb\nc\u009bd")).toBe("a\\u001b[2Jb\\u000ac\\u009bd");
  });
});
