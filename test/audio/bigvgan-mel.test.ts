import { describe, expect, it } from "vitest";
import { bigvganMel, Tensor } from "../../lib/index.js";
import { difference, distill, Golden } from "../support/corpus-distill.js";
import { sdaError } from "../support/errors.js";

describe.skipIf(distill === null)("golden/gan", () => {
  it("has BigVGAN's mel of a decoded mel", () => {
    const golden = new Golden("gan", distill);
    const { floats } = golden.values("decode_mel.f32");
    const mel = new Tensor("float32", [1, 1, 128, 94], floats.slice(0, 128 * 94));
    const expected = golden.values("bigvgan_mel.f32");
    const found = bigvganMel(mel);
    expect(found.shape).toEqual([1, ...expected.shape]);
    expect(difference(found.data as Float32Array, expected.floats)).toBeLessThan(1e-4);
  });
});

it("refuses other tensors", async () => {
  const refused = async (mel: unknown) =>
    (await sdaError(() => bigvganMel(mel as Tensor))).details?.["option"];
  const of = (shape: number[], value = 0) => {
    const length = shape.reduce((a, b) => a * b, 1);
    return new Tensor("float32", shape, new Float32Array(length).fill(value));
  };
  expect(await refused(undefined)).toBe("mel");
  expect(await refused(of([1, 1, 64, 9]))).toBe("mel");
  expect(await refused(of([128, 9]))).toBe("mel");
  expect(await refused(of([1, 1, 128, 0]))).toBe("mel");
  expect(await refused(of([1, 1, 128, 9], Number.NaN))).toBe("mel");
  expect(bigvganMel(of([1, 1, 128, 1], 0.5)).shape).toEqual([1, 128, 1]);
});
