import { afterEach, describe, expect, test, vi } from "vitest";
import { LIMITS } from "../../../lib/audio/limits.js";
import {
  comparedOf,
  comparing,
  DEFAULTS,
  generateBody,
  positionsOf,
  queryOf,
  type Settings,
  settingsOf,
} from "../../page/src/model/settings.js";

const settings: Settings = { ...DEFAULTS, seed: 42 };
const search = (text: string) => new URLSearchParams(text);

describe("an address", () => {
  test("restores all settings that it was made from", () => {
    const all: Settings = {
      seed: 2 ** 53 - 1,
      durationS: 12.5,
      mode: "latent_interpolation",
      spatial: "stereo",
      width: 1.25,
      depth: 0.1,
      sampleRate: 96000,
    };
    const address = search(queryOf("an id & more", [-10, 0, 3], all).toString());
    expect(address.get("model")).toBe("an id & more");
    expect(positionsOf(address, 3, 10)).toEqual([-10, 0, 3]);
    expect(settingsOf(address, 1, 60)).toEqual(all);
  });

  test("leaves out default values, except the seed", () => {
    expect(queryOf("m", [], settings).toString()).toBe("model=m&seed=42");
  });

  test("restores both slots and the active one", () => {
    const shown = queryOf("m", [1, 2], settings);
    const hidden = queryOf("m", [-3, 0], { ...settings, seed: 7, spatial: "stereo", width: 1 });
    for (const active of ["A", "B"] as const) {
      const address = search(comparing(shown, { active, other: hidden }).toString());
      expect(address.getAll("model")).toEqual(["m"]);
      expect(positionsOf(address, 2, 10)).toEqual([1, 2]);
      const { active: heard, other } = comparedOf(address);
      expect(heard).toBe(active);
      expect(positionsOf(other as URLSearchParams, 2, 10)).toEqual([-3, 0]);
      expect(settingsOf(other as URLSearchParams, 1, 60)).toMatchObject({ seed: 7, width: 1 });
    }
    expect(comparing(shown, { active: "A", other: null }).toString()).toBe(shown.toString());
    expect(comparedOf(shown)).toEqual({ active: "A", other: null });
    expect(comparedOf(search("slot=C&other=")).active).toBe("A");
  });

  test("has width and depth for stereo only", () => {
    const query = queryOf("m", [], { ...settings, spatial: "dual_seed", width: 1 });
    expect(query.has("width")).toBe(false);
  });

  test.each([
    ["seed=-1"],
    ["seed=1.5"],
    ["seed=9007199254740993"],
    ["seed=0x10"],
    ["seed="],
    ["seed=Infinity"],
  ])("with %s takes the fresh seed", (text) => {
    expect(settingsOf(search(text), 7, 60).seed).toBe(7);
  });

  test.each([
    ["duration=0"],
    ["duration=61"],
    ["duration=1e1"],
    ["mode=loud"],
    ["stereo=5.1"],
    ["width=9"],
    ["depth=-0.1"],
    ["rate=1"],
  ])("with %s takes the default", (text) => {
    expect(settingsOf(search(text), 42, 60)).toEqual(settings);
  });

  test("limits the duration to the server's maximum", () => {
    expect(settingsOf(search(""), 1, 2).durationS).toBe(2);
    expect(settingsOf(search("duration=3"), 1, 2).durationS).toBe(2);
  });

  test.each([
    ["sliders=1,2"],
    ["sliders=1,2,3,4"],
    ["sliders=1,2,11"],
    ["sliders=1,2,2.5"],
    ["sliders=1,2,"],
    ["sliders=a,b,c"],
    [""],
  ])("with %s has no positions for three sliders", (text) => {
    expect(positionsOf(search(text), 3, 10)).toBeNull();
  });

  test("has no minus zero", () => {
    expect(Object.is(positionsOf(search("sliders=-0"), 1, 10)?.[0], 0)).toBe(true);
  });
});

describe("the limits", () => {
  afterEach(() => {
    vi.doUnmock("../../../lib/audio/limits.js");
    vi.resetModules();
  });

  test("follow lib/audio/limits.ts", async () => {
    vi.resetModules();
    vi.doMock("../../../lib/audio/limits.js", () => ({
      LIMITS: {
        ...LIMITS,
        durationS: { above: 5, max: 90 },
        seed: { min: 3, max: 5 },
        width: { min: 0, max: 9 },
        depth: { min: 0.5, max: 2 },
        sampleRates: [8000],
        concatModes: ["cut"],
        spatialModes: ["quad"],
      },
    }));
    const changed = await import("../../page/src/model/settings.js");
    const address = "seed=4&duration=6&mode=cut&stereo=quad&width=8.5&depth=1.5&rate=8000";
    expect(changed.settingsOf(search(address), 1, 60)).toEqual({
      seed: 4,
      durationS: 6,
      mode: "cut",
      spatial: "quad",
      width: 8.5,
      depth: 1.5,
      sampleRate: 8000,
    });
    expect(changed.settingsOf(search("seed=6"), 1, 60).seed).toBe(1);
    expect(changed.settingsOf(search("duration=5"), 1, 60).durationS).toBe(4);
    expect(changed.parseSeed("2")).toBeNull();
    expect(settingsOf(search(address), 1, 60)).toEqual({ ...settings, seed: 4, durationS: 6 });
  });
});

describe("the request for a sound", () => {
  test("has the peak loudness and the positions", () => {
    expect(generateBody([1, -2], settings)).toEqual({
      sliders: [1, -2],
      seed: 42,
      durationS: 4,
      concatMode: "crossfade",
      spatial: { mode: "mono" },
      sampleRate: 48000,
      loudness: "peak",
    });
  });

  test("has no positions for a model without sliders", () => {
    expect(generateBody([], settings)).not.toHaveProperty("sliders");
  });

  test("has width and depth for stereo", () => {
    const { spatial } = generateBody([], { ...settings, spatial: "stereo", width: 1, depth: 0.2 });
    expect(spatial).toEqual({ mode: "stereo", width: 1, depth: 0.2 });
  });

  test("of a preview is shorter than the settings' duration", () => {
    expect(generateBody([], settings, 1).durationS).toBe(1);
  });
});
