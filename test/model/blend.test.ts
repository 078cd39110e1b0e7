import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { blend, type LoadedModel, loadModel, unionSliders } from "../../lib/index.js";
import { expectSound, Golden, goldenFolders, optionsOf } from "../support/corpus-distill.js";
import { sdaError } from "../support/errors.js";
import { fixture } from "../support/fixtures.js";
import { engineBuilt } from "../support/native.js";
import { expectSameBits, relativeDifference } from "../support/sound.js";

const VALUES = goldenFolders.flatMap(([what, root]) =>
  ["blend", "blend_griffin_lim"].map((name) => ({ what, name, root })),
);

describe.each(VALUES)("golden/$name of $what", ({ name, root }) => {
  describe.skipIf(root === null || !engineBuilt)("plays", () => {
    const golden = new Golden(name, root);
    const { json } = golden;
    const models = new Map<string, LoadedModel>();
    beforeAll(async () => {
      for (const [key, path] of Object.entries(json.models))
        models.set(key, await loadModel(golden.file(path as string)));
    });
    afterAll(() => {
      for (const model of models.values()) model.dispose();
    });

    // biome-ignore lint/suspicious/noExplicitAny: the corpus's README describes the cases
    const cases = (json.cases as any[]).map((c) => [c.name, c] as const);
    it.for(cases)("%s", async ([, c]) => {
      const parts = c.models.map((key: string, i: number) => ({
        model: models.get(key) as LoadedModel,
        weight: (c.active?.[i] ?? true) ? c.weights[i] : 0,
      }));
      const active = parts.filter(({ weight }: { weight: number }) => weight > 0);
      const unions = unionSliders(active.map(({ model }: { model: LoadedModel }) => model));
      expect(
        unions.map(({ index, label, modelIndices, componentIndices }) => ({
          index,
          label,
          model_indices: modelIndices,
          component_indices: componentIndices,
        })),
      ).toEqual(
        // biome-ignore lint/suspicious/noExplicitAny: the corpus's README describes the sliders
        c.union_sliders.map(({ variance_pct: _, ...rest }: any) => rest),
      );
      c.union_sliders.forEach(({ variance_pct }: { variance_pct: number }, i: number) => {
        expect(unions[i]?.variancePct).toBeCloseTo(variance_pct, 5);
      });
      active.forEach(({ model }: { model: LoadedModel }, i: number) => {
        if (model.analysis === null || c.latents === undefined) return;
        const own = c.slider_positions.slice(0, model.analysis.nActiveComponents);
        while (own.length < model.analysis.nActiveComponents) own.push(0);
        const found = model.slidersToLatent(own);
        expect(relativeDifference(found, Float32Array.from(c.latents[i]))).toBeLessThan(1e-5);
      });

      // v1.1's blending took the vocoder of `voc` for every slot; main's took Griffin-Lim.
      const vocoder = name === "blend" ? (models.get("voc") as LoadedModel) : "griffin_lim";
      const sampleRate = c.config.sample_rate ?? c.defaults.sample_rate;
      const sound = await blend(parts, {
        ...optionsOf({ ...c.config, sample_rate: sampleRate }),
        sliders: c.slider_positions,
        domain: c.mode,
        vocoder,
      });
      const values = golden.values(c.file);
      const least = values.sensitivity
        ? Math.min(40, Math.max(12, values.sensitivity.snr_db - 25))
        : 80;
      expectSound(sound.audio, values, least);
      expect(sound.quality.rating).toBe(c.result.quality.rating);
      expect(sound.durationS).toBeCloseTo(c.result.duration_s, 9);
    });
  });
});

describe.skipIf(!engineBuilt)("blend", () => {
  let model: LoadedModel;
  beforeAll(async () => {
    model = await loadModel(fixture("models/tiny.sda"));
  });
  afterAll(() => model.dispose());
  const part = (weight?: number) => ({ model, ...(weight !== undefined && { weight }) });

  it("of one model is that model's sound", async () => {
    const sliders = model.sliders().map(() => 1);
    const alone = await model.generate({ durationS: 0.5, seed: 3, sliders });
    for (const domain of ["latent", "audio"] as const) {
      const parts = [part(0), part(7)];
      const sound = await blend(parts, { durationS: 0.5, seed: 3, sliders, domain });
      expectSameBits(sound.audio[0] as Float32Array, alone.audio[0] as Float32Array);
    }
  });

  it("adds up progress, and stops all sounds when one is stopped", async () => {
    const seen: [number, number][] = [];
    await blend([part(), part()], {
      durationS: 2,
      seed: 1,
      domain: "audio",
      onProgress: (done, total) => seen.push([done, total]),
    });
    expect(seen.at(-1)).toEqual([4, 4]);
    const stopping = blend([part(), part()], {
      durationS: 2,
      domain: "audio",
      onProgress: () => {
        throw new RangeError("enough");
      },
    });
    await expect(stopping).rejects.toThrow("enough");
    const signal = AbortSignal.abort("no");
    await expect(blend([part(), part()], { signal, domain: "audio" })).rejects.toBe("no");
  });

  it("refuses what it cannot blend", async () => {
    const refused = async (parts: unknown, options = {}) =>
      (await sdaError(() => blend(parts as never, options))).details?.["option"];
    expect(await refused([])).toBe("parts");
    expect(await refused([part(), part(), part(), part(), part()])).toBe("parts");
    expect(await refused([part(0), part(0)])).toBe("parts");
    expect(await refused([{}])).toBe("parts[0].model");
    expect(await refused([part(-1)])).toBe("parts[0].weight");
    expect(await refused([part(Number.NaN)])).toBe("parts[0].weight");
    expect(await refused([part()], { domain: "pixels" })).toBe("domain");
    expect(await refused([part()], { latent: new Float32Array(3) })).toBe("latent");
    expect(await refused([part()], { sliders: [99] })).toBe("sliders");
    expect((await sdaError(() => unionSliders([]))).details?.["option"]).toBe("models");
  });
});
