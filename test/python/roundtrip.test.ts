/** What Node writes, Python reads: value by value and type by type. */
import { readdirSync } from "node:fs";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { saveModelFromCheckpoint } from "../../lib/index.js";
import { Complex, load, NdArray, OrderedDict, save, Tensor, Tuple } from "../../lib/torch/index.js";
import { corpus, corpusFile } from "../support/corpus.js";
import { fixture, modelFixtures, readable } from "../support/fixtures.js";
import { temporaryFolder } from "../support/folder.js";
import { runPython } from "../support/python.js";
import { hasTorch } from "../support/torch-python.js";

const script = (name: string) => fileURLToPath(new URL(name, import.meta.url));

interface Job {
  name: string;
  original: string;
  copy: string;
  pairs?: (string | number)[][][];
  strides?: boolean;
}

function differences(jobs: Job[]): string[] {
  return runPython([script("compare.py")], JSON.stringify(jobs))
    .split("\n")
    .filter(Boolean);
}

async function copies(files: string[]): Promise<Job[]> {
  const folder = temporaryFolder();
  const jobs: Job[] = [];
  for (const original of files) {
    const copy = join(folder, basename(original));
    await save(await load(original), copy);
    jobs.push({ name: basename(original), original, copy });
  }
  return jobs;
}

describe.skipIf(!hasTorch)("files that Node has read and written", () => {
  it("hold what the fixtures hold", async () => {
    const files = readable.filter(
      ({ python_loads: loads, optional }) => loads !== false && !optional,
    );
    const jobs = await copies(files.map(({ file }) => fixture(file)));
    expect(jobs.length).toBeGreaterThan(20);
    expect(differences(jobs)).toEqual([]);
  });

  it("hold what model files hold", async () => {
    expect(differences(await copies(modelFixtures.map(fixture)))).toEqual([]);
  });

  it.skipIf(corpus === null)("hold what the corpus holds", async () => {
    const models = readdirSync(corpusFile("models")).map((name) => corpusFile("models", name));
    const checkpoint = corpusFile("checkpoints", "checkpoint_epoch0200.pt");
    expect(differences(await copies([...models, checkpoint]))).toEqual([]);
  });
});

describe.skipIf(!hasTorch)("checkpoints that Node has converted", () => {
  const CARRIED = ["model_state_dict", "spectrogram_config", "latent_analysis", "training_config"];
  const checkpoints = [fixture("checkpoints/tiny.pt")];
  if (corpus !== null) {
    checkpoints.push(corpusFile("checkpoints", "checkpoint_epoch0200.pt"));
  }

  it.each(checkpoints)(
    "%s: configs, analysis and weights as they were, strides too",
    async (original) => {
      const copy = await saveModelFromCheckpoint(
        original,
        { name: "Converted" },
        temporaryFolder(),
      );
      const pairs: string[][][] = CARRIED.map((key) => [[key], [key]]);
      pairs.push([["epoch"], ["metadata", "training_epochs"]]);
      if (original.includes("0200")) {
        pairs.push([["train_loss"], ["metadata", "final_train_loss"]]);
        pairs.push([["val_loss"], ["metadata", "final_val_loss"]]);
      }
      expect(differences([{ name: "converted", original, copy, pairs, strides: true }])).toEqual(
        [],
      );
    },
  );
});

describe.skipIf(!hasTorch)("values of JavaScript in Python", () => {
  it("are what they should be", async () => {
    const folder = temporaryFolder();
    const path = join(folder, "values.pt");
    const shared = [1];
    await save(
      new Map<unknown, unknown>([
        ["int", 1],
        ["float", 0.5],
        ["negative zero", -0],
        ["safe", 2 ** 53 - 1],
        ["unsafe", 2 ** 53],
        ["nan", Number.NaN],
        ["big", -(2n ** 64n)],
        ["small bigint", -128n],
        ["word", 2n ** 63n],
        ["least", -(2n ** 63n)],
        ["text", "é\u{1F600}\ud800\n"],
        ["bytes", Uint8Array.of(0, 127, 128, 255)],
        ["no bytes", new Uint8Array(0)],
        ["tuple", Tuple.from([1, Tuple.from([2, [3]]), 4, 5])],
        ["empty", new Tuple()],
        ["set", new Set(["a"])],
        ["complex", new Complex(1, -0.5)],
        ["plain", { a: null, b: [true, false] }],
        ["shared", [shared, shared]],
        [Tuple.from([1, "key"]), "by tuple"],
        ["bfloat16", new Tensor("bfloat16", [2], Uint16Array.of(0x3f80, 0x4000))],
        ["scalar", new Tensor("float64", [], Float64Array.of(2.5))],
        ["fortran", new NdArray("int16", [2, 3], Int16Array.of(1, 2, 3, 4, 5, 6), true)],
        ["floats", [0.5, 1.5, 2, 2.5]],
      ]),
      path,
    );
    expect(JSON.parse(runPython([script("show.py"), path]))).toEqual([
      "'int' int 1",
      "'float' float 0.5",
      "'negative zero' float -0.0",
      "'safe' int 9007199254740991",
      "'unsafe' float 9007199254740992.0",
      "'nan' float nan",
      "'big' int -18446744073709551616",
      "'small bigint' int -128",
      "'word' int 9223372036854775808",
      "'least' int -9223372036854775808",
      "'text' str 'é\u{1F600}\\ud800\\n'",
      "'bytes' bytes b'\\x00\\x7f\\x80\\xff'",
      "'no bytes' bytes b''",
      "'tuple' tuple (1, (2, [3]), 4, 5)",
      "'empty' tuple ()",
      "'set' set {'a'}",
      "'complex' complex (1-0.5j)",
      "'plain' dict {'a': None, 'b': [True, False]}",
      "'shared' list [[1], [1]] (one)",
      "(1, 'key') str 'by tuple'",
      "'bfloat16' Tensor tensor([1., 2.], dtype=torch.bfloat16)",
      "'scalar' Tensor tensor(2.5000, dtype=torch.float64)",
      "'fortran' ndarray array([[1, 2, 3],\n       [4, 5, 6]], dtype=int16) F",
      "'floats' list [0.5, 1.5, 2, 2.5]",
    ]);
  });

  it("are read with weights_only when they are a state dict", async () => {
    const folder = temporaryFolder();
    const path = join(folder, "state.pt");
    const memory = Float32Array.of(1, 2, 3, 4, 5, 6);
    const state = new OrderedDict<string, unknown>([
      ["weight", new Tensor("float32", [2, 3], memory)],
      ["row", new Tensor("float32", [3], memory.subarray(3))],
      ["counter", new Tensor("int64", [], BigInt64Array.of(7n))],
      ["unsigned", new Tensor("uint16", [2], Uint16Array.of(1, 65535))],
      ["eighth", new Tensor("float8_e4m3fn", [1], Uint8Array.of(0x38))],
      ["nothing", new Tensor("float32", [0, 2], new Float32Array(0))],
    ]);
    state.attributes = new Map([["_metadata", new OrderedDict([["", new Map([["version", 1]])]])]]);
    await save(state, path);
    expect(JSON.parse(runPython([script("show.py"), path, "--weights-only"]))).toEqual([
      "'weight' Tensor tensor([[1., 2., 3.],\n        [4., 5., 6.]])",
      "'row' Tensor tensor([4., 5., 6.]) in weight",
      "'counter' Tensor tensor(7)",
      "'unsigned' Tensor tensor([    1, 65535], dtype=torch.uint16)",
      "'eighth' Tensor tensor([1.], dtype=torch.float8_e4m3fn)",
      "'nothing' Tensor tensor([], size=(0, 2))",
      "_metadata OrderedDict OrderedDict([('', {'version': 1})])",
    ]);
  });
});
