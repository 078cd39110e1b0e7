/** The relations between the three kinds of loudness. See GenerateOptions. */
import { describe, expect, it } from "vitest";
import { count } from "../support/effort.js";
import { generated, models48k, ofModel } from "../support/engine.js";
import { engineBuilt } from "../support/native.js";
import { expectSameBits, peakOf } from "../support/sound.js";

/** -1 dBFS, in the engine's float32 */
const TARGET = Math.fround(0.891);
/** Frames that "running" holds back to lower the gain: 10 ms */
const HELD = 480;
/** The gain cannot be measured from smaller samples. */
const TELLING = 1e-3;

/** Sounds of each kind */
const WANTED = count({ quick: 1, full: 2 });

const spatials = [{ mode: "mono" }, { mode: "stereo" }, { mode: "dual_seed" }] as const;
const spatialOf = (seed: number) => spatials[seed % 3] as (typeof spatials)[number];

describe.skipIf(!engineBuilt).each(models48k)("of %s", (_, path) => {
  const model = ofModel(path);

  it.each(spatials)('"peak" is "none", scaled to 0.891 (%o)', async (spatial) => {
    const options = { durationS: 2, seed: 5, spatial };
    const none = await generated(model(), { ...options, loudness: "none" });
    const gain = Math.fround(TARGET / peakOf(none));
    expect(Math.abs(gain - 1)).toBeGreaterThan(0.01); // otherwise the test would show nothing
    const scaled = none.map((x) => x * gain);
    expectSameBits(await generated(model(), options), scaled);
    expect(peakOf(scaled)).toBeCloseTo(0.891, 6);
  });

  it("is computed before the rate is changed", async () => {
    const options = { durationS: 2, seed: 5 };
    const gain = TARGET / peakOf(await generated(model(), { ...options, loudness: "none" }));
    const none = await generated(model(), { ...options, loudness: "none", sampleRate: 44100 });
    const peak = await generated(model(), { ...options, sampleRate: 44100 });
    expect(peak.length).toBe(none.length);
    expect(peak.every((x, i) => Math.abs(x - (none[i] as number) * gain) < 1e-6)).toBe(true);
  });

  /**
   * `first` are the samples from which "running" computes its first gain. That gain applies to at
   * least the first `settled` of them.
   */
  async function generateSounds(seed: number) {
    const spatial = spatialOf(seed);
    const options = { durationS: 3, seed, spatial };
    const none = await generated(model(), { ...options, loudness: "none" });
    const running = await generated(model(), { ...options, loudness: "running" });
    const channels = spatial.mode === "mono" ? 1 : 2;
    const piece = (await model().stream(options).next()).value as Float32Array;
    const first = none.subarray(0, piece.length + HELD * channels);
    return { options, none, running, channels, first, settled: piece.length };
  }

  const made: ReturnType<typeof generateSounds>[] = [];
  /** Both tests of "running" use the same sounds. */
  const sounds = (seed: number) => (made[seed] ??= generateSounds(seed));

  it('"running" is "peak" when nothing is louder than the first piece', async () => {
    const found = { same: 0, others: 0 };
    for (let seed = 0; Math.min(found.same, found.others) < WANTED && seed < 60; seed++) {
      const { options, none, running, first } = await sounds(seed);
      const peak = await generated(model(), options);
      if (peakOf(first) === peakOf(none)) {
        expectSameBits(running, peak, `seed ${seed}`);
        found.same++;
      } else {
        expect(running[0]).not.toBe(peak[0]);
        found.others++;
      }
    }
    expect(Math.min(found.same, found.others)).toBe(WANTED);
  });

  it('"running" begins as loud as the first piece allows and only falls, never above 0.891', async () => {
    let fell = 0;
    for (let seed = 0; seed < 3 * WANTED || (fell < WANTED && seed < 60); seed++) {
      const { none, running, channels, first, settled } = await sounds(seed);
      expect(peakOf(running), `seed ${seed}`).toBeLessThanOrEqual(0.891 + 1e-6);
      let gain = Math.fround(TARGET / peakOf(first));
      const begin = none.subarray(0, settled).map((x) => x * gain);
      expectSameBits(running.subarray(0, settled), begin, `seed ${seed}`);
      let [rising, falling] = [0, 0];
      for (let i = settled; i < none.length; i++) {
        const x = none[i] as number;
        if (Math.abs(x) < TELLING) continue;
        const here = (running[i] as number) / x;
        if (here > gain * (1 + 1e-6)) rising++;
        if (here < gain * (1 - 1e-6)) falling++;
        gain = Math.min(gain, here);
      }
      expect(rising, `seed ${seed}`).toBe(0);
      // The gain falls in the last 10 ms of at most two pieces.
      expect(falling, `seed ${seed}`).toBeLessThanOrEqual(2 * HELD * channels);
      if (falling > 0) fell++;
    }
    expect(fell).toBeGreaterThanOrEqual(WANTED);
  });
});
