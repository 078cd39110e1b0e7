/**
 * Measures reading a torch.save file. Compares with torch.load, and with safetensors reading the
 * same weights, in alternating rounds.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { inspect, load, save, Tensor } from "../dist/torch/index.js";
import { Peer } from "./support/python.js";
import { Rounds } from "./support/rounds.js";
import { type Measured, peerName } from "./support/schema.js";
import type { Context, Suite } from "./support/suite.js";

const FULL = {
  firstWarmUp: { rounds: 1, runs: 1, warmUp: 500 },
  rounds: { rounds: 20, runs: 10, warmUp: 100 },
};
const QUICK = {
  firstWarmUp: { rounds: 1, runs: 1, warmUp: 0 },
  rounds: { rounds: 2, runs: 2, warmUp: 0 },
};
const WORKS = ["torch.load", "torch.load mmap", "safetensors", "safetensors read"];
/** Small tensors of a file beside the model, each on a storage of its own. */
const MANY = 20_000;
/** Compares mapping with mapping and reading with reading. Only our reader verifies checksums. */
const PAIRS: [ours: string, theirs: string][] = [
  ["load, verify: false", "torch.load mmap"],
  ["load, verify: false", "safetensors"],
  ["load", "torch.load"],
  ["load", "safetensors read"],
  ["load many", "torch.load many"],
];

/** Writes a file of `MANY` tensors. */
async function saveMany(path: string): Promise<void> {
  const one = (i: number) => new Tensor("float32", [3], Float32Array.of(i, i, i));
  await save(new Map(Array.from({ length: MANY }, (_, i) => [`layer.${i}.bias`, one(i)])), path);
}

async function run({ file, python, notes, quick, say }: Context): Promise<Measured> {
  const counts = quick ? QUICK : FULL;
  const rounds = new Rounds();
  const folder = mkdtempSync(join(tmpdir(), "sda-bench-"));
  const many = join(folder, "many.pt");
  const ours = {
    "load, verify: false": () => load(file, { verify: false }),
    load: () => load(file),
    inspect: () => inspect(file),
  };
  const peer = python === null ? null : new Peer(python, "torch_peer.py", [file, many]);
  try {
    const { versions, missing } = (await peer?.about()) ?? { versions: {}, missing: {} };
    const theirs = WORKS.filter((work) => !(work in missing));
    say("reading");
    await rounds.run(ours, peer, theirs, counts.firstWarmUp, false);
    await rounds.run(ours, peer, theirs, counts.rounds);
    // Last: what it leaves behind for the garbage collector would slow the others.
    say("reading many tensors");
    await saveMany(many);
    const ofMany = { "load many": () => load(many) };
    await rounds.run(ofMany, peer, ["torch.load many"], { ...counts.rounds, warmUp: 0 });
    return {
      rows: rounds.rows(),
      ratios: PAIRS.flatMap(([our, their]) => rounds.besidePeer(our, their)),
      notes: [
        ...notes,
        ...Object.entries(missing).map(([work, why]) => `${peerName(work)}: not measured, ${why}`),
      ],
      peers: versions,
    };
  } finally {
    peer?.close();
    rmSync(folder, { recursive: true });
  }
}

export const suite: Suite = { title: "Reading torch.save files", usesModel: true, run };
