import { describe, expect, it } from "vitest";
import { Fields } from "../../lib/format/fields.js";
import { parseMetadata, parseModel } from "../../lib/format/schema.js";
import { OrderedDict, PyObject, Tuple } from "../../lib/values/values.js";
import { type Dict, dict, modelDict, without } from "../support/content.js";
import { sdaError } from "../support/errors.js";

const PATH = "/models/test.sda";
const parse = (content: unknown) => parseModel(content, PATH);

async function refused(content: unknown) {
  const { code, details } = await sdaError(() => parse(content));
  return { code, ...details };
}

describe("top level", () => {
  it("reads a dict or an OrderedDict", () => {
    expect(parse(modelDict()).metadata.name).toBe("Test");
    const ordered = new OrderedDict();
    for (const [key, value] of modelDict()) ordered.set(key, value);
    expect(parse(ordered).latentDim).toBe(3);
  });

  it.each([
    ["a list", []],
    ["None", null],
    ["a dict without format", new Map()],
    ["another format", modelDict({ format: "other" })],
    ["a format that is no str", modelDict({ format: 1 })],
  ])("refuses %s as no model file", async (_, content) => {
    expect(await refused(content)).toMatchObject({ code: "ERR_SDA_FORMAT", path: PATH });
  });

  it.each([0, 1])("accepts version %d", (version) => {
    expect(parse(modelDict({ version })).latentDim).toBe(3);
  });

  it("counts a missing version as 0", () => {
    expect(parse(without(modelDict(), "version")).latentDim).toBe(3);
  });

  it.each([2, 1000, 10n ** 30n])("refuses version %s as newer", async (version) => {
    const error = await sdaError(() => parse(modelDict({ version })));
    expect(error.code).toBe("ERR_SDA_VERSION");
    expect(error.message).toContain("newer than supported");
  });

  it.each(["1", 1.5, null, true, -1])("refuses version %s as no version", async (version) => {
    expect(await refused(modelDict({ version }))).toEqual({
      code: "ERR_SDA_SCHEMA",
      path: PATH,
      field: "version",
    });
  });

  it("takes 64 for a missing latent_dim", () => {
    const content = without(modelDict({ latent_analysis: null }), "latent_dim");
    expect(parse(content).latentDim).toBe(64);
  });

  it.each([0, -3, 2.5, "3", true, null, 2 ** 60])("refuses latent_dim %s", async (value) => {
    expect(await refused(modelDict({ latent_dim: value }))).toMatchObject({
      code: "ERR_SDA_SCHEMA",
      field: "latent_dim",
    });
  });

  it("takes an int that came as bigint", () => {
    expect(parse(modelDict({ latent_dim: 3n })).latentDim).toBe(3);
  });

  it.each(["spectrogram_config", "metadata", "training_config"])(
    "refuses %s when it is no dict",
    async (field) => {
      for (const value of [null, [], 1, "x"]) {
        expect(await refused(modelDict({ [field]: value }))).toMatchObject({
          code: "ERR_SDA_SCHEMA",
          field,
        });
      }
    },
  );
});

describe("spectrogram_config", () => {
  const parseConfig = (config: Dict) => parse(modelDict({ spectrogram_config: config }));

  it("takes the defaults for missing keys", () => {
    expect(parseConfig(new Map()).spectrogramConfig).toEqual({
      sampleRate: 48000,
      nFft: 2048,
      hopLength: 512,
      nMels: 128,
      fMin: 0,
      fMax: null,
      power: 2,
    });
  });

  it("reads every key", () => {
    const config = dict({
      sample_rate: 16000,
      n_fft: 512,
      hop_length: 128,
      n_mels: 40,
      f_min: 20,
      f_max: 7000.5,
      power: 1,
    });
    expect(parseConfig(config).spectrogramConfig).toEqual({
      sampleRate: 16000,
      nFft: 512,
      hopLength: 128,
      nMels: 40,
      fMin: 20,
      fMax: 7000.5,
      power: 1,
    });
  });

  it("must be there", async () => {
    expect(await refused(without(modelDict(), "spectrogram_config"))).toMatchObject({
      code: "ERR_SDA_SCHEMA",
      field: "spectrogram_config",
    });
  });

  it("refuses an unknown key by its name", async () => {
    const error = await sdaError(() => parseConfig(dict({ n_mfcc: 13 })));
    expect(error.code).toBe("ERR_SDA_SCHEMA");
    expect(error.details).toEqual({ path: PATH, field: "spectrogram_config.n_mfcc" });
    expect(error.message).toContain("n_mfcc");
  });

  it.each([
    ["sample_rate", 0],
    ["sample_rate", 44100.5],
    ["sample_rate", 1e9],
    ["n_fft", 1],
    ["n_fft", 1023],
    ["n_fft", "1024"],
    ["hop_length", 0],
    ["hop_length", 4096],
    ["n_mels", null],
    ["n_mels", 2 ** 40],
    ["f_min", -1],
    ["f_min", 24000],
    ["f_min", Number.NaN],
    ["f_max", "high"],
    ["f_max", Number.POSITIVE_INFINITY],
    ["power", 0],
    ["power", Number.NaN],
    ["power", false],
  ])("refuses %s = %s", async (key, value) => {
    expect(await refused(modelDict({ spectrogram_config: dict({ [key]: value }) }))).toEqual({
      code: "ERR_SDA_SCHEMA",
      path: PATH,
      field: `spectrogram_config.${key}`,
    });
  });
});

describe("metadata", () => {
  const parseFields = (metadata: unknown) =>
    parseMetadata(new Fields(modelDict({ metadata }), PATH, ""));

  it("takes the defaults for missing fields", () => {
    const defaults = {
      modelId: "",
      name: "Untitled Model",
      description: "",
      datasetName: "",
      datasetFileCount: 0,
      datasetTotalDurationS: 0,
      trainingDate: "",
      saveDate: "",
      trainingEpochs: 0,
      finalTrainLoss: 0,
      finalValLoss: 0,
      tags: [],
      hasAnalysis: false,
      nActiveComponents: 0,
    };
    expect(parseFields(new Map())).toEqual(defaults);
    const bare = new Fields(without(modelDict(), "metadata"), PATH, "");
    expect(parseMetadata(bare)).toEqual(defaults);
    expect(Object.keys(parseFields(new Map()))).toEqual(Object.keys(defaults));
  });

  it("ignores fields of later versions", () => {
    expect(parseFields(dict({ name: "A", licence: "CC0" }))).not.toHaveProperty("licence");
  });

  it("keeps losses that are not finite", () => {
    const losses = dict({ final_train_loss: Number.NaN, final_val_loss: -Infinity });
    expect(parseFields(losses)).toMatchObject({
      finalTrainLoss: Number.NaN,
      finalValLoss: -Infinity,
    });
  });

  it.each([
    ["name", 5],
    ["description", null],
    ["model_id", []],
    ["save_date", 20260214],
    ["dataset_file_count", 1.5],
    ["dataset_file_count", true],
    ["dataset_total_duration_s", "32"],
    ["training_epochs", "3"],
    ["training_epochs", 2n ** 70n],
    ["final_train_loss", null],
    ["final_val_loss", false],
    ["tags", "drum"],
    ["tags", ["drum", 1]],
    ["has_analysis", 1],
    ["n_active_components", null],
  ])("refuses %s = %s", async (key, value) => {
    const { code, details } = await sdaError(() => parseFields(dict({ [key]: value })));
    expect(code).toBe("ERR_SDA_SCHEMA");
    expect(details).toEqual({ path: PATH, field: `metadata.${key}` });
  });
});

describe("training_config", () => {
  const parseConfig = (config: unknown) =>
    parse(modelDict({ training_config: config })).trainingConfig;

  it("keeps keys and values, shows an Enum member as its value, and dicts as objects", () => {
    const preset = new PyObject(
      "small_dataset_audio.training.config",
      "OverfittingPreset",
      ["conservative"],
      undefined,
    );
    const config = dict({
      learning_rate: 0.0005,
      preset,
      regularization: dict({ dropout: 0.4 }),
      schedule: [1, dict({ at: 2 })],
      nothing: null,
      by_epoch: new Map([[1, dict({ a: 1 })]]),
    });
    expect(parseConfig(config)).toEqual({
      learning_rate: 0.0005,
      preset: "conservative",
      regularization: { dropout: 0.4 },
      schedule: [1, { at: 2 }],
      nothing: null,
      by_epoch: new Map([[1, { a: 1 }]]),
    });
  });

  it("keeps a tuple a Tuple, and other objects as they are", () => {
    const pair = new Tuple();
    pair.push(1, 2);
    const other = new PyObject("small_dataset_audio.x", "Y", [], dict({ a: 1 }));
    const config = parseConfig(dict({ pair, other }));
    expect(config["pair"]).toBeInstanceOf(Tuple);
    expect(config["pair"]).toHaveLength(2);
    expect(config["other"]).toBe(other);
  });

  it("is {} when missing", () => {
    expect(parse(without(modelDict(), "training_config")).trainingConfig).toEqual({});
  });

  it("gives no way to a prototype", () => {
    const config = parseConfig(dict(JSON.parse('{"__proto__": 1}')));
    expect(Object.getPrototypeOf(config)).toBe(Object.prototype);
    const evil = new Map([["__proto__", dict({ polluted: true })]]);
    const seen = parseConfig(dict({ inner: evil }))["inner"] as object;
    expect(Object.getPrototypeOf(seen)).toBe(Object.prototype);
    expect("polluted" in seen).toBe(false);
    expect(Object.keys(seen)).toEqual(["__proto__"]);
  });

  it("follows values that contain themselves", () => {
    const loop = dict({ a: 1 });
    loop.set("self", loop);
    const config = parseConfig(loop);
    expect(config["self"]).toBe(config);
  });

  it("refuses keys that are no str", async () => {
    const content = modelDict({ training_config: new Map([[1, 2]]) });
    expect(await refused(content)).toMatchObject({
      code: "ERR_SDA_SCHEMA",
      field: "training_config",
    });
  });
});
