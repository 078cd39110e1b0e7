/** Values that once made `save` hang or crash, and buffers that change while it writes. */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { load, save, Tensor, Tuple } from "../../lib/torch/index.js";
import { collidingTexts } from "../support/bombs.js";
import { sdaError } from "../support/errors.js";
import { temporaryFolder } from "../support/folder.js";

/** Larger than what is copied at once, so that the write takes some time. */
const ELEMENTS = 16 << 20;

function large(): Tensor {
  return new Tensor("float32", [ELEMENTS], new Float32Array(ELEMENTS).fill(1.5));
}

// The limits of time are for hangs: each of these once took minutes, or never ended.
it("a dict key of tuples that hold the one before twice", { timeout: 300_000 }, async () => {
  const path = join(temporaryFolder(), "doubled.pt");
  let key: Tuple = Tuple.from([1, 2]);
  for (let depth = 0; depth < 60; depth++) key = Tuple.from([key, key]);
  await save(new Map([[key, "value"]]), path);
  const [[read]] = (await load(path)) as Map<Tuple, string> as unknown as [[Tuple]];
  expect(read[0]).toBe(read[1]);
  await save(new Set([key]), path);
});

it("a tuple as key that holds itself ends with an error", { timeout: 300_000 }, async () => {
  const key = new Tuple();
  key.push(key, key);
  const error = await sdaError(() => save(new Map([[key, 1]]), join(temporaryFolder(), "own.pt")));
  expect(["ERR_SDA_LIMIT", "ERR_SDA_ARGUMENT"]).toContain(error.code);
});

it("texts that were made to collide in a hash with a public seed", {
  timeout: 300_000,
}, async () => {
  const path = join(temporaryFolder(), "texts.pt");
  const texts = collidingTexts(250_000).map(String);
  await save(texts, path);
  expect(await load(path)).toEqual(texts);
});

it("an aborted signal ends the call before the value is looked at", async () => {
  const reason = new Error("enough");
  const path = join(temporaryFolder(), "aborted.pt");
  const signal = AbortSignal.abort(reason);
  await expect(save(() => {}, path, { signal })).rejects.toBe(reason);
  expect(existsSync(path)).toBe(false);
});

it("a large tensor of JavaScript's own memory is written piece by piece", async () => {
  const path = join(temporaryFolder(), "large.pt");
  const { data } = large();
  (data as Float32Array).forEach((_, i, all) => {
    all[i] = i;
  });
  const view = new Tensor("float32", [3], (data as Float32Array).subarray(5_000_000, 5_000_003));
  await save({ whole: new Tensor("float32", [ELEMENTS], data), view }, path);
  const read = (await load(path)) as Map<string, Tensor>;
  const [whole, part] = [read.get("whole") as Tensor, read.get("view") as Tensor];
  expect(bytesOf(whole).equals(bytesOf(new Tensor("float32", [ELEMENTS], data)))).toBe(true);
  expect([...(part.data as Float32Array)]).toEqual([5_000_000, 5_000_001, 5_000_002]);
  expect(part.data.buffer).toBe(whole.data.buffer);
});

function bytesOf({ data }: Tensor): Buffer {
  return Buffer.from(data.buffer, data.byteOffset, data.byteLength);
}

it("a buffer that is transferred meanwhile is an error, and the old file stays", async () => {
  const path = join(temporaryFolder(), "transferred.pt");
  writeFileSync(path, "old");
  const tensor = large();
  const saving = sdaError(() => save({ tensor }, path));
  structuredClone(tensor.data.buffer, { transfer: [tensor.data.buffer as ArrayBuffer] });
  const error = await saving;
  expect(error.code).toBe("ERR_SDA_ARGUMENT");
  expect(error.message).toContain("transferred");
  expect(readFileSync(path, "utf8")).toBe("old");
});

it("small arrays may change as soon as save has returned", async () => {
  const path = join(temporaryFolder(), "small.pt");
  const small = Float32Array.of(1, 2, 3);
  const bytes = Uint8Array.of(7, 8);
  const saving = save({ small: new Tensor("float32", [3], small), bytes }, path);
  small.fill(9);
  structuredClone(bytes.buffer, { transfer: [bytes.buffer] });
  await saving;
  const read = (await load(path)) as Map<string, Tensor | Uint8Array>;
  expect([...((read.get("small") as Tensor).data as Float32Array)]).toEqual([1, 2, 3]);
  expect(read.get("bytes")).toEqual(Uint8Array.of(7, 8));
});
