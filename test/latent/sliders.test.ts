import { describe, expect, it } from "vitest";
import { parseModel } from "../../lib/format/schema.js";
import {
  centerSliders,
  isInWarningZone,
  latentToSliders,
  randomizeSliders,
  sliderInfos,
  slidersToLatent,
} from "../../lib/latent/sliders.js";
import { load } from "../../lib/torch/index.js";
import { analysisDict, dict, floats, modelDict } from "../support/content.js";
import { corpus, corpusFile, golden } from "../support/corpus.js";
import { sdaError } from "../support/errors.js";

function parseAnalysis(analysis: unknown, latentDim = 3) {
  const content = modelDict({ latent_analysis: analysis, latent_dim: latentDim });
  const parsed = parseModel(content, "test.sda").analysis;
  if (parsed === null) throw new Error("no analysis");
  return parsed;
}

/** The analysis of a golden JSON, with the types of the model file. */
// biome-ignore lint/suspicious/noExplicitAny: as in golden()
function goldenAnalysis(name: string, expected: any, doubles: string[]) {
  const types = expected.analysis_dtypes as Record<string, "float32">;
  const arrays = Object.entries(types).map(([key, dtype]) => [
    key,
    floats(doubles.includes(key) ? "float64" : dtype, expected.analysis[key]),
  ]);
  const entries = {
    ...expected.analysis,
    ...Object.fromEntries(arrays),
    feature_correlations: dict(expected.analysis.feature_correlations),
  };
  return parseAnalysis(dict(entries), golden(name).latent_dim);
}

describe.skipIf(corpus === null).each([
  ["default", []],
  ["small", []],
  // small-numpy1.sda has the small model's values in these types
  ["small", ["safe_min", "step_size"]],
])("as the Python program computes for %s with float64 %j", (name, doubles) => {
  const expected = golden(name);
  const load = () => goldenAnalysis(name, expected, doubles);

  it("slider info", () => {
    const infos = sliderInfos(load()).map((s) => ({
      index: s.index,
      label: s.label,
      suggested_label: s.suggestedLabel,
      min_step: s.minStep,
      max_step: s.maxStep,
      safe_min_step: s.safeMinStep,
      safe_max_step: s.safeMaxStep,
      warning_min_step: s.warningMinStep,
      warning_max_step: s.warningMaxStep,
      variance_explained_pct: s.varianceExplainedPct,
    }));
    expect(infos).toEqual(expected.slider_info);
  });

  it("latents, bit for bit", () => {
    const analysis = load();
    expect(expected.slider_latents.length).toBeGreaterThan(0);
    for (const { positions, latent } of expected.slider_latents) {
      expect([...slidersToLatent(analysis, positions)]).toEqual(latent);
    }
  });

  it("random positions", () => {
    const analysis = load();
    expect(expected.randomize.length).toBeGreaterThan(0);
    for (const { positions, latent } of expected.slider_latents) {
      expect(latentToSliders(analysis, Float32Array.from(latent))).toEqual(positions);
    }
    for (const { seed, positions } of expected.randomize) {
      expect(randomizeSliders(analysis, seed)).toEqual(positions);
      expect(latentToSliders(analysis, slidersToLatent(analysis, positions))).toEqual(positions);
    }
  });

  it("warning zones", () => {
    const zones = sliderInfos(load()).map((slider) =>
      Array.from({ length: 21 }, (_, i) => isInWarningZone(i - 10, slider)),
    );
    expect(zones).toEqual(expected.warning_zone);
  });
});

describe.skipIf(corpus === null)("of the model files", () => {
  it.each([
    ["default", "default"],
    ["small", "small"],
    ["small-numpy1", "small"],
  ])("%s has the Python program's latents and random positions", async (file, name) => {
    const path = corpusFile("models", `${file}.sda`);
    const { analysis } = parseModel(await load(path, { weights: false }), path);
    if (analysis === null) throw new Error("no analysis");
    const expected = golden(name);
    for (const { positions, latent } of expected.slider_latents) {
      expect([...slidersToLatent(analysis, positions)]).toEqual(latent);
    }
    for (const { positions, latent } of expected.slider_latents) {
      expect(latentToSliders(analysis, Float32Array.from(latent))).toEqual(positions);
    }
    for (const { seed, positions } of expected.randomize) {
      expect(randomizeSliders(analysis, seed)).toEqual(positions);
      expect(latentToSliders(analysis, slidersToLatent(analysis, positions))).toEqual(positions);
    }
  });
});

describe("sliderInfos", () => {
  it("divides in the arrays' own precision", () => {
    // As float32, 0.3 / 0.1 is 3; as float64 it is 2.9999999999999996.
    const steps = (dtype: "float32" | "float64") =>
      sliderInfos(
        parseAnalysis(
          analysisDict({
            safe_max: floats(dtype, [0.3, 1]),
            step_size: floats(dtype, [0.1, 0.25]),
          }),
        ),
      )[0]?.safeMaxStep;
    expect(steps("float32")).toBe(3);
    expect(steps("float64")).toBe(2);
  });

  it("has only zeros for a step of 0, and never a negative zero", () => {
    const [first, second] = sliderInfos(
      parseAnalysis(
        analysisDict({
          step_size: floats("float32", [0, 4]),
          safe_min: floats("float32", [-2, -1]),
        }),
      ),
    );
    expect(first).toMatchObject({ safeMinStep: 0, safeMaxStep: 0, warningMinStep: 0 });
    expect(Object.is(second?.safeMinStep, 0)).toBe(true);
  });

  it("clamps to half of n_steps", () => {
    const infos = sliderInfos(parseAnalysis(analysisDict({ n_steps: 6 })));
    expect(infos[0]).toMatchObject({
      minStep: -3,
      maxStep: 3,
      safeMinStep: -3,
      warningMaxStep: 3,
    });
  });

  it("names sliders without a label by their number", () => {
    const infos = sliderInfos(
      parseAnalysis(analysisDict({ component_labels: ["bright"], suggested_labels: [] })),
    );
    expect(infos.map((s) => [s.label, s.suggestedLabel])).toEqual([
      ["bright", ""],
      ["Axis 2", ""],
    ]);
  });
});

describe("slidersToLatent", () => {
  const analysis = () => parseAnalysis(analysisDict());

  it("adds each slider's distance along its axis to the mean", () => {
    expect([...slidersToLatent(analysis(), [2, -4])]).toEqual([1.5, -1, -0.25]);
  });

  it("is the mean if all sliders are in the middle", () => {
    expect(centerSliders(analysis())).toEqual([0, 0]);
    expect([...slidersToLatent(analysis(), centerSliders(analysis()))]).toEqual([0.5, -0.5, 0]);
  });

  it.each([
    ["too few", [1]],
    ["too many", [1, 2, 3]],
    ["beyond the end", [11, 0]],
    ["beyond the other end", [0, -11]],
    ["between steps", [0.5, 0]],
    ["not a number", [Number.NaN, 0]],
    ["a hole", new Array(2)],
    ["text", ["1", 0]],
    ["no array", null],
  ])("refuses positions: %s", async (_, positions) => {
    const error = await sdaError(() => slidersToLatent(analysis(), positions as number[]));
    expect(error.code).toBe("ERR_SDA_ARGUMENT");
    expect(error.details?.["option"]).toBe("sliders");
  });
});

describe("latentToSliders", () => {
  const analysis = () => parseAnalysis(analysisDict());
  const nearest = (of: ReturnType<typeof analysis>, ...latent: number[]) =>
    latentToSliders(of, Float32Array.from(latent));

  it("inverts slidersToLatent, for every position", () => {
    for (let first = -10; first <= 10; first++) {
      for (let second = -10; second <= 10; second++) {
        const latent = slidersToLatent(analysis(), [first, second]);
        expect(latentToSliders(analysis(), latent)).toEqual([first, second]);
      }
    }
  });

  it("takes the nearest, in the sliders' plane and on their grid, without negative zeros", () => {
    expect(nearest(analysis(), 0.5, -0.5, 0)).toEqual([0, 0]);
    expect(nearest(analysis(), 0.7, -0.5, 0)).toEqual([0, 0]);
    expect(nearest(analysis(), 0.8, -0.5, 0)).toEqual([1, 0]);
    // [0, 1, -2] is perpendicular to both axes.
    expect(nearest(analysis(), 1.5, -1 + 5, -0.25 - 10)).toEqual([2, -4]);
  });

  it("stops at the sliders' ends", () => {
    expect(nearest(analysis(), 1000, -1000, 0)).toEqual([10, -10]);
    const narrow = parseAnalysis(analysisDict({ n_steps: 5 }));
    expect(nearest(narrow, 1000, -1000, 0)).toEqual([2, -2]);
  });

  it("gives the least squares solution if axes are not perpendicular", () => {
    const components = floats("float64", [
      [1, 0, 0],
      [0.8, 0.6, 0],
    ]);
    const askew = parseAnalysis(analysisDict({ pca_components: components }));
    for (const positions of [
      [3, -7],
      [10, 10],
      [-4, 9],
    ]) {
      const latent = slidersToLatent(askew, positions);
      latent[2] = 5; // away from their plane
      expect(latentToSliders(askew, latent)).toEqual(positions);
    }
  });

  it("leaves a slider in the middle if its step or its axis is zero", () => {
    const still = parseAnalysis(analysisDict({ step_size: floats("float32", [0, 0.25]) }));
    expect(nearest(still, 9, -1, -0.25)).toEqual([0, -4]);
    const zeros = floats("float32", [
      [0, 0, 0],
      [0, 0, 0],
    ]);
    const nowhere = parseAnalysis(analysisDict({ pca_components: zeros }));
    expect(nearest(nowhere, 9, 9, 9)).toEqual([0, 0]);
  });

  it.each([
    ["too few", new Float32Array(2)],
    ["too many", new Float32Array(4)],
    ["plain numbers", [0, 0, 0]],
    ["not a number", Float32Array.of(0, Number.NaN, 0)],
    ["infinity", Float32Array.of(0, Infinity, 0)],
    ["nothing", undefined],
  ])("refuses latents: %s", async (_, latent) => {
    const error = await sdaError(() => latentToSliders(analysis(), latent as Float32Array));
    expect(error.code).toBe("ERR_SDA_ARGUMENT");
    expect(error.details?.["option"]).toBe("latent");
  });
});

describe("randomizeSliders", () => {
  it("stays within the safe range", () => {
    const analysis = parseAnalysis(analysisDict());
    for (let i = 0; i < 200; i++) {
      const [first, second] = randomizeSliders(analysis) as [number, number];
      expect(Math.abs(first)).toBeLessThanOrEqual(4);
      expect(Math.abs(second)).toBeLessThanOrEqual(4);
    }
  });

  it("leaves a slider in the middle if its safe range holds no step", () => {
    const analysis = parseAnalysis(
      analysisDict({
        safe_min: floats("float32", [0.1, -1]),
        safe_max: floats("float32", [0.2, 1]),
      }),
    );
    expect(randomizeSliders(analysis, 1)[0]).toBe(0);
  });

  it.each([-1, 0.5, Number.NaN, 2 ** 53, "1"])("refuses the seed %s", async (seed) => {
    const analysis = parseAnalysis(analysisDict());
    const error = await sdaError(() => randomizeSliders(analysis, seed as number));
    expect(error.code).toBe("ERR_SDA_ARGUMENT");
    expect(error.details?.["option"]).toBe("seed");
  });
});
