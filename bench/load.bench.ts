/**
 * Measures opening a model: with and without checking it, its metadata alone, and from process
 * start to the first decoded mel. Compares with Python and torch, if found, in alternating rounds.
 */
import { spawnSync } from "node:child_process";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type LoadedModel, loadModel, readMetadata } from "../dist/index.js";
import { load, Tensor } from "../dist/torch/index.js";
import { writeLargeModel } from "./support/large-file.js";
import { Peer } from "./support/python.js";
import { Rounds } from "./support/rounds.js";
import { peerName } from "./support/schema.js";
import type { Context, Suite } from "./support/suite.js";
import { temporaryFolder } from "./support/temporary.js";

const FULL = {
  firstWarmUp: { rounds: 1, runs: 1, warmUp: 500 }, // lets V8 compile the hot code first
  rounds: { rounds: 20, runs: 10, warmUp: 100 },
  coldStarts: 7,
};
const QUICK = {
  firstWarmUp: { rounds: 1, runs: 1, warmUp: 0 },
  rounds: { rounds: 2, runs: 2, warmUp: 0 },
  coldStarts: 1,
};
const LARGE = 2 ** 31;
const WORKS = ["torch.load", "torch.load mmap", "program load", "metadata", "decode"];
const PAIRS: [ours: string, theirs: string][] = [
  ["loadModel, verify: false", "program load"],
  ["loadModel, verify: false", "torch.load mmap"],
  ["loadModel", "program load"],
  ["loadModel", "torch.load"],
  ["readMetadata", "metadata"],
  ["decode", "decode"],
  ["cold start", "cold start"],
];

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));

function works(model: LoadedModel, file: string, large: string) {
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

function timeProcess(command: string, args: string[]): number[] {
  const start = performance.now();
  const ended = spawnSync(command, args, { encoding: "utf8" });
  if (ended.status !== 0) throw new Error(`${args[0]}: ${ended.stderr}`);
  return [performance.now() - start];
}

async function run({ file, python, notes, quick, say }: Context) {
  const counts = quick ? QUICK : FULL;
  const rounds = new Rounds();
  const folder = temporaryFolder();
  const large = join(folder, "large.sda");
  const peer = python === null ? null : new Peer(python, "load_peer.py", [file]);
  try {
    writeLargeModel(file, large, LARGE);
    const peers = peer === null ? {} : (await peer.about()).versions;
    const model = await loadModel(file);
    const ours = works(model, file, large);
    say("opening, metadata, decoding");
    await rounds.run(ours, peer, WORKS, counts.firstWarmUp, false);
    await rounds.run(ours, peer, WORKS, counts.rounds);
    model.dispose();
    say("cold starts");
    for (let i = 0; i < counts.coldStarts; i++) {
      rounds.collect("cold start", timeProcess(process.execPath, [here("cold-start.mjs"), file]));
      if (python !== null)
        rounds.collect(
          peerName("cold start"),
          timeProcess(python, [here("peers/cold_start.py"), file]),
        );
    }
    return {
      rows: rounds.rows(),
      ratios: PAIRS.flatMap(([our, their]) => rounds.besidePeer(our, their)),
      notes,
      peers,
    };
  } finally {
    peer?.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

export const suite: Suite = { title: "Opening a model", usesModel: true, run };
