import { describe, expect, test } from "vitest";
import { load, save, Tensor } from "../../lib/torch/index.js";
import { sdaError } from "../support/errors.js";
import { temporaryFolder } from "../support/folder.js";
import { int, pickle, storage, tensor, tuple } from "../support/pickle-builder.js";
import { fileOf } from "../support/torch-file.js";
import { torchZip } from "../support/zip-builder.js";

const ints = (...sizes: number[]) => tuple(...sizes.map((size) => int(size)));

/** A tensor on a storage of the floats 0, 1, 2, … */
async function strided(shape: number[], strides: number[], offset = 0, count = 24) {
  const code = pickle(
    tensor({
      storage: storage(count),
      offset: int(offset),
      shape: ints(...shape),
      stride: ints(...strides),
    }),
  );
  const floats = Float32Array.from({ length: count }, (_, i) => i);
  const file = fileOf(torchZip(code, { "0": Buffer.from(floats.buffer) }).bytes);
  return (await load(file)) as Tensor;
}

describe("the elements of a tensor that is not row-major", () => {
  test.each<[string, number[], number[], number, number[]]>([
    ["transposed", [3, 2], [1, 3], 0, [0, 3, 1, 4, 2, 5]],
    ["a column", [2, 1], [3, 1], 2, [2, 5]],
    ["every other", [3], [2], 1, [1, 3, 5]],
    ["expanded", [2, 3], [0, 0], 7, [7, 7, 7, 7, 7, 7]],
    ["expanded rows", [2, 2], [0, 1], 4, [4, 5, 4, 5]],
    ["overlapping windows", [3, 2], [1, 1], 0, [0, 1, 1, 2, 2, 3]],
    ["turned dimensions", [2, 2, 2], [1, 4, 2], 1, [1, 3, 5, 7, 2, 4, 6, 8]],
    ["with dimensions of one", [1, 2, 1, 2, 1], [9, 1, 5, 2, 3], 0, [0, 2, 1, 3]],
  ])("%s", async (_, shape, strides, offset, elements) => {
    const found = await strided(shape, strides, offset);
    expect([...(found.data as Float32Array)]).toEqual(elements);
    expect(found.data).toBe(found.data);
    expect(found).toEqual(new Tensor("float32", shape, Float32Array.from(elements)));
  });

  test("are made when they are first read, and kept", async () => {
    const found = await strided([2 ** 20, 2 ** 20], [0, 0]);
    expect(found.shape).toEqual([2 ** 20, 2 ** 20]);
    expect(Object.getOwnPropertyDescriptor(found, "data")?.get).toBeTypeOf("function");
    const error = await sdaError(async () => found.data);
    expect(error).toMatchObject({ code: "ERR_SDA_LIMIT", details: { bytes: 2 ** 42 } });
    const small = await strided([3, 2], [1, 3]);
    const { data } = small;
    data[0] = 9;
    expect(small.data[0]).toBe(9);
  });

  test("follow no later change of the shape", async () => {
    const found = await strided([3, 2], [1, 3]);
    found.shape.push(100);
    expect(found.data.length).toBe(6);
  });

  test("are saved as they are", async () => {
    const path = `${temporaryFolder()}/again.pt`;
    await save(await strided([3, 2], [1, 3]), path);
    expect(await load(path)).toEqual(await strided([3, 2], [1, 3]));
  });
});
