/**
 * tsx bench/library.bench.ts [--entries 1000,10000,100000]
 *
 * The library's operations by number of entries, beside the way of a plain Python program (peers/library_peer.py), both
 * measured now, on this machine. Every add here is on disk, synced, when it counts as done; the peer's is not.
 */
import { spawnSync } from "node:child_process";
import { copyFileSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { Bench } from "tinybench";
import { type ModelEntry, ModelLibrary } from "../lib/index.js";
import { entryText } from "../lib/library/entry.js";

const QUERY = "take 77";
const TOGETHER = 1000;
const FILES = 1000;

const { values } = parseArgs({
  options: { entries: { type: "string", default: "1000,10000,100000" } },
});
const sizes = values.entries.split(",").map(Number);
const python = process.env["SDA_PYTHON"] ?? "python3";
const peer = fileURLToPath(new URL("peers/library_peer.py", import.meta.url));
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

function measurePeer(operation: string, folder: string, repeats: number): number | null {
  const args = [peer, operation, join(folder, "model_library.json"), "--repeats", String(repeats)];
  const { status, stdout } = spawnSync(python, [...args, "--query", QUERY], { encoding: "utf8" });
  return status === 0 ? JSON.parse(stdout).median_ms : null;
}

async function measure(run: () => unknown, iterations: number): Promise<number> {
  const bench = new Bench({ iterations, time: 0, warmupIterations: 1, warmupTime: 0 });
  bench.add("it", async () => {
    await run();
  });
  await bench.run();
  const [task] = bench.tasks;
  const result = task?.result;
  if (!result || !("latency" in result)) throw new Error("the benchmark failed", { cause: result });
  return result.latency.p50;
}

type Row = (string | number)[];
const rows: Row[] = [["entries", "operation", "ms", "Python ms", "ratio", "asked for"]];

function report(
  count: number,
  operation: string,
  ms: number,
  theirs: number | null,
  goal = "",
): void {
  const row: Row = [count, operation, ms.toFixed(2)];
  row.push(
    theirs === null ? "-" : theirs.toFixed(1),
    theirs === null ? "-" : `${(theirs / ms).toFixed(1)}×`,
    goal,
  );
  rows.push(row);
  process.stderr.write(`${row.join("  ")}\n`);
}

async function measureSize(count: number): Promise<void> {
  const folder = makeLibrary(count);
  const slow = count >= 50_000;
  const few = slow ? 3 : 7;
  const goals = { open: count === 10_000 ? "4×" : "", search: count === 10_000 ? "10×" : "" };
  const addGoal = count === 10_000 ? "15×" : count === 100_000 ? "25×" : "";

  const open = await measure(() => ModelLibrary.open(folder), 10);
  report(count, "open", open, measurePeer("open", folder, few), goals.open);

  const library = await ModelLibrary.open(folder);
  const started = performance.now();
  library.search({ query: QUERY });
  report(count, "first search", performance.now() - started, null);
  const search = await measure(() => library.search({ query: QUERY }), 200);
  report(count, "search", search, measurePeer("search", folder, 20), goals.search);
  const refresh = await measure(() => library.refresh(), 50);
  report(count, "refresh, nothing new", refresh, null);

  let next = count;
  const theirs = measurePeer("add", folder, slow ? 2 : few);
  const add = await measure(() => library.addEntry(entry(next, `new-${next++}`)), slow ? 10 : 30);
  report(count, "one durable add", add, theirs, addGoal);
  const together = await measure(
    () =>
      Promise.all(
        Array.from({ length: TOGETHER }, () => library.addEntry(entry(next, `new-${next++}`))),
      ),
    3,
  );
  report(count, `${TOGETHER} adds together`, together, null, count === 100_000 ? "< 2000 ms" : "");
}

/** Files of their usual size; what follows a model in a file is never read. */
async function measureRepair(): Promise<void> {
  const folder = mkdtempSync(join(work, "repair-"));
  const model = fileURLToPath(new URL("../assets/models/synthetic-plucks.sda", import.meta.url));
  for (let i = 0; i < FILES; i++) copyFileSync(model, join(folder, `m${i}.sda`));
  const bytes = statSync(model).size;
  const library = await ModelLibrary.open(folder);
  const started = performance.now();
  const { added } = await library.repairIndex();
  const ms = (performance.now() - started) / added;
  const size = (bytes / 2 ** 20).toFixed(1);
  report(added, `repair, per new file of ${size} MiB`, ms, null, "< 1 ms");
}

try {
  for (const size of sizes) await measureSize(size);
  await measureRepair();
  const widths =
    rows[0]?.map((_, i) => Math.max(...rows.map((row) => String(row[i] ?? "").length))) ?? [];
  for (const row of rows)
    console.log(row.map((cell, i) => String(cell).padStart(widths[i] ?? 0)).join("  "));
} finally {
  rmSync(work, { recursive: true, force: true });
}
