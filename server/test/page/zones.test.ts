import { describe, expect, test } from "vitest";
import { loadModel, randomizeSliders, type SliderInfo } from "../../../lib/index.js";
import { Pcg64 } from "../../../lib/latent/pcg64.js";
import { randomPositions } from "../../../lib/latent/positions.js";
import { bundledModel } from "../../../test/process/run.js";
import { stretches, valueText, zoneOf } from "../../page/src/model/zones.js";

const slider: SliderInfo = {
  index: 0,
  label: "Brightness",
  suggestedLabel: "",
  minStep: -10,
  maxStep: 10,
  safeMinStep: -4,
  safeMaxStep: 5,
  warningMinStep: -7,
  warningMaxStep: 8,
  varianceExplainedPct: 50,
};

test.each([
  [-10, "beyond"],
  [-8, "beyond"],
  [-7, "warning"],
  [-5, "warning"],
  [-4, "safe"],
  [0, "safe"],
  [5, "safe"],
  [6, "warning"],
  [8, "warning"],
  [9, "beyond"],
] as const)("position %i is %s", (position, zone) => {
  expect(zoneOf(position, slider)).toBe(zone);
});

test("a position is spoken with its sign and zone", () => {
  expect(valueText(-3, slider)).toBe("minus 3, like the training sounds");
  expect(valueText(7, slider)).toBe("plus 7, unusual");
  expect(valueText(0, slider)).toBe("0, like the training sounds");
  expect(valueText(10, slider)).toBe("plus 10, outside the training sounds");
});

describe("the drawn zones", () => {
  test("reach half a step past their last positions", () => {
    const { safe, warning } = stretches(slider);
    expect(safe).toEqual({ start: 5.5 / 20, end: 15.5 / 20 });
    expect(warning).toEqual({ start: 2.5 / 20, end: 18.5 / 20 });
  });

  test("stay on the track", () => {
    const { safe } = stretches({ ...slider, safeMinStep: -10, safeMaxStep: 10 });
    expect(safe).toEqual({ start: 0, end: 1 });
  });

  test("the warning part contains the safe part, even if the file states otherwise", () => {
    const { safe, warning } = stretches({ ...slider, warningMinStep: 0, warningMaxStep: 0 });
    expect(warning).toEqual(safe);
  });

  test("an empty safe range has no length", () => {
    const { safe } = stretches({ ...slider, safeMinStep: 3, safeMaxStep: -3 });
    expect(safe.start).toBe(safe.end);
  });

  test("a slider with a single position causes no division by zero", () => {
    const one = { ...slider, minStep: 0, maxStep: 0, safeMinStep: 0, safeMaxStep: 0 };
    expect(stretches(one).safe).toEqual({ start: 0, end: 0 });
  });
});

test.each([0, 42, 2 ** 32, 2 ** 53 - 1])(
  "random positions of seed %i are the library's",
  async (seed) => {
    using model = await loadModel(bundledModel);
    if (model.analysis === null) throw new Error("the bundled model has sliders");
    expect(randomPositions(model.sliders(), new Pcg64(seed))).toEqual(
      randomizeSliders(model.analysis, seed),
    );
  },
);
