/**
 * Three places must agree: lib/audio/limits.ts, the checks in lib/audio/options.ts, and the
 * engine's table in native/engine/generation/generation_limits.h. The engine's own checks are
 * compared with its table in native/engine/test/generation_test.cc.
 */
import { describe, expect, it } from "vitest";
import { LIMITS } from "../../lib/audio/limits.js";
import { type GenerateOptions, resolveGenerateOptions } from "../../lib/audio/options.js";
import { seedOrRandom } from "../../lib/base/check.js";
import { engineAddon } from "../../lib/native/load-engine.js";
import { ANY_MODEL } from "../support/any-model.js";
import { sdaError } from "../support/errors.js";
import { engineBuilt } from "../support/native.js";

const model = { ...ANY_MODEL, latentDim: 3 };
const resolve = (options: object) => resolveGenerateOptions(options as GenerateOptions, model);
const stereo = (more: object) => ({ spatial: { mode: "stereo", ...more } });

describe.skipIf(!engineBuilt)("the engine", () => {
  it("has the limits of lib/audio/limits.ts", () => {
    expect(engineAddon().generationLimits()).toEqual(LIMITS);
  });
});

describe("options", () => {
  const { durationS, seed, stepsBetween, overlapSamples, width, depth } = LIMITS;
  const long = { durationS: durationS.max, concatMode: "latent_interpolation" };
  /** The most steps for the longest sound. */
  const steps = Math.floor((LIMITS.chunks.max - LIMITS.chunks.min) / (durationS.max - 1));

  it.each([
    { durationS: durationS.above + 1e-9 },
    { durationS: durationS.max },
    { seed: seed.min },
    { seed: seed.max },
    { stepsBetween: stepsBetween.min },
    { stepsBetween: stepsBetween.max },
    { overlapSamples: overlapSamples.min },
    { overlapSamples: overlapSamples.max },
    { ...long, stepsBetween: steps },
    stereo({ width: width.min }),
    stereo({ width: width.max }),
    stereo({ depth: depth.min }),
    stereo({ depth: depth.max }),
    ...LIMITS.sampleRates.map((sampleRate) => ({ sampleRate })),
    ...LIMITS.concatModes.map((concatMode) => ({ concatMode })),
    ...LIMITS.joints.map((joint) => ({ joint })),
    ...LIMITS.spatialModes.map((mode) => ({ spatial: { mode } })),
    ...LIMITS.loudnesses.map((loudness) => ({ loudness })),
  ])("%o is accepted", (options) => {
    expect(() => resolve(options)).not.toThrow();
  });

  it.each([
    ["durationS", { durationS: durationS.above }],
    ["durationS", { durationS: durationS.max + 1e-9 }],
    ["seed", { seed: seed.min - 1 }],
    ["seed", { seed: seed.max + 1 }],
    ["stepsBetween", { stepsBetween: stepsBetween.min - 1 }],
    ["stepsBetween", { stepsBetween: stepsBetween.max + 1 }],
    ["stepsBetween", { ...long, stepsBetween: steps + 1 }],
    ["overlapSamples", { overlapSamples: overlapSamples.min - 1 }],
    ["overlapSamples", { overlapSamples: overlapSamples.max + 1 }],
    ["spatial.width", stereo({ width: width.min - 1e-9 })],
    ["spatial.width", stereo({ width: width.max + 1e-9 })],
    ["spatial.depth", stereo({ depth: depth.min - 1e-9 })],
    ["spatial.depth", stereo({ depth: depth.max + 1e-9 })],
  ])("%s is refused in %o", async (option, options) => {
    const error = await sdaError(() => resolve(options));
    expect(error.code).toBe("ERR_SDA_ARGUMENT");
    expect(error.details?.["option"]).toBe(option);
  });

  it.each([
    ["sampleRate", { sampleRate: 1 }, LIMITS.sampleRates],
    ["concatMode", { concatMode: "?" }, LIMITS.concatModes],
    ["joint", { joint: "?" }, LIMITS.joints],
    ["spatial.mode", { spatial: { mode: "?" } }, LIMITS.spatialModes],
    ["loudness", { loudness: "?" }, LIMITS.loudnesses],
  ])("the refusal of another %s lists every choice", async (_, options, choices) => {
    const error = await sdaError(() => resolve(options));
    const listed = choices.map((choice) => JSON.stringify(choice)).join(", ");
    expect(error.message).toContain(`must be one of ${listed}, got `);
  });

  it("a drawn seed is in its range, and uses all of it", () => {
    const { min, max } = LIMITS.drawnSeed;
    const seeds = Array.from({ length: 200 }, () => seedOrRandom(undefined, LIMITS));
    expect(Math.min(...seeds)).toBeGreaterThanOrEqual(min);
    expect(Math.max(...seeds)).toBeLessThanOrEqual(max);
    // Each seed misses the upper half with probability 1/2: all 200 do so once in 2^200 runs.
    expect(Math.max(...seeds)).toBeGreaterThan(max / 2);
  });
});
