/** Joints: how chunks of one second are faded into each other. See GenerateOptions. */
import { describe, expect, it } from "vitest";
import { count } from "../support/effort.js";
import { generated, models48k, ofModel } from "../support/engine.js";
import { engineBuilt } from "../support/native.js";
import { peakOf } from "../support/sound.js";

const CHUNKS = count({ quick: 8, full: 20 });
/** Samples of a joint of 50 ms */
const OVERLAP = 2400;
/** How far the low-pass filter behind the joints spreads a change to either side */
const SMEARED = 500;

const hanning = (n: number) => 0.5 - 0.5 * Math.cos((2 * Math.PI * n) / (2 * OVERLAP - 1));
const angle = (i: number) => ((Math.PI / 2) * (i + 0.5)) / OVERLAP;
/** The factors of the old chunk and of the new one. */
const fades = {
  python: (i: number) => [hanning(i), hanning(OVERLAP + i)] as const,
  "equal-power": (i: number) => [Math.cos(angle(i)), Math.sin(angle(i))] as const,
};

describe.skipIf(!engineBuilt).each(models48k)("joints of %s", (_, path) => {
  const model = ofModel(path);
  const options = { durationS: CHUNKS, seed: 1, loudness: "none" } as const;

  const made = new Map<string, Promise<Float32Array>>();
  /** Both tests use the same sounds. */
  function joinedBy(joint: "python" | "equal-power"): Promise<Float32Array> {
    const sound = made.get(joint) ?? generated(model(), { ...options, joint });
    made.set(joint, sound);
    return sound;
  }

  it("are the only difference between the two kinds", async () => {
    const python = await joinedBy("python");
    const equalPower = await joinedBy("equal-power");
    expect(python).toHaveLength(equalPower.length);
    const between = (python.length - OVERLAP) / CHUNKS;
    let [beside, within] = [0, 0];
    python.forEach((x, i) => {
      const difference = Math.abs(x - (equalPower[i] as number));
      const [joint, at] = [Math.round(i / between), i % between];
      const first = joint === 0 || joint === CHUNKS;
      const inJoint = !first && at < OVERLAP;
      if (inJoint) within = Math.max(within, difference);
      const near = at < OVERLAP + SMEARED || at >= between - SMEARED;
      if (first || !near) beside = Math.max(beside, difference);
    });
    expect(beside / peakOf(python)).toBeLessThan(1e-6);
    expect(within / peakOf(python)).toBeGreaterThan(0.01);
  });

  it("are the two chunks, faded as defined; equal power does not dip", async () => {
    const chunks = await generated(model(), { ...options, overlapSamples: 0 });
    const chunk = chunks.length / CHUNKS;
    const energies = { python: 0, "equal-power": 0, wanted: 0 };
    for (const joint of ["python", "equal-power"] as const) {
      const joined = await joinedBy(joint);
      let error = 0;
      for (let k = 1; k < CHUNKS; k++) {
        for (let i = SMEARED; i < OVERLAP - SMEARED; i++) {
          const tail = chunks[k * chunk - OVERLAP + i] as number;
          const head = chunks[k * chunk + i] as number;
          const [old, fresh] = fades[joint](i);
          const x = joined[k * (chunk - OVERLAP) + i] as number;
          error = Math.max(error, Math.abs(x - (tail * old + head * fresh)));
          energies[joint] += x * x;
          if (joint === "equal-power") energies.wanted += (tail * old) ** 2 + (head * fresh) ** 2;
        }
      }
      expect(error / peakOf(chunks), joint).toBeLessThan(0.01);
    }
    expect(energies["equal-power"] / energies.wanted).toBeGreaterThan(0.85);
    expect(energies.python / energies.wanted).toBeLessThan(0.75);
  });
});
