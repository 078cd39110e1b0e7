/** The lengths of crossfaded sounds that options, help and guide name. */
import { expect, test } from "vitest";
import { loadModel } from "../../lib/index.js";
import { bundledModel } from "../process/run.js";
import { engineBuilt } from "../support/native.js";
import { readText } from "./tables.js";

const PLACES = [
  "doc/guide.md",
  "lib/audio/options.ts",
  "lib/cli/generate.ts",
  "server/src/schemas.ts",
];

test.skipIf(!engineBuilt)("are those that audioFormat tells", async () => {
  const model = await loadModel(bundledModel, { device: "cpu" });
  const lengths = [10, 60].map((durationS) => {
    const { frames, sampleRate } = model.audioFormat({ durationS });
    return (frames / sampleRate).toFixed(2);
  });
  const full = model.audioFormat({ durationS: 60, concatMode: "latent_interpolation" });
  model.dispose();
  for (const place of PLACES)
    for (const length of lengths) expect(readText(place), place).toContain(length);
  expect(full.frames / full.sampleRate).toBeCloseTo(60, 1);
});
