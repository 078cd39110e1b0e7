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
import { type LoadedModel, loadModel, readMetadata } from "../dist/index.js";
import { load, Tensor } from "../dist/torch/index.js";
import { writeLargeModel } from "./support/large-file.js";
import { Peer, python } from "./support/python.js";
import { ratioOf, type Summary, show, summarize } from "./support/statistics.js";

/** Short rounds, ours and Python's in turn: a noisy neighbour slows both, and each round gives a ratio. */
const ROUNDS = 20;
const RUNS_PER_ROUND = 10;
/**
 * Milliseconds of runs that don't count, on both sides: at first, because V8 compiles what runs often; then before each
 * measurement, because a processor that was idle, or did the other side's work, takes a while to be at full speed.
 */
const WARM_UP = 500;
const WARM_UP_OF_ROUND = 100;
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

const rounds = new Map<string, (readonly number[])[]>();
const collect = (name: string, times: readonly number[]) =>
  rounds.set(name, [...(rounds.get(name) ?? []), times]);

const WORKS = ["torch.load", "torch.load mmap", "program load", "metadata", "decode"];

async function measureOurs(model: LoadedModel, warmUp: number, keep: boolean): Promise<void> {
  const z = new Tensor(
    "float32",
    [1, model.model.latentDim],
    new Float32Array(model.model.latentDim),
  );
  const works: Record<string, () => Promise<unknown>> = {
    "loadModel, verify: false": async () => (await loadModel(file, { verify: false })).dispose(),
    loadModel: async () => (await loadModel(file)).dispose(),
    "torch.load, verify: false": () => load(file, { verify: false }),
    readMetadata: () => readMetadata(file),
    "readMetadata, 2 GB file": () => readMetadata(large),
    decode: () => model.model.decode(z),
  };
  for (const [name, work] of Object.entries(works)) {
    // One Bench for each: one that has several tasks warms up all of them before it measures the first.
    const bench = new Bench({
      iterations: RUNS_PER_ROUND,
      time: 0,
      warmupIterations: 1,
      warmupTime: warmUp,
      retainSamples: true,
    }).add(name, work);
    const [task] = await bench.run();
    const result = task?.result;
    if (result?.state !== "completed") throw new Error(`${name}: ${result?.state}`);
    if (keep) collect(name, result.latency.samples ?? []);
  }
}

async function measurePython(peer: Peer, warmUp: number, keep: boolean): Promise<void> {
  for (const work of WORKS) {
    const times = await peer.measure(work, warmUp, RUNS_PER_ROUND);
    if (keep) collect(`Python: ${work}`, times);
  }
}

function timeProcess(name: string, command: string, args: string[]): void {
  const start = performance.now();
  const ended = spawnSync(command, args, { encoding: "utf8" });
  if (ended.status !== 0) throw new Error(`${name}: ${ended.stderr}`);
  collect(name, [performance.now() - start]);
}

writeLargeModel(file, large, LARGE);
const peer = python === null ? null : new Peer(python, "load_peer.py", [file]);
try {
  const model = await loadModel(file);
  await measureOurs(model, WARM_UP, false);
  if (peer !== null) await measurePython(peer, WARM_UP, false);
  for (let round = 0; round < ROUNDS; round++) {
    await measureOurs(model, WARM_UP_OF_ROUND, true);
    if (peer !== null) await measurePython(peer, WARM_UP_OF_ROUND, true);
  }
  model.dispose();
  for (let i = 0; i < COLD_STARTS; i++) {
    timeProcess("cold start", process.execPath, [here("cold-start.mjs"), file]);
    if (python !== null)
      timeProcess("Python: cold start", python, [here("peers/cold_start.py"), file]);
  }
} finally {
  peer?.close();
  rmSync(large, { force: true });
}

const summaries = new Map<string, Summary>();
for (const [name, times] of rounds) summaries.set(name, summarize(times.flat()));
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
const ratios: Record<string, ReturnType<typeof ratioOf>> = {};
if (python === null) {
  console.log("\nNo Python with torch was found (SDA_PYTHON names one): no comparison.");
} else {
  console.log();
  for (const [ours, theirs] of RATIOS) {
    const ratio = ratioOf(rounds.get(theirs) ?? [], rounds.get(ours) ?? []);
    ratios[`${ours}, than ${theirs}`] = ratio;
    const text = ({ median, low, high }: Summary) =>
      `${median.toFixed(1)} (${low.toFixed(1)} to ${high.toFixed(1)})`;
    console.log(
      `${text(ratio.median).padStart(22)} × faster, fastest runs ${text(ratio.fastest).padEnd(22)} ${ours}, than ${theirs}`,
    );
  }
}
mkdirSync(here("results"), { recursive: true });
writeFileSync(
  here("results/load.json"),
  `${JSON.stringify({ file: file.split("/").at(-1), cpu: cpus()[0]?.model, node: process.version, date: new Date().toISOString(), milliseconds: Object.fromEntries(summaries), ratios }, null, 2)}\n`,
);
