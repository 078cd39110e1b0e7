/**
 * How long it takes to open a model: with and without checking it, only its metadata, from process
 * start to the first decoded mel; beside Python, where one with torch is found, in alternating rounds
 * of the same run.
 *
 *     npm run bench:load [-- FILE.sda]
 */
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Bench } from "tinybench";
import { loadModel, readMetadata } from "../dist/index.js";
import { load } from "../dist/torch/index.js";
import { writeLargeModel } from "./support/large-file.js";
import { python, runPeer } from "./support/python.js";
import { type Summary, show, summarize } from "./support/statistics.js";

const ROUNDS = 4;
const RUNS_PER_ROUND = 25;
/** As many as the Python peer has: V8 compiles what runs often, and a server has run it often. */
const WARM_UP = 50;
const COLD_STARTS = 7;
const LARGE = 2 ** 31;

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));
const corpusModel = join(
  process.env["SDA_CORPUS"] ?? here("../../shared/corpus"),
  "models/default.sda",
);
const bundled = here("../assets/models/synthetic-plucks.sda");
const file = process.argv[2] ?? (existsSync(corpusModel) ? corpusModel : bundled);
const large = join(tmpdir(), `sda-bench-${process.pid}.sda`);

const samples = new Map<string, number[]>();
const collect = (name: string, more: readonly number[]) =>
  samples.set(name, [...(samples.get(name) ?? []), ...more]);

async function measureOurs(): Promise<void> {
  const model = await loadModel(file);
  const z = {
    dtype: "float32" as const,
    shape: [1, model.model.latentDim],
    data: new Float32Array(model.model.latentDim),
  };
  const bench = new Bench({
    iterations: RUNS_PER_ROUND,
    time: 0,
    warmupIterations: WARM_UP,
    warmupTime: 0,
    retainSamples: true,
  })
    .add("loadModel, verify: false", async () =>
      (await loadModel(file, { verify: false })).dispose(),
    )
    .add("loadModel", async () => (await loadModel(file)).dispose())
    .add("torch.load, verify: false", () => load(file, { verify: false }))
    .add("readMetadata", () => readMetadata(file))
    .add("readMetadata, 2 GB file", () => readMetadata(large))
    .add("decode", () => model.model.decode(z));
  await bench.run();
  for (const task of bench.tasks) {
    const { result } = task;
    if (result.state !== "completed") throw new Error(`${task.name}: ${result.state}`);
    collect(task.name, result.latency.samples ?? []);
  }
  model.dispose();
}

function measurePython(): void {
  const { results } = runPeer("load_peer.py", [file, "--repeats", String(RUNS_PER_ROUND)]);
  for (const [name, result] of Object.entries(results)) collect(`Python: ${name}`, result.samples);
}

function timeProcess(name: string, command: string, args: string[]): void {
  const start = performance.now();
  const ended = spawnSync(command, args, { encoding: "utf8" });
  if (ended.status !== 0) throw new Error(`${name}: ${ended.stderr}`);
  collect(name, [performance.now() - start]);
}

writeLargeModel(file, large, LARGE);
try {
  for (let round = 0; round < ROUNDS; round++) {
    await measureOurs();
    if (python !== null) measurePython();
  }
  for (let i = 0; i < COLD_STARTS; i++) {
    timeProcess("cold start", process.execPath, [here("cold-start.mjs"), file]);
    if (python !== null)
      timeProcess("Python: cold start", python, [here("peers/cold_start.py"), file]);
  }
} finally {
  rmSync(large, { force: true });
}

const summaries = new Map<string, Summary>();
for (const [name, values] of samples) summaries.set(name, summarize(values));
console.log(`${file}, ${(statSync(file).size / 1e6).toFixed(1)} MB, in the page cache`);
console.log(`${cpus().length} × ${cpus()[0]?.model}, Node ${process.version}\n`);
for (const [name, summary] of summaries) console.log(`${name.padEnd(28)} ${show(summary)}`);

const RATIOS: [ours: string, theirs: string][] = [
  ["loadModel, verify: false", "Python: program load"],
  ["loadModel, verify: false", "Python: torch.load mmap"],
  ["loadModel", "Python: program load"],
  ["loadModel", "Python: torch.load"],
  ["readMetadata", "Python: metadata"],
  ["decode", "Python: decode"],
  ["cold start", "Python: cold start"],
];
if (python === null) {
  console.log("\nNo Python with torch was found (SDA_PYTHON names one): no comparison.");
} else {
  console.log();
  for (const [ours, theirs] of RATIOS) {
    const ratio = (summaries.get(theirs)?.median ?? 0) / (summaries.get(ours)?.median ?? 1);
    console.log(`${ratio.toFixed(1).padStart(6)} × faster: ${ours}, than ${theirs}`);
  }
}
mkdirSync(here("results"), { recursive: true });
writeFileSync(
  here("results/load.json"),
  `${JSON.stringify({ file: file.split("/").at(-1), cpu: cpus()[0]?.model, node: process.version, date: new Date().toISOString(), milliseconds: Object.fromEntries(summaries) }, null, 2)}\n`,
);
