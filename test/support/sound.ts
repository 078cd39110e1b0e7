import { expect } from "vitest";

/** The largest difference, relative to the largest expected value. */
export function relativeDifference(actual: Float32Array, expected: Float32Array): number {
  expect(actual.length).toBe(expected.length);
  let difference = 0;
  let largest = 0;
  expected.forEach((value, i) => {
    // Written so that a NaN counts, too
    if (!(Math.abs((actual[i] as number) - value) <= difference)) {
      difference = Math.abs((actual[i] as number) - value);
    }
    largest = Math.max(largest, Math.abs(value));
  });
  return difference / largest;
}

/** The same sound, as the corpus defines it: correlation of at least 0.9999 and RMS within 0.1 %, same length. */
export function expectSameSound(actual: Float32Array, expected: Float32Array): void {
  expect(actual.length).toBe(expected.length);
  let [aa, bb, ab] = [0, 0, 0];
  expected.forEach((b, i) => {
    const a = actual[i] as number;
    aa += a * a;
    bb += b * b;
    ab += a * b;
  });
  expect(ab / Math.sqrt(aa * bb)).toBeGreaterThanOrEqual(0.9999);
  expect(Math.abs(Math.sqrt(aa / bb) - 1)).toBeLessThanOrEqual(0.001);
}
