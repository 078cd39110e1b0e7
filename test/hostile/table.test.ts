/** doc/security.md and doc/scanner.md name a test for each attack. Each of these must exist. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";

const tests = new URL("..", import.meta.url).pathname;
const page = ["security", "scanner"]
  .map((name) => readFileSync(join(tests, `../doc/${name}.md`), "utf8"))
  .join("\n");

/** [attack, answer, test] of each row of the tables whose last column is "Test". */
function rows(): string[][] {
  const found: string[][] = [];
  let inTable = false;
  for (const line of page.split("\n")) {
    if (line === "| Attack | What we do | Test |") inTable = true;
    else if (!line.startsWith("|")) inTable = false;
    else if (inTable && !line.startsWith("| ---")) found.push(line.slice(2, -2).split(" | "));
  }
  return found;
}

/** Strings that begin a test, a group or a row of a table of cases. They contain no escapes. */
function titles(source: string): string[] {
  const places = [
    /\b(?:test|it|describe)(?:\.\w+(?:\([^)]*\))?)*\(\s*"([^"\\\n]+)"/g,
    /\bname: "([^"\\\n]+)"/g,
    /\[\s*"([^"\\\n]+)",/g,
    /\]\)\(\s*"([^"\\\n]+)"/g,
  ];
  return places.flatMap((place) => [...source.matchAll(place)].map(([, title]) => title as string));
}

describe("the table of attacks", () => {
  test.each(rows().map((row) => [row[0] as string, row]))("%s", (_, row) => {
    expect(row).toHaveLength(3);
    const [, file, title] = /^`(.+)` › (.+)$/.exec(row[2] as string) ?? [];
    const path = join(tests, String(file));
    expect(existsSync(path), path).toBe(true);
    expect(titles(readFileSync(path, "utf8"))).toContain(title);
  });

  test("has rows, and names each file of hostile tests", () => {
    expect(rows().length).toBeGreaterThan(50);
    const named = new Set(rows().map((row) => /`hostile\/(.+?)`/.exec(row[2] as string)?.[1]));
    const files = readdirSync(join(tests, "hostile")).filter((name) => name !== "table.test.ts");
    expect(files.filter((name) => !named.has(name))).toEqual([]);
  });
});
