/** doc/sda-format.md describes models, checkpoints and the index as code and files have them. */

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { Fields } from "../../lib/format/fields.js";
import { completeMetadata, spectrogramDict } from "../../lib/format/file-content.js";
import { ANALYSIS_NAMES, METADATA_NAMES } from "../../lib/format/names.js";
import { parseMetadata, parseModel } from "../../lib/format/schema.js";
import { checkStateDict } from "../../lib/format/state-dict.js";
import { ENTRY_NAMES, VOCODER_NAMES } from "../../lib/library/index/entry.js";
import { INDEX_TEMPORARY } from "../../lib/library/index/folder.js";
import { saveModelFromCheckpoint } from "../../lib/library/writes/convert.js";
import { loadModel } from "../../lib/model/load.js";
import { load, NdArray, type OrderedDict, PyObject, save, Tensor } from "../../lib/torch/index.js";
import { corpus, corpusFile } from "../support/corpus.js";
import { temporaryFolder } from "../support/folder.js";
import { engineBuilt } from "../support/native.js";
import { fixture, readText, root, table } from "./tables.js";

type Dict = Map<string, unknown>;

const python = (value: unknown) => (value === null ? "None" : value === false ? "False" : value);
const number = (value: string) => (/^[\d.]+$/.test(value) ? Number(value) : value);
/** As the tables show a value. */
function shown(value: unknown): unknown {
  if (typeof value === "string" || Array.isArray(value)) return JSON.stringify(value);
  if (value instanceof Map || (typeof value === "object" && value !== null)) {
    const entries = value instanceof Map ? [...value] : Object.entries(value);
    return JSON.stringify(Object.fromEntries(entries));
  }
  return python(value);
}

const models = [
  ...readdirSync(fixture("models"))
    .filter((name) => name.endsWith(".sda"))
    .map((name) => fixture(join("models", name))),
  join(root, "assets/models/synthetic-plucks.sda"),
  ...(corpus === null
    ? []
    : readdirSync(corpusFile("models")).map((name) => corpusFile("models", name))),
];

async function loadDict(path: string): Promise<Dict> {
  return (await load(path)) as Dict;
}
const tiny = () => loadDict(fixture("models/tiny.sda"));

test("the keys of a model, in order", async () => {
  for (const path of models) {
    const model = (await loadDict(path)) as Map<string, Dict | null>;
    const keys = (name: string) => [...(model.get(name)?.keys() ?? [])];
    expect(table("## 4 The model").map(([key]) => key)).toEqual([...model.keys()]);
    expect(table("### Metadata").map(([key]) => key)).toEqual(keys("metadata"));
    expect(table("### Spectrogram").map(([key]) => key)).toEqual(keys("spectrogram_config"));
    const found = keys("latent_analysis");
    // Files of older programs lack optional keys.
    const said = table("### Analysis").filter(
      ([key = "", , missing]) => missing === "an error" || found.includes(key),
    );
    if (found.length > 0) expect(said.map(([key]) => key)).toEqual(found);
  }
  expect(table("### Analysis").map(([key]) => key)).toEqual(Object.values(ANALYSIS_NAMES));
});

describe("what a missing key means", () => {
  const parsed = {
    version: null,
    model_state_dict: null,
    latent_dim: "latentDim",
    latent_analysis: "analysis",
    training_config: "trainingConfig",
  } as const;

  test("in the model", async () => {
    for (const [key = "", , missing = ""] of table("## 4 The model")) {
      if (key === "model_state_dict") continue; // tested below
      const content = await tiny();
      content.delete(key);
      // The analysis would have another latent_dim than the default.
      if (key === "latent_dim") content.delete("latent_analysis");
      if (missing === "an error" || missing === "not a model") {
        const code = missing === "an error" ? "ERR_SDA_SCHEMA" : "ERR_SDA_FORMAT";
        expect(() => parseModel(content, "x"), key).toThrow(expect.objectContaining({ code }));
        continue;
      }
      const model = parseModel(content, "x") as unknown as Dict & Record<string, unknown>;
      const name = parsed[key as keyof typeof parsed];
      if (name) expect(shown(model[name]), key).toEqual(number(missing));
      if (key === "metadata") {
        content.set(key, new Map());
        expect(parseModel(content, "x")).toEqual(model);
      }
      if (key === "version") {
        content.set(key, Number(/\d+/.exec(missing)?.[0]));
        expect(parseModel(content, "x")).toEqual(model);
      }
    }
  });

  test.skipIf(!engineBuilt)("in a file", async () => {
    const path = join(temporaryFolder(), "less.sda");
    for (const key of ["spectrogram_config", "model_state_dict"]) {
      const content = await tiny();
      content.delete(key);
      await save(content, path);
      await expect(loadModel(path), key).rejects.toMatchObject({
        code: expect.stringMatching(/^ERR_SDA_(SCHEMA|FORMAT)$/),
        message: expect.stringContaining(key),
      });
    }
  });

  test("in the analysis", async () => {
    for (const [key = "", , missing = ""] of table("### Analysis")) {
      const content = await tiny();
      (content.get("latent_analysis") as Dict).delete(key);
      if (missing === "an error") {
        const refusal = expect.objectContaining({ code: "ERR_SDA_SCHEMA" });
        expect(() => parseModel(content, "x"), key).toThrow(refusal);
        continue;
      }
      const { analysis, latentDim } = parseModel(content, "x");
      const [field] = Object.entries(ANALYSIS_NAMES).find(([, name]) => name === key) as [
        string,
        string,
      ];
      const value = (analysis as unknown as Record<string, unknown>)[field];
      const said =
        key === "latent_dim" ? latentDim : number(/^`?([^`;]+)/.exec(missing)?.[1] ?? "");
      expect(shown(value), key).toEqual(said);
    }
  });

  test("a newer version is refused", async () => {
    for (const [heading, get] of [
      ["## 4 The model", (content: Dict) => content],
      ["### Analysis", (content: Dict) => content.get("latent_analysis") as Dict],
    ] as const) {
      expect(table(heading).find(([key]) => key === "version")?.[2]).toContain("refuse a greater");
      const content = await tiny();
      get(content).set("version", 2);
      expect(() => parseModel(content, "x")).toThrow(
        expect.objectContaining({ code: "ERR_SDA_VERSION" }),
      );
    }
  });
});

test("the arrays of an analysis", async () => {
  for (const path of models) {
    const model = await loadDict(path);
    const analysis = model.get("latent_analysis") as Dict | null;
    if (!analysis) continue;
    const [n] = shapeOf(analysis.get("pca_components"));
    const sizes: Record<string, unknown> = { n, latent_dim: model.get("latent_dim") };
    for (const [key = "", type = ""] of table("### Analysis")) {
      const value = analysis.get(key);
      if (value === undefined) continue;
      if (!type.startsWith("[")) {
        const found = Array.isArray(value) ? "list of str" : value instanceof Map ? "dict" : "int";
        expect(type.startsWith(found), `${key} of ${path}`).toBe(true);
        continue;
      }
      const shape = type
        .slice(1, -1)
        .split(", ")
        .map((size) => sizes[size]);
      expect(shapeOf(value), `${key} of ${path}`).toEqual(shape);
      if (Array.isArray(value)) continue;
      expect(["float32", "float64"]).toContain((value as NdArray).dtype);
    }
  }
});

/** Shape of an array or of nested lists. */
function shapeOf(value: unknown): number[] {
  if (value instanceof NdArray) return value.shape;
  return Array.isArray(value) ? [value.length, ...shapeOf(value[0])] : [];
}

test("the defaults of metadata, for readers and writers", () => {
  const read = parseMetadata(new Fields(new Map([["format", "sda_model"]]), "x", ""));
  const written = completeMetadata({ modelId: "m", saveDate: "d" }, {}, null);
  for (const [field, name] of Object.entries(METADATA_NAMES)) {
    const [, type, said] = table("### Metadata").find(([key]) => key === name) as string[];
    const value = read[field as keyof typeof read];
    expect({ name, said: number(said as string) }).toEqual({ name, said: shown(value) });
    expect(said?.includes("."), name).toBe(type === "float");
    if (field !== "modelId" && field !== "saveDate")
      expect(written).toMatchObject({ [field]: value });
  }
});

test("the defaults of the spectrogram", () => {
  const said = table("### Spectrogram").map(([key, , value]) => [key, number(value as string)]);
  expect(said).toEqual([...spectrogramDict({})].map(([key, value]) => [key, python(value)]));
});

/** Evaluates the formulas of the document. */
function sizes(config: Dict, latentDim: number): Record<string, number> {
  const formulas = /```\n(frames = .*?)```/s.exec(readText("doc/sda-format.md"))?.[1] ?? "";
  const known: Record<string, number> = {
    ...(Object.fromEntries(config) as Record<string, number>),
    latent_dim: latentDim,
  };
  for (const line of formulas.trim().split("\n")) {
    const [name = "", formula = ""] = line.split(" = ");
    const code = formula
      .replace(/(\w+) \/\/ (\w+)/g, "Math.floor($1 / $2)")
      .replaceAll("ceil", "Math.ceil")
      .replaceAll("·", "*");
    known[name] = new Function(...Object.keys(known), `return ${code}`)(...Object.values(known));
  }
  return known;
}

/** [name, shape] of every tensor, from the document. */
function weights(config: Dict, latentDim: number): [string, number[]][] {
  const { L, F } = sizes(config, latentDim);
  const shape = (text: string) =>
    text
      .slice(1, -1)
      .split(", ")
      .map((size) => ({ L, F })[size] ?? Number(size));
  return table("### Weights").flatMap(([module, kind, weight = "", bias = ""]) => {
    const own: [string, number[]][] = [
      [`${module}.weight`, shape(weight)],
      [`${module}.bias`, shape(bias)],
    ];
    if (kind !== "normalisation") return own;
    return [
      ...own,
      [`${module}.running_mean`, shape(weight)],
      [`${module}.running_var`, shape(weight)],
      [`${module}.num_batches_tracked`, []],
    ];
  });
}

test("weights: names, shapes and order", async () => {
  for (const path of models) {
    const model = await loadDict(path);
    const state = model.get("model_state_dict") as OrderedDict<string, Tensor>;
    const alone = !state.has("encoder.fc_mu.weight");
    const said = weights(
      model.get("spectrogram_config") as Dict,
      model.get("latent_dim") as number,
    );
    const expected = said.filter(([name]) => !alone || !name.startsWith("encoder.fc_"));
    expect(
      [...state].map(([name, tensor]) => [name, tensor.shape]),
      path,
    ).toEqual(expected);
    for (const [name, { dtype }] of state) {
      const counts = name.endsWith("num_batches_tracked");
      expect(counts ? ["int64"] : ["float32", "float16", "bfloat16", "float64"]).toContain(dtype);
    }
    const attributes = state.attributes as Dict | null;
    const versions = attributes?.get("_metadata") as Map<string, Dict> | undefined;
    if (!versions) continue;
    const normal = new Set(
      table("### Weights").flatMap(([m, kind]) => (kind === "normalisation" ? [m] : [])),
    );
    for (const [module, version] of versions) {
      expect([...version], module).toEqual([["version", normal.has(module) ? 2 : 1]]);
    }
  }
});

test("weights of other settings match the code", () => {
  const settings = [
    [
      new Map([
        ["n_mels", 80],
        ["sample_rate", 44100],
        ["hop_length", 441],
      ]),
      3,
    ],
    [
      new Map([
        ["n_mels", 1],
        ["sample_rate", 15],
        ["hop_length", 1],
      ]),
      17,
    ],
  ] as [Dict, number][];
  for (const [config, latentDim] of settings) {
    const tensors = weights(config, latentDim).map(([name, shape]) => {
      const length = shape.reduce((a, b) => a * b, 1);
      const counts = name.endsWith("num_batches_tracked");
      const data = counts ? new BigInt64Array(length) : new Float32Array(length);
      return [name, new Tensor(counts ? "int64" : "float32", shape, data)] as const;
    });
    const { sample_rate, hop_length, n_mels } = Object.fromEntries(config) as Record<
      string,
      number
    >;
    checkStateDict(
      new Map(tensors),
      {
        network: "sigmoid",
        latentDim,
        config: { sampleRate: sample_rate, hopLength: hop_length, nMels: n_mels } as never,
      },
      (name, problem) => {
        throw new Error(`${name} ${problem}`);
      },
    );
  }
});

test("the Enum in the training config", async () => {
  for (const path of models) {
    const training = (await loadDict(path)).get("training_config") as Dict;
    for (const value of training.values()) {
      if (!(value instanceof PyObject)) continue;
      const text = readText("doc/sda-format.md").replace(/\s+/g, " ");
      expect(text).toContain(`Enum \`${value.module} ${value.name}\``);
      expect(text).toContain(`\`"${value.args[0]}"\``);
      expect(value).toMatchObject({ allocated: false, state: null });
    }
  }
});

describe("the training checkpoint", () => {
  const rows = table("## 6 Training checkpoint");
  const checkpoint = fixture("checkpoints/tiny.pt");

  test("its keys, in order", async () => {
    const files = [checkpoint];
    if (corpus !== null) files.push(corpusFile("checkpoints/checkpoint_epoch0200.pt"));
    for (const path of files) {
      const content = await loadDict(path);
      expect(rows.map(([key]) => key)).toEqual([...content.keys()]);
      const optimizer = content.get("optimizer_state_dict") as Map<string, Map<number, Dict>>;
      expect([...optimizer.keys()]).toEqual(["state", "param_groups"]);
      expect([...(optimizer.get("state")?.get(0)?.keys() ?? [])]).toEqual([
        "step",
        "exp_avg",
        "exp_avg_sq",
      ]);
    }
  });

  test("its conversion, also without one of its keys", async () => {
    const folder = temporaryFolder();
    const path = join(folder, "less.pt");
    const full = await loadDict(checkpoint);
    const whole = await loadDict(await saveModelFromCheckpoint(checkpoint, {}, folder));
    for (const [key = "", , target = "", missing = ""] of rows) {
      const [place = "", field] = target.split(";")[0]?.match(/\w+/g) ?? [];
      const find = (model: Dict) =>
        field ? (model.get(place) as Dict).get(field) : model.get(place);
      if (place) expect(find(whole), key).toEqual(full.get(key));
      const less = new Map(full);
      less.delete(key);
      await save(less, path);
      const made = saveModelFromCheckpoint(path, {}, folder);
      if (missing === "not a checkpoint") {
        await expect(made, key).rejects.toMatchObject({ code: "ERR_SDA_FORMAT" });
        continue;
      }
      const model = await made.then(loadDict, (error) => error);
      if (!place) expect(model, key).toBeInstanceOf(Map);
      else if (missing !== "its defaults") expect(shown(find(model)), key).toEqual(number(missing));
      // The weights do not fit the default settings, and the error says so.
      else
        expect(model, key).toMatchObject({
          code: "ERR_SDA_SCHEMA",
          details: { tensor: expect.anything() },
        });
      if (missing !== "0.0") continue;
      await save(new Map(full).set(key, null), path);
      expect(find(await loadDict(await saveModelFromCheckpoint(path, {}, folder)))).toBe(0);
    }
  });
});

test("the fields of the index", () => {
  const keys = (start: string) => table("## 7 The library", start).map(([key]) => key);
  expect(keys("field |")).toEqual(Object.values(ENTRY_NAMES));
  expect(keys("field of")).toEqual(Object.values(VOCODER_NAMES));
});

test("the names of other files in a folder", () => {
  const written = [
    "native/checkpoint/io/writer_file.cc",
    "lib/library/writes/leftovers.ts",
    "lib/library/writes/revision.ts",
  ]
    .map((file) => readFileSync(join(root, file), "utf8"))
    .join();
  for (const [name = ""] of table("### Changing it")) {
    const isIndex = INDEX_TEMPORARY.test(name.replace(/<pid>|<hex>/g, "7"));
    if (!isIndex) expect(written).toContain(name.slice(0, name.indexOf("<")));
  }
  expect(table("### Changing it").length).toBe(5);
});
