import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { withFigures } from "../../bench/support/document.js";
import { KEPT, writeResult } from "../../bench/support/results.js";
import type { Ratio, Result, Row } from "../../bench/support/schema.js";
import { temporaryFolder } from "../support/folder.js";
import { around, result, row } from "./made-up.js";

const DOCUMENT = fileURLToPath(new URL("../../doc/benchmarks.md", import.meta.url));

it("doc/benchmarks.md has the figures of bench/results, and no others: npm run bench:docs", () => {
  const document = readFileSync(DOCUMENT, "utf8");
  expect(document).toBe(withFigures(document, KEPT));
  const sections = [...document.matchAll(/<!-- bench:(\w+) -->/g)].map(([, name]) => name);
  expect(sections.sort()).toEqual([
    "generate",
    "library",
    "load",
    "server",
    "summary",
    "torch",
    "vocoder",
  ]);
  const charts = [...document.matchAll(/\]\((\.\.\/bench\/results\/[^)]+)\)/g)];
  expect(charts.length).toBeGreaterThan(1);
  for (const chart of charts)
    expect(existsSync(join(DOCUMENT, "..", chart[1] ?? "")), chart[1]).toBe(true);
});

const pair = (ours: string, theirs: string, times: number): Ratio => ({
  ours,
  theirs: `Python: ${theirs}`,
  ratio: around(times),
  fastest: around(times + 1),
});

const torch: Result = {
  ...result(
    [
      row("load, verify: false", around(0.3)),
      row("load", around(2)),
      row("inspect", around(0.2)),
      row("load many", around(100)),
      row("Python: torch.load many", around(400)),
      row("Python: torch.load mmap", around(1.8)),
      row("Python: torch.load", around(10, 0.01, 7)),
      row("Python: safetensors", around(0.25)),
      row("Python: safetensors read", around(3)),
    ],
    [
      pair("load, verify: false", "torch.load mmap", 6),
      pair("load, verify: false", "safetensors", 0.8),
      pair("load", "torch.load", 5),
      pair("load many", "torch.load many", 4),
      pair("load", "safetensors read", 1.5),
    ],
  ),
  suite: "torch",
};

const MARKED = "before\n\n<!-- bench:torch -->\n| 1 |\n<!-- /bench:torch -->\n\nafter\n";

function made(readme: string, ...results: Result[]): string {
  const folder = temporaryFolder();
  for (const each of results) writeResult(folder, each);
  return withFigures(readme, folder);
}

describe("a marked section", () => {
  it("has conditions and a line for each figure; the text around it stays", () => {
    const text = made(MARKED, torch);
    expect(text).toMatch(/^before\n\n<!-- bench:torch -->\n2026-01-02: 2 × A, 8 GiB of memory, /);
    expect(text).toMatch(/\n<!-- \/bench:torch -->\n\nafter\n$/);
    const flowing = text.replaceAll("\n", " ");
    expect(flowing).toContain("linux-x64, Node 20.0.0, LibTorch 2.13.0 on 2 threads;");
    expect(flowing).toContain("Python 3.12.1 with torch 2.13; m.sda, 12.6 MB, in the page cache.");
    expect(flowing).toContain("Medians of 7 to 20 runs, quartiles in brackets.");
    expect(text).toContain(
      "\n| read a file, mapped (`verify: false`) | 0.30 (0.30 to 0.30) | 1.80 (1.78 to 1.82), `torch.load(mmap=True)` | 6.00 (5.94 to 6.06) | 7.00 |\n",
    );
    expect(text).toContain("| 0.80 (0.79 to 0.81) | 1.80 |\n"); // safetensors is faster there
    const lines = text.split("\n").filter((line) => !line.startsWith("|"));
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(100);
  });

  it("is the same when generated again", () => {
    const once = made(MARKED, torch);
    expect(made(once, torch)).toBe(once);
  });

  it("needs results, and results need a section", () => {
    expect(made("nothing")).toBe("nothing");
    expect(() => made("nothing", torch)).toThrow("benchmarks.md has no <!-- bench:torch -->");
    expect(() => made(MARKED)).toThrow("torch.json does not exist");
  });

  it.each([
    ["a begin marker only", "<!-- bench:torch -->\n"],
    ["an end marker only", "<!-- /bench:torch -->\n"],
    ["an end marker first", "<!-- /bench:torch -->\n<!-- bench:torch -->\n"],
    ["two sections", MARKED + MARKED],
  ])("is refused as %s", (_, readme) => {
    expect(() => made(readme, torch)).toThrow("must have <!-- bench:torch --> once");
  });

  it("refuses a quick run and a run without Python", () => {
    expect(() => made(MARKED, { ...torch, quick: true })).toThrow("is a quick run");
    const rows = torch.rows.filter(({ name }) => !name.startsWith("Python: "));
    expect(() => made(MARKED, { ...torch, rows, ratios: [] })).toThrow("torch.json lacks");
  });
});

describe("sections", () => {
  it("of sound gives rates, memory and the steps alone", () => {
    const text = made(MARKED.replaceAll("torch", "generate"), sound());
    expect(text).toContain("| 1 s of sound | 11.0 ms | 80.0 ms | 7.00 (6.93 to 7.07) |\n");
    // 64 s in 640 ms, 60 s in 600 ms
    expect(text).toContain(
      "| 100 (one of 60 s: 100) | | 1.01 (1.00 to 1.02) to one long request |\n",
    );
    expect(text).toContain("15.6 ms: 1.37 times its own FFTs alone, 0.71 times LibTorch's FFTs |");
    expect(text).toContain("| 10.5 MB |");
  });

  it("of the summary has sentences", () => {
    const marked = ["load", "generate", "summary"].map((name) => MARKED.replaceAll("torch", name));
    const text = made(marked.join(""), load(), sound());
    expect(text.replaceAll("\n", " ")).toContain(
      "A model of 12.6 MB opens in 0.19 ms mapped, and in 2 ms with every checksum verified; the Python program takes 31 ms. Its metadata takes 0.067 ms,",
    );
  });

  it("of the library has a line for each number of entries", () => {
    const text = made(MARKED.replaceAll("torch", "library"), library(1000, 20_000));
    expect(text).toContain(
      "| 1,000 | 2.00 ms (3.00 ×) | 2.00 ms (3.00 ×) | 2.00 ms | 2.00 ms (3.00 ×) | 2.00 ms | 2.00 ms |\n| 20,000 |",
    );
    expect(text).toContain("\nRepair, per new file of 4 MB: 0.12 ms.\n");
  });
});

function load(): Result {
  const pairs = [
    pair("loadModel, verify: false", "program load", 160),
    pair("loadModel, verify: false", "torch.load mmap", 10),
    pair("loadModel", "program load", 15),
    pair("loadModel", "torch.load", 5),
    pair("readMetadata", "metadata", 150),
    pair("cold start", "cold start", 4),
  ];
  const rows = [
    row("loadModel, verify: false", around(0.1863)),
    row("loadModel", around(1.98)),
    row("readMetadata", around(0.0668)),
    row("readMetadata, 2 GB file", around(0.0669)),
    row("cold start", around(400)),
    row("Python: program load", around(30.7)),
    ...["torch.load mmap", "torch.load", "metadata", "cold start"].map((name) =>
      row(`Python: ${name}`, around(10)),
    ),
  ];
  return result(rows, pairs);
}

function sound(): Result {
  const works = ["1 s", "60 s", "decode", "griffin_lim"];
  const than = (ours: string, theirs: string, times: number): Ratio => ({
    ours,
    theirs,
    ratio: around(times),
  });
  const rows: Row[] = [
    ...works.flatMap((name) => [row(name, around(11)), row(`Python: ${name}`, around(80))]),
    row("4 × 16 × 1 s", around(640)),
    row("60 s, beside many", around(600)),
    row("60 s streamed: first piece", around(13)),
    row("60 s streamed", around(600)),
    row("engine: griffin_lim", around(15.6)),
    row("memory of 60 s beyond its result", around(10.5), "MB"),
    row("event loop, 16 × 4 s: p99", around(1.1)),
  ];
  const ratios = [
    ...works.map((name) => pair(name, name, 7)),
    than("4 × 16 × 1 s", "60 s, beside many", 1.01),
    than("60 s streamed: first piece", "60 s streamed", 45),
    than("engine: griffin_lim", "engine: ffts", 1.37),
    than("engine: griffin_lim", "engine: library_ffts", 0.71),
  ];
  return { ...result(rows, ratios), suite: "generate" };
}

function library(...counts: number[]): Result {
  const pairs = [
    ["open", "open"],
    ["search", "search"],
    ["one durable add", "add"],
  ] as const;
  const names = [
    ...pairs.map(([ours]) => ours),
    "first search",
    "1000 adds together",
    "sda model list, whole process",
  ];
  return {
    ...result(
      [
        ...counts.flatMap((n) => names.map((name) => row(`${name}, ${n} entries`, around(2)))),
        row("repair, per new file of 4 MB", around(0.12)),
      ],
      counts.flatMap((n) =>
        pairs.map(([ours, theirs]) => pair(`${ours}, ${n} entries`, `${theirs}, ${n} entries`, 3)),
      ),
    ),
    suite: "library",
    model: null,
  };
}
