import { describe, expect, test } from "vitest";
import { isChecked, longLines, MAX_COLUMNS } from "../../scripts/lib/line-length.js";

const words = (columns: number) =>
  "word "
    .repeat(columns)
    .slice(0, columns - 1)
    .concat("x");
const long = words(MAX_COLUMNS + 1);
const found = (name: string, ...lines: string[]) =>
  longLines(name, lines.join("\n")).map(({ line }) => line);

test("tells the line and its columns, which are characters, not bytes", () => {
  expect(longLines("a.md", `short\n${long}\n`)).toEqual([{ line: 2, columns: 101 }]);
  expect(longLines("a.md", words(MAX_COLUMNS))).toEqual([]);
  expect(longLines("a.md", "→".repeat(100))).toEqual([]);
  expect(longLines("a.md", "😀".repeat(100))).toEqual([]);
});

describe("in Markdown", () => {
  test("tables, code blocks and URLs may be long", () => {
    expect(
      found("a.md", `| ${long} |`, "```sh", long, "```", `https://example.org/${long}`),
    ).toEqual([]);
  });

  test("text after a code block may not", () => {
    expect(found("a.md", "```", "code", "```", long)).toEqual([4]);
    expect(found("a.md", "````", "```", long, "````", long)).toEqual([5]);
  });
});

describe.each(["a.ts", "a.tsx", "a.mjs", "a.cc", "a.h"])("in %s", (name) => {
  test("comments are checked", () => {
    expect(found(name, `// ${long}`, `/** ${long} */`, ` * ${long}`, `  {/* ${long} */}`)).toEqual([
      1, 2, 3, 4,
    ]);
    expect(found(name, `${"const a = 1; ".repeat(8)}// why`)).toEqual([1]);
  });

  test("code is not", () => {
    expect(found(name, `const text = "${long}";`, `const url = "a//${long}";`)).toEqual([]);
  });
});

test.each(["a.py", "a.sh", "a.css", "CMakeLists.txt", "cmake/a.cmake", ".github/workflows/ci.yml"])(
  "in %s each line is checked",
  (name) => {
    expect(isChecked(name)).toBe(true);
    expect(found(name, long)).toEqual([1]);
  },
);

test("data, generated files and fixtures are not checked", () => {
  for (const name of ["package-lock.json", "bench/results/load.svg", "test/fixtures/a/README.md"])
    expect(isChecked(name)).toBe(false);
  expect(isChecked("test/support/fixtures.ts")).toBe(true);
});
