import { expect } from "vitest";

/** The largest difference, relative to the largest expected value. */
export function relativeDifference(actual: Float32Array, expected: Float32Array): number {
  expect(actual.length).toBe(expected.length);
  let difference = 0;
  let largest = 0;
  expected.forEach((value, i) => {
    // This form of the comparison also finds NaN
    if (!(Math.abs((actual[i] as number) - value) <= difference)) {
      difference = Math.abs((actual[i] as number) - value);
    }
    largest = Math.max(largest, Math.abs(value));
  });
  return difference / largest;
}

/** The correlation and the RMS ratio of two sounds of the same length. */
export function likeness(actual: Float32Array, expected: Float32Array) {
  expect(actual.length).toBe(expected.length);
  let [aa, bb, ab] = [0, 0, 0];
  expected.forEach((b, i) => {
    const a = actual[i] as number;
    aa += a * a;
    bb += b * b;
    ab += a * b;
  });
  return { correlation: ab / Math.sqrt(aa * bb), rmsRatio: Math.sqrt(aa / bb) };
}

/** Same length, correlation of at least 0.9999, and RMS within 0.1 %: as the corpus defines it. */
export function expectSameSound(actual: Float32Array, expected: Float32Array): void {
  const { correlation, rmsRatio } = likeness(actual, expected);
  expect(correlation).toBeGreaterThanOrEqual(0.9999);
  expect(Math.abs(rmsRatio - 1)).toBeLessThanOrEqual(0.001);
}

/** Compares samples bit for bit, NaN and the sign of zero included. */
export function expectSameBits(actual: Float32Array, expected: Float32Array, what = ""): void {
  expect(actual.length, what).toBe(expected.length);
  const bytes = ({ buffer, byteOffset, byteLength }: Float32Array) =>
    Buffer.from(buffer, byteOffset, byteLength);
  if (bytes(actual).equals(bytes(expected))) return;
  const at = actual.findIndex((value, i) => !Object.is(value, expected[i]));
  expect.fail(`${what}: sample ${at} is ${actual[at]}, expected ${expected[at]}`);
}

/** Interleaves the channels. */
export function interleave(audio: Float32Array[]): Float32Array {
  const samples = new Float32Array(audio.length * (audio[0]?.length ?? 0));
  audio.forEach((channel, c) => {
    channel.forEach((value, i) => {
      samples[i * audio.length + c] = value;
    });
  });
  return samples;
}

/** All pieces of a stream in one array. */
export async function collect(pieces: AsyncIterable<Float32Array>): Promise<Float32Array> {
  const all: Float32Array[] = [];
  for await (const piece of pieces) all.push(piece);
  const samples = new Float32Array(all.reduce((length, piece) => length + piece.length, 0));
  let at = 0;
  for (const piece of all) {
    samples.set(piece, at);
    at += piece.length;
  }
  return samples;
}

export function peakOf(samples: Float32Array): number {
  return samples.reduce((peak, value) => Math.max(peak, Math.abs(value)), 0);
}
