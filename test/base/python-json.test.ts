import { describe, expect, test } from "vitest";
import {
  PythonJsonError,
  type PyValue,
  parsePythonJson,
  pythonFloat,
  pythonString,
  writePythonJson,
} from "../../lib/base/python-json.js";
import { lower } from "../../lib/library/search/text-order.js";
import { python, runPython } from "../support/python.js";

const FLOATS: [number, string][] = [
  [0, "0.0"],
  [-0, "-0.0"],
  [1, "1.0"],
  [-2.5, "-2.5"],
  [0.1, "0.1"],
  [1 / 3, "0.3333333333333333"],
  [1e-4, "0.0001"],
  [9.999e-5, "9.999e-05"],
  [1e-5, "1e-05"],
  [2.5e-8, "2.5e-08"],
  [5e-324, "5e-324"],
  [123456789.12345679, "123456789.12345679"],
  [9999999999999998, "9999999999999998.0"],
  [1e16, "1e+16"],
  [1.2345678901234568e16, "1.2345678901234568e+16"],
  [1e21, "1e+21"],
  [1e22, "1e+22"],
  [1.7976931348623157e308, "1.7976931348623157e+308"],
  [Number.NaN, "NaN"],
  [Number.POSITIVE_INFINITY, "Infinity"],
  [Number.NEGATIVE_INFINITY, "-Infinity"],
];

test("floats have Python's text", () => {
  for (const [value, text] of FLOATS) {
    expect(pythonFloat(value)).toBe(text);
    expect(Object.is(parsePythonJson(text), value)).toBe(true);
  }
});

test("strings are escaped as with ensure_ascii", () => {
  expect(pythonString('a"b\\c\n\r\t\b\f/')).toBe('"a\\"b\\\\c\\n\\r\\t\\b\\f/"');
  expect(pythonString("é 🥁 \x7f \0 \ud800")).toBe(
    '"\\u00e9 \\ud83e\\udd41 \\u007f \\u0000 \\ud800"',
  );
});

test("whatever Python's json writes is written back as it came", () => {
  const text = `{
  "int": 12345678901234567890123,
  "zero": 0,
  "float": 1.0,
  "tiny": 1e-05,
  "none": null,
  "list": [
    true,
    [],
    {}
  ],
  "lone": "\\ud800 \\u00e9"
}`;
  expect(writePythonJson(parsePythonJson(text))).toBe(text);
});

test("what Python can still nest is read and written", () => {
  const text = `${"[\n".repeat(900)}${"]\n".repeat(900)}`;
  const value = parsePythonJson(text);
  expect(parsePythonJson(writePythonJson(value))).toEqual(value);
});

describe("refused, as by Python", () => {
  for (const text of [
    "",
    "{",
    "[1,]",
    '{"a": 1,}',
    "{a: 1}",
    "'a'",
    '"a\nb"',
    '"\\x41"',
    '"open',
    "01",
    "1.",
    ".5",
    "+1",
    "nan",
    "-NaN",
    "[1] 2",
    "//",
    "[".repeat(100_000),
    "1".repeat(5000),
  ]) {
    test(JSON.stringify(text.slice(0, 20)), () => {
      expect(() => parsePythonJson(text)).toThrow(PythonJsonError);
    });
  }
});

describe.skipIf(python === null)("beside Python itself", () => {
  test("random values are written as json.dumps writes them", () => {
    const floats: number[] = FLOATS.map(([value]) => value);
    const bits = new DataView(new ArrayBuffer(8));
    for (let i = 0; i < 20_000; i++) {
      bits.setUint32(0, (i * 2654435761) >>> 0);
      bits.setUint32(4, (i * 40503 * 65537) >>> 0);
      floats.push(bits.getFloat64(0), i * 10 ** ((i % 40) - 20));
    }
    const texts = Array.from({ length: 500 }, (_, i) =>
      String.fromCharCode(i, i * 131, 0xd7ff + i),
    );
    const value: PyValue = new Map<string, PyValue>([
      ["floats", floats],
      ["texts", texts],
      ["deep", [[new Map([["", 10n ** 400n]])]]],
    ]);
    const text = writePythonJson(value);
    const script =
      "import json,sys; t=sys.stdin.read(); sys.stdout.write(json.dumps(json.loads(t), indent=2))";
    expect(runPython(["-c", script], text) === text).toBe(true);
  });

  test("lower case is str.lower's", () => {
    // Letters of the latest Unicode versions are left out: only one of the two may know them.
    const script = `
import sys
for text in sys.stdin.read().split("|"):
    print(text.lower(), end="|")`;
    const texts = [
      "İSTANBUL",
      "ΟΔΥΣΣΕΥΣ ΑΣ.",
      "ΑΣΑ Σ",
      "ΣΑΣ'",
      "Straße",
      "ǅ Ǆ",
      "ÉTÉ 🥁",
      "ΑΣ\u0301",
    ];
    for (let c = 0; c < 0x1c80; c++)
      if (c !== 0x7c && c !== 0xd) texts.push(String.fromCharCode(c));
    const theirs = runPython(["-c", script], texts.join("|")).split("|").slice(0, -1);
    expect(texts.filter((text, i) => lower(text) !== theirs[i])).toEqual([]);
  });
});
