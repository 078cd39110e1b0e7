/** Python reads what Node writes: the same values with the same types. */
import { copyFileSync, readdirSync, rmSync } from "node:fs";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import {
  deleteModel,
  describeModel,
  loadModel,
  ModelLibrary,
  type ModelMetadata,
  readMetadata,
  saveModel,
  saveModelFromCheckpoint,
  updateModel,
} from "../../lib/index.js";
import { Complex, load, NdArray, OrderedDict, save, Tensor, Tuple } from "../../lib/torch/index.js";
import { corpus, corpusFile } from "../support/corpus.js";
import { count, effort } from "../support/effort.js";
import { fixture, modelFixtures, readable } from "../support/fixtures.js";
import { temporaryFolder } from "../support/folder.js";
import { engineBuilt } from "../support/native.js";
import { runTorchPython, torchPython } from "../support/python.js";

const script = (name: string) => fileURLToPath(new URL(name, import.meta.url));

interface Job {
  name: string;
  original: string;
  copy: string;
  pairs?: (string | number)[][][];
  strides?: boolean;
}

async function differences(jobs: Job[]): Promise<string[]> {
  const output = await runTorchPython([script("compare.py")], JSON.stringify(jobs));
  return output.split("\n").filter(Boolean);
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

describe.skipIf(torchPython === null)("files that Node has read and written", () => {
  it("hold what the fixtures hold", async () => {
    const files = readable.filter(
      ({ python_loads: loads, optional }) => loads !== false && !optional,
    );
    const jobs = await copies(files.map(({ file }) => fixture(file)));
    expect(jobs.length).toBeGreaterThan(20);
    expect(await differences(jobs)).toEqual([]);
  });

  it("hold what model files hold", async () => {
    expect(await differences(await copies(modelFixtures.map(fixture)))).toEqual([]);
  });

  it.skipIf(corpus === null)("hold what the corpus holds", async () => {
    const models = readdirSync(corpusFile("models")).map((name) => corpusFile("models", name));
    const checkpoint = corpusFile("checkpoints", "checkpoint_epoch0200.pt");
    expect(await differences(await copies([...models, checkpoint]))).toEqual([]);
  });
});

describe.skipIf(torchPython === null)("values of Python that Node has read and written", () => {
  const SEED = 900;
  const COUNT = count({ quick: 10, full: 60 });

  it("are unchanged: random values", async () => {
    const [here, there] = [temporaryFolder(), temporaryFolder()];
    const output = await runTorchPython([script("describe.py"), here, String(SEED), String(COUNT)]);
    const jobs: Job[] = [];
    for (const line of output.trim().split("\n")) {
      for (const name of JSON.parse(line).files as string[]) {
        // One protocol for each form of bytes and numpy values.
        if (!/protocol2\.pt|protocol4-legacy/.test(name)) continue;
        const copy = join(there, name);
        const value = await load(join(here, name));
        // A float and a numpy scalar both become a plain number at the top level.
        if (typeof value === "number") continue;
        await save(value, copy);
        jobs.push({ name, original: join(here, name), copy });
      }
    }
    expect(jobs.length).toBeGreaterThan(COUNT);
    expect(await differences(jobs)).toEqual([]);
  });

  it("are unchanged: numpy scalars with whole and with large numbers", async () => {
    const [original, copy] = ["original.pt", "copy.pt"].map((name) =>
      join(temporaryFolder(), name),
    ) as [string, string];
    await runTorchPython([script("scalars.py"), original]);
    await save(await load(original), copy);
    expect(await differences([{ name: "scalars", original, copy }])).toEqual([]);
  });
});

describe.skipIf(torchPython === null)("checkpoints that Node has converted", () => {
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
      expect(
        await differences([{ name: "converted", original, copy, pairs, strides: true }]),
      ).toEqual([]);
    },
  );
});

describe.skipIf(torchPython === null)("models that Node has edited", () => {
  const CARRIED = ["model_state_dict", "spectrogram_config", "training_config", "latent_dim"];
  const ANALYSIS = [
    "pca_components",
    "pca_mean",
    "explained_variance_ratio",
    "n_active_components",
  ];
  const MORE = ["safe_min", "safe_max", "warning_min", "warning_max", "step_size"];
  const METADATA = [
    "model_id",
    "save_date",
    "training_epochs",
    "final_train_loss",
    "final_val_loss",
  ];

  it("hold all else value for value, strides and dtypes too", async () => {
    const originals = modelFixtures.filter((name) => name.startsWith("models/")).map(fixture);
    if (corpus !== null) {
      originals.push(...readdirSync(corpusFile("models")).map((n) => corpusFile("models", n)));
    }
    const jobs: Job[] = [];
    const edits = { name: "Küche 🥁", description: "edited", tags: ["a", "ß"] };
    for (const original of originals) {
      const name = basename(original);
      const folder = temporaryFolder();
      const copy = join(folder, name);
      copyFileSync(original, copy);
      await (await ModelLibrary.open(folder)).repairIndex();
      const library = await ModelLibrary.open(folder);
      const entry = library.listAll().find((e) => e.filePath === name);
      const { analysis } = await describeModel(copy);
      const axes = analysis?.safeMin.shape[0];
      const componentLabels = axes ? Array.from({ length: axes }, (_, i) => `Achse ${i} 🎚`) : null;
      await updateModel(entry?.modelId ?? "", folder, {
        ...edits,
        ...(componentLabels && { componentLabels }),
      });
      const within = (key: string, names: string[]) => names.map((n) => Array(2).fill([key, n]));
      const pairs = [
        ...CARRIED.map((key) => [[key], [key]]),
        ...within("metadata", METADATA),
        ...(analysis ? within("latent_analysis", [...ANALYSIS, ...MORE]) : []),
      ];
      jobs.push({ name, original, copy, pairs, strides: true });
      const expected = join(temporaryFolder(), name);
      await save({ ...edits, componentLabels }, expected);
      const labels = ["componentLabels"];
      jobs.push({
        name: `${name}, edited`,
        original: expected,
        copy,
        pairs: [
          ...within("metadata", Object.keys(edits)).map((pair) => [pair[0]?.slice(1), pair[1]]),
          ...(analysis ? [[labels, ["latent_analysis", "component_labels"]]] : []),
        ] as string[][][],
      });
    }
    expect(jobs.length).toBeGreaterThanOrEqual(5);
    expect(await differences(jobs)).toEqual([]);
  });
});

describe.skipIf(torchPython === null)("a folder that Node has changed", () => {
  /** Python checks that index and files agree. @returns the entries that it finds */
  async function seen(folder: string) {
    const output = await runTorchPython([script("library.py"), folder]);
    const lines = output.trim().split("\n");
    return lines.map((line) => JSON.parse(line));
  }

  it("is a library to Python: after saving, renaming, deleting and converting", async () => {
    const folder = temporaryFolder();
    const content = (await load(fixture("models/tiny.sda"))) as Map<string, unknown>;
    const config = content.get("spectrogram_config") as Map<string, number>;
    const setting = (name: string) => config.get(name) as number;
    const source = {
      stateDict: content.get("model_state_dict") as Map<string, Tensor>,
      latentDim: content.get("latent_dim") as number,
    };
    const spectrogramConfig = {
      sampleRate: setting("sample_rate"),
      nFft: setting("n_fft"),
      hopLength: setting("hop_length"),
      nMels: setting("n_mels"),
    };
    const saved = (name: string, metadata: Partial<ModelMetadata> = {}) =>
      saveModel(source, {
        modelsDir: folder,
        spectrogramConfig,
        metadata: { ...metadata, name },
      });
    const first = await saved("Küche", { tags: ["a", "🥁"], finalTrainLoss: 1, modelId: "first" });
    await saved("Küche", { datasetTotalDurationS: 60, modelId: "second" });
    const tensors = source.stateDict.size;
    expect(await seen(folder)).toEqual([
      ["first", "Küche", "k_che.sda", [], tensors],
      ["second", "Küche", "k_che_1.sda", [], tensors],
    ]);

    // A new name makes a new file. The old model is deleted.
    const { generation: _, vocoder: __, ...own } = await readMetadata(first);
    await saved("Kitchen", { ...own, modelId: "renamed" });
    await deleteModel("first", folder);
    await saveModelFromCheckpoint(
      fixture("checkpoints/tiny.pt"),
      { name: "Converted", modelId: "converted" },
      folder,
    );
    const after = await seen(folder);
    expect(after.map((line) => line.slice(0, 3))).toEqual([
      ["second", "Küche", "k_che_1.sda"],
      ["renamed", "Kitchen", "kitchen.sda"],
      ["converted", "Converted", "converted.sda"],
    ]);
    expect(after[2][4]).toBeGreaterThan(0);

    // The same with a new index, made from the files
    for (const name of ["model_library.json", "model_library.json.bak"]) rmSync(join(folder, name));
    await (await ModelLibrary.open(folder)).repairIndex();
    expect((await seen(folder)).sort()).toEqual(after.sort());
  });

  it.skipIf(corpus === null || !engineBuilt)(
    "holds loaded models value for value, carried over or given",
    { timeout: 120_000 },
    async () => {
      const folder = temporaryFolder();
      const keys = ["format", "model_state_dict", "latent_dim", "spectrogram_config"];
      // Without the correlations: given ones are floats, but numpy scalars in most files.
      const analysisKeys = [
        "pca_components",
        "pca_mean",
        "explained_variance_ratio",
        "n_active_components",
        "component_labels",
        "safe_min",
        "safe_max",
        "warning_min",
        "warning_max",
        "step_size",
        "n_steps",
        "latent_dim",
      ];
      const pairs = (names: string[]) => names.map((key) => [[key], [key]]);
      const jobs: Job[] = [];
      for (const [i, name] of readdirSync(corpusFile("models")).entries()) {
        const original = corpusFile("models", name);
        for (const verify of effort({ quick: [i % 2 === 0], full: [true, false] })) {
          const model = await loadModel(original, { device: "cpu", verify });
          const { analysis, spectrogram } = model;
          const save = (given: object) => saveModel(model, { modelsDir: folder, ...given });
          const carried = await save({});
          const rewritten = await save({ analysis, spectrogramConfig: spectrogram.config });
          model.dispose();
          const analysisPairs =
            analysis === null
              ? [[["latent_analysis"], ["latent_analysis"]]]
              : analysisKeys.map((key) => Array(2).fill(["latent_analysis", key]));
          const others = pairs([...keys, "training_config"]);
          const all = [...others, [["latent_analysis"], ["latent_analysis"]]];
          jobs.push(
            { name: `${name}, carried`, original, copy: carried, pairs: all, strides: true },
            {
              name: `${name}, given`,
              original,
              copy: rewritten,
              pairs: [...others, ...analysisPairs],
            },
          );
        }
      }
      expect(jobs.length).toBeGreaterThan(3);
      expect(await differences(jobs)).toEqual([]);
      expect(await seen(folder)).toHaveLength(jobs.length);
    },
  );
});

describe.skipIf(torchPython === null)("values of JavaScript in Python", () => {
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
    expect(JSON.parse(await runTorchPython([script("show.py"), path]))).toEqual([
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
    expect(JSON.parse(await runTorchPython([script("show.py"), path, "--weights-only"]))).toEqual([
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
