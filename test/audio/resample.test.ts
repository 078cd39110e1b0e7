import { describe, expect, it } from "vitest";
import { resample } from "../../lib/index.js";
import { sdaError } from "../support/errors.js";
import { engineBuilt } from "../support/native.js";

const sine = (hz: number, rate: number, samples: number) =>
  Float32Array.from({ length: samples }, (_, i) => Math.sin((2 * Math.PI * hz * i) / rate));

/** The largest difference, without the ends, where the filter reaches into silence. */
function distance(a: Float32Array, b: Float32Array, margin: number): number {
  expect(a.length).toBe(b.length);
  let largest = 0;
  for (let i = margin; i < a.length - margin; i++) {
    largest = Math.max(largest, Math.abs((a[i] as number) - (b[i] as number)));
  }
  return largest;
}

describe.skipIf(!engineBuilt)("resampling", () => {
  it.each([
    [44_100, 48_000],
    [48_000, 44_100],
    [8000, 48_000],
    [96_000, 44_100],
    [44_099, 48_000],
  ])("a sine of %i Hz is the same sine at %i Hz", async (from, to) => {
    const seconds = 0.25;
    const found = await resample(sine(440, from, Math.round(from * seconds)), from, to);
    const samples = Math.ceil((Math.round(from * seconds) * to) / from);
    // The passband is not quite flat. Neither is the one of torchaudio's defaults.
    expect(distance(found, sine(440, to, samples), Math.ceil(to / 500))).toBeLessThan(5e-3);
  });

  it("removes frequencies that the new rate cannot hold", async () => {
    const found = await resample(sine(15_000, 48_000, 48_000), 48_000, 16_000);
    expect(distance(found, new Float32Array(found.length), 100)).toBeLessThan(0.01);
  });

  it("rounds lengths up, keeps empty sounds empty, copies at the same rate", async () => {
    expect((await resample(new Float32Array(7), 3, 2)).length).toBe(5);
    expect((await resample(new Float32Array(0), 44_100, 48_000)).length).toBe(0);
    const sound = sine(100, 8000, 200_000); // more than one block
    const same = await resample(sound, 8000, 8000);
    expect(same).toEqual(sound);
    expect(same.buffer).not.toBe(sound.buffer);
  });

  it("takes a copy before it returns", async () => {
    const sound = sine(440, 44_100, 100_000);
    const expected = await resample(sound.slice(), 44_100, 48_000);
    const pending = resample(sound, 44_100, 48_000);
    sound.fill(0);
    expect(await pending).toEqual(expected);
  });

  it("refuses bad samples, bad rates and too large results", async () => {
    const silence = new Float32Array(10);
    const option = async (...args: unknown[]) => {
      const { code, details } = await sdaError(() =>
        resample(...(args as Parameters<typeof resample>)),
      );
      return [code, details?.["option"]];
    };
    expect(await option([0, 1], 1, 2)).toEqual(["ERR_SDA_ARGUMENT", "waveform"]);
    expect(await option(new Float64Array(2), 1, 2)).toEqual(["ERR_SDA_ARGUMENT", "waveform"]);
    const unknown = await option(silence, 48_000, 44_100, { singal: null });
    expect(unknown).toEqual(["ERR_SDA_ARGUMENT", "singal"]);
    for (const rate of [0, -1, 1.5, Number.NaN, 768_001, "48000", undefined]) {
      expect(await option(silence, rate, 48_000)).toEqual(["ERR_SDA_ARGUMENT", "fromRate"]);
      expect(await option(silence, 48_000, rate)).toEqual(["ERR_SDA_ARGUMENT", "toRate"]);
    }
    const { code } = await sdaError(() => resample(new Float32Array(10_000), 1, 768_000));
    expect(code).toBe("ERR_SDA_LIMIT");
  });

  it("stops", async () => {
    const reason = new Error("enough");
    const sound = new Float32Array(20_000_000);
    await expect(
      resample(sound, 44_100, 48_000, { signal: AbortSignal.abort(reason) }),
    ).rejects.toBe(reason);
    const controller = new AbortController();
    const pending = resample(sound, 44_100, 48_000, controller);
    controller.abort(reason);
    await expect(pending).rejects.toBe(reason);
  });
});
