import { describe, expect, it } from "vitest";
import { parseModel } from "../../lib/format/schema.js";
import { Tensor } from "../../lib/values/values.js";
import { analysisDict, type Dict, dict, floats, modelDict, without } from "../support/content.js";
import { sdaError } from "../support/errors.js";

const PATH = "/models/test.sda";
const parse = (analysis: unknown) =>
  parseModel(modelDict({ latent_analysis: analysis }), PATH).analysis;

const ARRAYS = [
  "pca_components",
  "pca_mean",
  "explained_variance_ratio",
  "safe_min",
  "safe_max",
  "warning_min",
  "warning_max",
  "step_size",
];

async function refused(analysis: Dict) {
  const { code, details } = await sdaError(() => parse(analysis));
  return { code, ...details };
}

describe("latent_analysis", () => {
  it("is null for None and when missing", () => {
    expect(parse(null)).toBeNull();
    expect(parseModel(without(modelDict(), "latent_analysis"), PATH).analysis).toBeNull();
  });

  it("keeps arrays in the file's type", () => {
    const analysis = parse(analysisDict({ step_size: floats("float64", [0.5, 0.25]) }));
    expect(analysis?.stepSize.dtype).toBe("float64");
    expect(analysis?.pcaComponents.dtype).toBe("float32");
    expect(analysis?.pcaComponents.shape).toEqual([2, 3]);
    expect(analysis?.featureCorrelations).toEqual({ rms_energy: [0.5, -1] });
  });

  it("takes plain lists as float64", () => {
    const lists = {
      pca_components: [
        [1, 0, 0],
        [0, 0.5, 0.25],
      ],
      step_size: [1, 0.25],
    };
    const analysis = parse(analysisDict(lists));
    expect(analysis?.pcaComponents).toBeInstanceOf(Tensor);
    expect(analysis?.pcaComponents).toMatchObject({ dtype: "float64", shape: [2, 3] });
    expect(analysis?.pcaComponents.data).toEqual(new Float64Array([1, 0, 0, 0, 0.5, 0.25]));
    expect(analysis?.stepSize).toMatchObject({ dtype: "float64", shape: [2] });
  });

  it("takes the defaults of old files", () => {
    const old = without(
      analysisDict(),
      "component_labels",
      "suggested_labels",
      "n_steps",
      "feature_correlations",
      "latent_dim",
    );
    expect(parse(old)).toMatchObject({
      componentLabels: [],
      suggestedLabels: [],
      nSteps: 21,
      featureCorrelations: {},
      latentDim: 3,
    });
  });

  it("accepts a variance ratio that is not a number, and correlations that are not", () => {
    const analysis = parse(
      analysisDict({
        explained_variance_ratio: floats("float32", [Number.NaN, 0]),
        feature_correlations: dict({ rms_energy: [Number.NaN, 1] }),
      }),
    );
    expect(analysis?.explainedVarianceRatio.data[0]).toBeNaN();
    expect(analysis?.featureCorrelations["rms_energy"]).toEqual([Number.NaN, 1]);
  });

  it("refuses a newer version", async () => {
    expect(await refused(analysisDict({ version: 2 }))).toMatchObject({
      code: "ERR_SDA_VERSION",
      path: PATH,
      field: "latent_analysis.version",
    });
  });

  it.each([...ARRAYS, "n_active_components"])("refuses an analysis without %s", async (key) => {
    expect(await refused(without(analysisDict(), key))).toEqual({
      code: "ERR_SDA_SCHEMA",
      path: PATH,
      field: `latent_analysis.${key}`,
    });
  });

  it.each(ARRAYS)("refuses another shape of %s", async (key) => {
    const longer = floats("float32", [1, 2, 3, 4]);
    expect(await refused(analysisDict({ [key]: longer }))).toMatchObject({
      code: "ERR_SDA_SCHEMA",
      field: `latent_analysis.${key}`,
    });
  });

  it.each([
    [
      "pca_components",
      floats("float32", [
        [1, 2],
        [3, 4],
      ]),
    ],
    [
      "pca_components",
      [
        [1, 0, 0],
        [0, 1],
      ],
    ],
    ["pca_components", []],
    ["pca_components", new Tensor("float32", [0, 3], new Float32Array(0))],
    ["pca_mean", [0, "1", 0]],
    ["pca_mean", "zero"],
    ["pca_mean", floats("float32", [0, Number.NaN, 0])],
    ["step_size", floats("float64", [1, Number.POSITIVE_INFINITY])],
    ["step_size", new Tensor("int64", [2], new BigInt64Array(2))],
    ["component_labels", ["a", "b", "c"]],
    ["component_labels", [1]],
    ["suggested_labels", null],
    ["n_active_components", 3],
    ["n_active_components", -1],
    ["n_active_components", 1.5],
    ["n_steps", 0],
    ["n_steps", 21.5],
    ["n_steps", 2 ** 40],
    ["feature_correlations", []],
    ["latent_dim", 4],
    ["version", "1"],
  ])("refuses %s = %o", async (key, value) => {
    expect(await refused(analysisDict({ [key]: value }))).toMatchObject({
      code: "ERR_SDA_SCHEMA",
      field: `latent_analysis.${key}`,
    });
  });

  it("names the correlation that is wrong", async () => {
    const analysis = analysisDict({ feature_correlations: dict({ rms_energy: ["high"] }) });
    expect(await refused(analysis)).toMatchObject({
      code: "ERR_SDA_SCHEMA",
      field: "latent_analysis.feature_correlations.rms_energy",
    });
  });

  it("must fit the model's latent dimension", async () => {
    const content = modelDict({ latent_dim: 4 });
    const error = await sdaError(() => parseModel(content, PATH));
    expect(error.details?.["field"]).toBe("latent_analysis.pca_components");
  });
});
