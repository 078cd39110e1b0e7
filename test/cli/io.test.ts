import { describe, expect, it } from "vitest";
import { writeJson } from "../../lib/cli/io.js";
import { bytesText, dateText, printable, secondsText, table } from "../../lib/cli/text.js";
import { keepingIo } from "../support/io.js";

describe("output", () => {
  it("as JSON writes NaN and infinities as strings", () => {
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

  it("shows marks that reverse text, so that gpj.exe does not look like an image", () => {
    expect(printable("\u202egpj.exe")).toBe("\\u202egpj.exe");
  });

  it("as a table counts columns, not code units", () => {
    const lines = table([
      ["NAME", "N"],
      ["日本", 1],
      ["👩‍👩‍👧", 2],
      ["e\u0301", 3],
    ]).split("\n");
    expect(lines.slice(1, 4)).toEqual(["日本  1", "👩‍👩‍👧    2", "e\u0301     3"]);
  });

  it("as a table shortens the longest columns first, to fit the terminal", () => {
    const text = table([["a".repeat(100), "日本語".repeat(10), "short"]], { width: 60 });
    expect(text).toMatch(/^a+… {2}(日本語)+.* {2}short\n$/u);
    expect(text).not.toContain("a".repeat(30));
  });

  it.each([
    [0, "0 bytes"],
    [999, "999 bytes"],
    [1000, "1.00 kB"],
    [12_600_000, "12.6 MB"],
    [999_999_999_999_999, "1000 TB"],
  ])("tells %i bytes as %s", (bytes, text) => {
    expect(bytesText(bytes)).toBe(text);
  });

  it("shortens dates and durations", () => {
    expect(dateText("2026-02-14T00:45:30.123456+00:00")).toBe("2026-02-14 00:45");
    expect(dateText("yesterday\u001b")).toBe("yesterday\\u001b");
    expect([90.06, 600, 7200 * 3].map(secondsText)).toEqual(["90.1 s", "10 min", "6 h"]);
  });
});
