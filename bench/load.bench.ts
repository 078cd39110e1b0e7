/**
 * How long it takes to open a model: with and without checking it, only its metadata, from process
 * start to the first decoded mel; beside Python, where one with torch is found, in alternating rounds
 * of the same run.
 *
 *     npm run bench:load [-- FILE.sda]
 */
import { spawnSync } from "node:child_process";
import { rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type LoadedModel, loadModel, readMetadata } from "../dist/index.js";
import { load, Tensor } from "../dist/torch/index.js";
import { machine } from "./support/environment.js";
import { writeLargeModel } from "./support/large-file.js";
import { modelFile } from "./support/model-file.js";
import { Peer, python } from "./support/python.js";
import { writeResults } from "./support/results.js";
import { Rounds } from "./support/rounds.js";
import { type Summary, show } from "./support/statistics.js";

const ROUNDS = { rounds: 20, runs: 10, warmUp: 100 };
/** V8 compiles what runs often. */
const FIRST_WARM_UP = { rounds: 1, runs: 1, warmUp: 500 };
const COLD_STARTS = 7;
const LARGE = 2 ** 31;

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));
const file = modelFile();
const large = join(tmpdir(), `sda-bench-${process.pid}.sda`);

const rounds = new Rounds();
const WORKS = ["torch.load", "torch.load mmap", "program load", "metadata", "decode"];

function works(model: LoadedModel): Record<string, () => Promise<unknown>> {
  const z = new Tensor(
    "float32",
    [1, model.model.latentDim],
    new Float32Array(model.model.latentDim),
  );
  return {
    "loadModel, verify: false": async () => (await loadModel(file, { verify: false })).dispose(),
    loadModel: async () => (await loadModel(file)).dispose(),
    "torch.load, verify: false": () => load(file, { verify: false }),
    readMetadata: () => readMetadata(file),
    "readMetadata, 2 GB file": () => readMetadata(large),
    decode: () => model.model.decode(z),
  };
}

function timeProcess(name: string, command: string, args: string[]): void {
  const start = performance.now();
  const ended = spawnSync(command, args, { encoding: "utf8" });
  if (ended.status !== 0) throw new Error(`${name}: ${ended.stderr}`);
  rounds.collect(name, [performance.now() - start]);
}

writeLargeModel(file, large, LARGE);
const peer = python === null ? null : new Peer(python, "load_peer.py", [file]);
try {
  const model = await loadModel(file);
  const ours = works(model);
  await rounds.run(ours, peer, WORKS, FIRST_WARM_UP, false);
  await rounds.run(ours, peer, WORKS, ROUNDS);
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

const summaries = rounds.summaries();
console.log(`${file}, ${(statSync(file).size / 1e6).toFixed(1)} MB, in the page cache`);
console.log(`${machine()}\n`);
for (const [name, summary] of summaries) console.log(`${name.padEnd(28)} ${show(summary)}`);

const RATIOS: [ours: string, theirs: string][] = [
  ["loadModel, verify: false", "program load"],
  ["loadModel, verify: false", "torch.load mmap"],
  ["loadModel", "program load"],
  ["loadModel", "torch.load"],
  ["readMetadata", "metadata"],
  ["decode", "decode"],
  ["cold start", "cold start"],
];
const ratios: Record<string, ReturnType<Rounds["ratio"]>> = {};
if (python === null) {
  console.log("\nNo Python with torch was found (SDA_PYTHON names one): no comparison.");
} else {
  console.log();
  for (const [ours, theirs] of RATIOS) {
    const ratio = rounds.ratio(ours, theirs);
    ratios[`${ours}, than Python: ${theirs}`] = ratio;
    const text = ({ median, low, high }: Summary) =>
      `${median.toFixed(1)} (${low.toFixed(1)} to ${high.toFixed(1)})`;
    console.log(
      `${text(ratio.median).padStart(22)} × faster, fastest runs ${text(ratio.fastest).padEnd(22)} ${ours}, than Python: ${theirs}`,
    );
  }
}
writeResults("load.json", file, { milliseconds: Object.fromEntries(summaries), ratios });
