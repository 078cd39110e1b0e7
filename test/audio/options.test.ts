import { describe, expect, it } from "vitest";
import { type GenerateOptions, resolveGenerateOptions } from "../../lib/audio/options.js";
import { parseModel } from "../../lib/format/schema.js";
import { ANY_MODEL } from "../support/any-model.js";
import { modelDict } from "../support/content.js";
import { sdaError } from "../support/errors.js";

const { latentDim, analysis } = parseModel(modelDict(), "test.sda");
const resolve = (options: unknown, withAnalysis = true) =>
  resolveGenerateOptions(options as GenerateOptions, {
    ...ANY_MODEL,
    latentDim,
    analysis: withAnalysis ? analysis : null,
  });

describe("defaults", () => {
  it("are one second, crossfaded, mono, 48 kHz", () => {
    expect(resolve({ seed: 1 })).toEqual({
      durationS: 1,
      seed: 1,
      concatMode: "crossfade",
      stepsBetween: 10,
      overlapSamples: 2400,
      joint: "python",
      loudness: "peak",
      spatialMode: "mono",
      width: 0,
      depth: 0,
      sampleRate: 48000,
      evolution: 0.5,
      vocoder: "auto",
      temperature: 1,
      topK: 0,
      topP: 0.9,
    });
  });

  it("of space and rate are those of the model's program", () => {
    const defaults = { sampleRate: 44100, width: 0.7, depth: 0.5 };
    const model = { ...ANY_MODEL, defaults, synthesis: "overlap-add" } as const;
    const spatial = { mode: "stereo" } as const;
    expect(resolveGenerateOptions({ spatial }, model)).toMatchObject({ ...defaults });
  });

  it("are only those that the model's program knows", async () => {
    const refused = async (options: GenerateOptions, facts: object) => {
      const model = { ...ANY_MODEL, ...facts };
      return (await sdaError(() => resolveGenerateOptions(options, model))).details?.["option"];
    };
    const codes = { synthesis: "codes" };
    for (const option of ["sliders", "latent", "concatMode", "stepsBetween", "spatial"] as const) {
      expect(await refused({ [option]: [1] } as never, codes)).toBe(option);
    }
    for (const option of ["temperature", "topK", "topP"] as const) {
      expect(await refused({ [option]: 1 }, {})).toBe(option);
      expect(await refused({ [option]: -1 }, codes)).toBe(option);
    }
    expect(await refused({ evolution: 0.5 }, {})).toBe("evolution");
    expect(await refused({ evolution: 1.1 }, { synthesis: "overlap-add" })).toBe("evolution");
    const complex = { synthesis: "overlap-add", isComplex: true };
    expect(await refused({ vocoder: "griffin_lim" }, complex)).toBe("vocoder");
    expect(await refused({ vocoder: "bigvgan" as never }, {})).toBe("vocoder");
    expect(await refused({ vocoder: {} as never }, {})).toBe("vocoder");
    const phases = { ...ANY_MODEL, ...complex } as never;
    expect(resolveGenerateOptions({ vocoder: "auto" }, phases).vocoder).toBe("auto");
    // Since the second Distill, these are accepted and ignored.
    const ignored = { stepsBetween: 1000, overlapSamples: 0, concatMode: "crossfade" } as const;
    const overlap = { ...ANY_MODEL, synthesis: "overlap-add" } as const;
    expect(resolveGenerateOptions({ durationS: 60, ...ignored }, overlap).durationS).toBe(60);
  });

  it("draw a seed, another one each time", () => {
    const seeds = Array.from({ length: 20 }, () => resolve({}).seed);
    expect(seeds.every((seed) => Number.isSafeInteger(seed) && seed >= 0)).toBe(true);
    expect(new Set(seeds).size).toBeGreaterThan(15);
  });

  it("are those of the spatial mode", () => {
    expect(resolve({ spatial: { mode: "dual_seed" } })).toMatchObject({
      spatialMode: "dual_seed",
      depth: 0.3,
    });
  });
});

describe("accepted", () => {
  it.each([
    { durationS: 60 },
    { durationS: 0.001 },
    { seed: 0 },
    { seed: Number.MAX_SAFE_INTEGER },
    { sampleRate: 44100 },
    { sampleRate: 96000 },
    { concatMode: "latent_interpolation", stepsBetween: 1, durationS: 60 },
    { overlapSamples: 0 },
    { spatial: { mode: "stereo", width: 1.5, depth: 1 } },
    { spatial: { mode: "mono", width: 0, depth: 0 } },
    { latent: new Float32Array(3) },
    { sliders: undefined, latent: undefined, signal: undefined },
  ])("%o", (options) => {
    const { spatial: _, ...plain } = options as GenerateOptions;
    const given = Object.entries(plain).filter(([, value]) => value !== undefined);
    expect(resolve(options)).toMatchObject(Object.fromEntries(given));
  });

  it("sliders, as their latent", () => {
    expect(resolve({ sliders: [2, -4] }).latent).toEqual(new Float32Array([1.5, -1, -0.25]));
  });
});

describe("refused", () => {
  it.each([
    ["durationS", { durationS: 0 }],
    ["durationS", { durationS: -1 }],
    ["durationS", { durationS: Number.NaN }],
    ["durationS", { durationS: 60.001 }],
    ["durationS", { durationS: Number.POSITIVE_INFINITY }],
    ["durationS", { durationS: "1" }],
    ["durationS", { durationS: null }],
    ["seed", { seed: -1 }],
    ["seed", { seed: 1.5 }],
    ["seed", { seed: 2 ** 53 }],
    ["seed", { seed: null }],
    ["concatMode", { concatMode: "overlap" }],
    ["stepsBetween", { stepsBetween: 0 }],
    ["stepsBetween", { stepsBetween: 2.5 }],
    ["stepsBetween", { stepsBetween: 100, durationS: 60, concatMode: "latent_interpolation" }],
    ["overlapSamples", { overlapSamples: -1 }],
    ["overlapSamples", { overlapSamples: 24001 }],
    ["joint", { joint: "linear" }],
    ["loudness", { loudness: "loud" }],
    ["sampleRate", { sampleRate: 22050 }],
    ["sampleRate", { sampleRate: "48000" }],
    ["spatial.mode", { spatial: { mode: "surround" } }],
    ["spatial.mode", { spatial: {} }],
    ["spatial", { spatial: "stereo" }],
    ["spatial.width", { spatial: { mode: "stereo", width: 1.6 } }],
    ["spatial.width", { spatial: { mode: "stereo", width: Number.NaN } }],
    ["spatial.depth", { spatial: { mode: "stereo", depth: -0.1 } }],
    ["sliders", { sliders: [1] }],
    ["sliders", { sliders: [1, 2, 3] }],
    ["sliders", { sliders: [11, 0] }],
    ["sliders", { sliders: [0.5, 0] }],
    ["sliders", { sliders: null }],
    ["sliders", { sliders: [0, 0], latent: new Float32Array(3) }],
    ["latent", { latent: new Float32Array(4) }],
    ["latent", { latent: [0, 0, 0] }],
    ["latent", { latent: new Float32Array([0, Number.NaN, 0]) }],
    ["latent", { latent: new Float32Array([0, 0, Number.NEGATIVE_INFINITY]) }],
    ["signal", { signal: {} }],
    ["onProgress", { onProgress: true }],
    ["options", null],
    ["options", 5],
  ])("%s in %o", async (option, options) => {
    const error = await sdaError(() => resolve(options));
    expect(error.code).toBe("ERR_SDA_ARGUMENT");
    expect(error.details?.["option"]).toBe(option);
  });

  it("sliders of a model without analysis", async () => {
    const error = await sdaError(() => resolve({ sliders: [0, 0] }, false));
    expect(error.code).toBe("ERR_SDA_ARGUMENT");
    expect(error.message).toContain("no analysis");
  });
});
