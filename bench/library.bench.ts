/**
 * tsx bench/library.bench.ts [--entries 1000,10000,100000]
 *
 * The library's operations by number of entries, beside the way of a plain Python program (peers/library_peer.py), both
 * measured now, on this machine. Every add here is on disk, synced, when it counts as done; the peer's is not.
 */
import { copyFileSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { type ModelEntry, ModelLibrary } from "../lib/index.js";
import { entryText } from "../lib/library/entry.js";
import { environment } from "./support/environment.js";
import { writeLargeModel } from "./support/large-file.js";
import { Peer, python } from "./support/python.js";
import { resultFile } from "./support/results.js";
import { Rounds } from "./support/rounds.js";
import { type Summary, summarize } from "./support/statistics.js";
import { printTable } from "./support/table.js";

const QUERY = "take 77";
const TOGETHER = 1000;
const FILES = 1000;
const FILE_BYTES = 4_000_000;

const { values } = parseArgs({
  options: { entries: { type: "string", default: "1000,10000,100000" } },
});
const sizes = values.entries.split(",").map(Number);
const work = mkdtempSync(join(process.env["SDA_BENCH_DIR"] ?? tmpdir(), "sda-bench-"));

function entry(
  i: number,
  modelId = `${String(i).padStart(8, "0")}-0000-4000-9000-000000000000`,
): ModelEntry {
  return {
    modelId,
    name: `Model ${i}`,
    description: `warm pads from the attic, take ${i}`,
    filePath: `m${i}.sda`,
    fileSizeBytes: 12_600_000 + i,
    datasetName: "kitchen",
    datasetFileCount: i % 50,
    datasetTotalDurationS: 12.5,
    trainingDate: "2026-02-13T10:00:00+00:00",
    saveDate: `2026-02-14T00:45:30.${String((i * 7919) % 1_000_000).padStart(6, "0")}+00:00`,
    trainingEpochs: 200,
    finalTrainLoss: 0.1,
    finalValLoss: 0.25,
    hasAnalysis: true,
    nActiveComponents: 8,
    tags: ["drum", "lo-fi"],
  };
}

function makeLibrary(count: number): string {
  const folder = mkdtempSync(join(work, "library-"));
  const texts = Array.from({ length: count }, (_, i) => entryText(entry(i)));
  writeFileSync(
    join(folder, "model_library.json"),
    `{\n  "version": 1,\n  "models": {\n    ${texts.join(",\n    ")}\n  }\n}`,
  );
  return folder;
}

interface Row {
  entries: number;
  operation: string;
  ms: Summary;
  python: Summary | null;
  ratio: Summary | null;
  goal: string;
}
const table: Row[] = [];

function report(row: Partial<Row> & Pick<Row, "entries" | "operation" | "ms">): void {
  const whole = { python: null, ratio: null, goal: "", ...row };
  table.push(whole);
  process.stderr.write(`${cells(whole).join("  ")}\n`);
}

function cells({ entries, operation, ms, python, ratio, goal }: Row): string[] {
  const text = (value: Summary | null, digits: number) =>
    (value?.median ?? Number.NaN).toFixed(digits);
  return [
    String(entries),
    operation,
    text(ms, ms.median < 1 ? 3 : 1),
    python ? text(python, 1) : "-",
    ratio ? `${text(ratio, 1)}×` : "-",
    goal,
  ];
}

async function measureSize(count: number): Promise<void> {
  const folder = makeLibrary(count);
  const library = await ModelLibrary.open(folder);
  const started = performance.now();
  library.search({ query: QUERY });
  const firstSearch = performance.now() - started;

  let next = count;
  const add = () => library.addEntry(entry(next, `new-${next++}`));
  const operations: [name: string, work: () => unknown, theirs: string | null, goals: object][] = [
    ["open", () => ModelLibrary.open(folder), "open", { 10000: "4×" }],
    ["search", () => library.search({ query: QUERY }), "search", { 10000: "10×" }],
    ["refresh, nothing new", () => library.refresh(), null, {}],
    ["one durable add", add, "add", { 10000: "15×", 100000: "25×" }],
    [
      `${TOGETHER} adds together`,
      () => Promise.all(Array.from({ length: TOGETHER }, add)),
      null,
      { 100000: "2000 ms" },
    ],
  ];
  const peer =
    python === null
      ? null
      : new Peer(python, "library_peer.py", [join(folder, "model_library.json"), QUERY]);
  try {
    for (const [operation, work, theirs, goals] of operations) {
      const rounds = new Rounds();
      // An add of the peer's takes seconds when there are many.
      const runs = count >= 50_000 ? 1 : 5;
      await rounds.run({ ours: work }, peer, theirs ? [theirs] : [], {
        rounds: 5,
        runs,
        warmUp: 100,
      });
      const summaries = rounds.summaries();
      const theirMs = theirs ? (summaries.get(`Python: ${theirs}`) ?? null) : null;
      report({
        entries: count,
        operation,
        ms: summaries.get("ours") ?? summarize([]),
        python: theirMs,
        ratio: theirMs && theirs ? rounds.ratio("ours", theirs).median : null,
        goal: (goals as Record<number, string>)[count] ?? "",
      });
      if (operation === "search")
        report({ entries: count, operation: "first search", ms: summarize([firstSearch]) });
    }
  } finally {
    peer?.close();
  }
}

/** None of the files is in the index; what follows a model's metadata in a file is never read. */
async function measureRepair(): Promise<void> {
  const model = fileURLToPath(new URL("../assets/models/synthetic-plucks.sda", import.meta.url));
  const times: number[] = [];
  for (let round = 0; round < 5; round++) {
    const folder = mkdtempSync(join(work, "repair-"));
    const first = join(folder, "m0.sda");
    writeLargeModel(model, first, FILE_BYTES - statSync(model).size);
    for (let i = 1; i < FILES; i++) copyFileSync(first, join(folder, `m${i}.sda`));
    const library = await ModelLibrary.open(folder);
    const started = performance.now();
    const { added } = await library.repairIndex();
    times.push((performance.now() - started) / added);
    if (added !== FILES) throw new Error(`${added} files were added`);
    rmSync(folder, { recursive: true });
  }
  report({
    entries: FILES,
    operation: `repair, per new file of ${FILE_BYTES / 1e6} MB`,
    ms: summarize(times),
    goal: "1 ms",
  });
}

try {
  for (const size of sizes) await measureSize(size);
  await measureRepair();
} finally {
  rmSync(work, { recursive: true, force: true });
}

const lines = [
  ["entries", "operation", "ms", "Python ms", "ratio", "asked for"],
  ...table.map(cells),
];
printTable(lines);
writeFileSync(
  resultFile("library.json"),
  `${JSON.stringify({ ...environment(), table }, null, 2)}\n`,
);
