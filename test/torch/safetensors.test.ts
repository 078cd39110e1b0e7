import { chmodSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import {
  type DType,
  load,
  loadSafetensors,
  save,
  saveSafetensors,
  stateDict,
  Tensor,
} from "../../lib/torch/index.js";
import { arrayFor, bytesPerElement } from "../../lib/values/tensor-data.js";
import { sdaError } from "../support/errors.js";
import { fixture } from "../support/fixtures.js";
import { temporaryFolder } from "../support/folder.js";
import { runTorchPython, torchPython } from "../support/python.js";

const DTYPES: DType[] = [
  ...(["bool", "uint8", "int8", "int16", "uint16", "float16", "bfloat16", "int32"] as const),
  ...(["uint32", "float32", "float64", "int64", "uint64", "complex64"] as const),
  ...(["float8_e5m2", "float8_e4m3fn", "float8_e8m0fnu"] as const),
];

/** A tensor of 2 × 3 elements with small bytes. */
function tensorOf(dtype: DType): Tensor {
  const bytes = new Uint8Array(6 * bytesPerElement(dtype));
  bytes.forEach((_, i) => {
    bytes[i] = dtype === "bool" ? i % 2 : (i * 7) % 60;
  });
  return new Tensor(dtype, [2, 3], arrayFor(dtype, bytes.buffer));
}

const all = () => new Map(DTYPES.map((dtype) => [`of ${dtype}`, tensorOf(dtype)]));

function written(header: unknown, data: Uint8Array = Buffer.alloc(0), length?: number): string {
  const text = Buffer.from(typeof header === "string" ? header : JSON.stringify(header));
  const size = Buffer.alloc(8);
  size.writeBigUInt64LE(BigInt(length ?? text.length));
  const path = join(temporaryFolder(), "a.safetensors");
  writeFileSync(path, Buffer.concat([size, text, data]));
  return path;
}

describe("safetensors", () => {
  test("every dtype comes back, aligned and in the format's order", async () => {
    const path = join(temporaryFolder(), "a.safetensors");
    const metadata = { format: "pt", name: "ü\n" };
    await saveSafetensors(all(), path, { metadata });
    const found = await loadSafetensors(path);
    expect(found.metadata).toEqual(metadata);
    expect([...found.keys()].sort()).toEqual([...all().keys()].sort());
    for (const [name, tensor] of all()) expect(found.get(name), name).toEqual(tensor);
    const bytes = readFileSync(path);
    const length = Number(bytes.readBigUInt64LE());
    expect(length % 8).toBe(0);
    const header = JSON.parse(bytes.toString("utf8", 8, 8 + length));
    for (const [name, entry] of Object.entries(header)) {
      if (name === "__metadata__") continue;
      const { data_offsets: offsets } = entry as { data_offsets: number[] };
      const tensor = found.get(name) as Tensor;
      expect((offsets[0] as number) % tensor.data.BYTES_PER_ELEMENT, name).toBe(0);
    }
  });

  test("scalars, empty tensors, shared memory, odd names, plain objects, nothing", async () => {
    const path = join(temporaryFolder(), "a.safetensors");
    const data = Float32Array.of(1, 2);
    const odd = {
      scalar: new Tensor("float32", [], Float32Array.of(5)),
      empty: new Tensor("int64", [0, 4], new BigInt64Array(0)),
      a: new Tensor("float32", [2], data),
      b: new Tensor("float32", [2], data),
      "": new Tensor("uint8", [1], Uint8Array.of(3)),
      ["__proto__"]: new Tensor("uint8", [1], Uint8Array.of(4)),
    };
    await saveSafetensors(odd, path);
    const tensors = await loadSafetensors(path);
    const { metadata } = tensors;
    expect(metadata).toEqual({});
    expect(tensors.size).toBe(6);
    for (const [name, tensor] of Object.entries(odd)) expect(tensors.get(name)).toEqual(tensor);
    expect(tensors.get("a")?.data.buffer).not.toBe(tensors.get("b")?.data.buffer);
    await saveSafetensors({}, path);
    expect((await loadSafetensors(path)).size).toBe(0);
  });

  test("a checkpoint becomes one, and the other way round", async () => {
    const folder = temporaryFolder();
    const checkpoint = await load(fixture("models/tiny.sda"));
    const weights = stateDict(checkpoint);
    await saveSafetensors(weights, join(folder, "a.safetensors"));
    const tensors = await loadSafetensors(join(folder, "a.safetensors"));
    expect(new Map([...tensors].sort())).toEqual(new Map([...weights].sort()));
    await save(tensors, join(folder, "a.pt"));
    expect(stateDict(await load(join(folder, "a.pt")))).toEqual(new Map(tensors));
  });

  const w = { dtype: "F32", shape: [2], data_offsets: [0, 8] };
  const eight = Buffer.alloc(8);
  test.each<[string, string, string, string?]>([
    ["a text", written("hello"), "ERR_SDA_FORMAT"],
    ["a torch file", fixture("models/tiny.sda"), "ERR_SDA_FORMAT"],
    ["no JSON", written('{"w":'), "ERR_SDA_CORRUPT"],
    ["a header that is cut off", written({ w }, eight, 5000), "ERR_SDA_CORRUPT"],
    ["an endless header", written({ w }, eight, 2 ** 40), "ERR_SDA_LIMIT"],
    ["tensors that are cut off", written({ w }, Buffer.alloc(7)), "ERR_SDA_CORRUPT"],
    ["bytes at the end", written({ w }, Buffer.alloc(9)), "ERR_SDA_CORRUPT"],
    ["no entry", written({ w: null }), "ERR_SDA_CORRUPT", "w"],
    ["no dtype", written({ w: { ...w, dtype: 3 } }, eight), "ERR_SDA_CORRUPT", "w"],
    ["a new dtype", written({ w: { ...w, dtype: "F3" } }, eight), "ERR_SDA_VERSION", "w"],
    ["no shape", written({ w: { ...w, shape: 2 } }, eight), "ERR_SDA_CORRUPT", "w"],
    ["a negative shape", written({ w: { ...w, shape: [-2, -1] } }, eight), "ERR_SDA_CORRUPT", "w"],
    ["another shape", written({ w: { ...w, shape: [3] } }, eight), "ERR_SDA_CORRUPT", "w"],
    [
      "a huge shape",
      written({ w: { ...w, shape: [2 ** 40, 2 ** 40] } }, eight),
      "ERR_SDA_CORRUPT",
      "w",
    ],
    ["no place", written({ w: { ...w, data_offsets: [0] } }, eight), "ERR_SDA_CORRUPT", "w"],
    [
      "a place in front",
      written({ w: { ...w, data_offsets: [-8, 0] } }, eight),
      "ERR_SDA_CORRUPT",
      "w",
    ],
    ["an overlap", written({ w, x: w }, eight), "ERR_SDA_CORRUPT", "x"],
    [
      "a gap",
      written({ w: { ...w, data_offsets: [8, 16] } }, Buffer.alloc(16)),
      "ERR_SDA_CORRUPT",
      "w",
    ],
    ["metadata that are numbers", written({ __metadata__: { a: 1 }, w }, eight), "ERR_SDA_CORRUPT"],
    ["metadata that are none", written({ __metadata__: 1, w }, eight), "ERR_SDA_CORRUPT"],
  ])("refuses %s", async (_, path, code, tensor) => {
    const error = await sdaError(() => loadSafetensors(path));
    expect([error.code, error.details?.["tensor"]]).toEqual([code, tensor]);
    expect(error.details?.["path"]).toBe(path);
  });

  test("refuses what can't be written, and leaves the file as it was", async () => {
    const folder = temporaryFolder();
    const path = join(folder, "a.safetensors");
    await saveSafetensors(all(), path);
    const before = readFileSync(path);
    const one = tensorOf("float32");
    for (const [tensors, option] of [
      [{ w: 3 }, "tensors"],
      [new Map([[1, one]]), "tensors"],
      [{ w: tensorOf("complex128") }, "tensors"],
      [{ w: new Tensor("float32", [3], new Float32Array(2)) }, "tensors"],
      [{ __metadata__: one }, "tensors"],
    ] as const) {
      const error = await sdaError(() => saveSafetensors(tensors as never, path));
      expect([error.code, error.details?.["option"]]).toEqual(["ERR_SDA_ARGUMENT", option]);
    }
    const wrong = { metadata: { a: 1 } } as never;
    expect((await sdaError(() => saveSafetensors({}, path, wrong))).code).toBe("ERR_SDA_ARGUMENT");
    const signal = AbortSignal.abort(new Error("enough"));
    await expect(saveSafetensors(all(), path, { signal })).rejects.toThrow("enough");
    await expect(loadSafetensors(path, { signal })).rejects.toThrow("enough");
    expect(readFileSync(path).equals(before)).toBe(true);
    expect(readdirSync(folder)).toEqual(["a.safetensors"]);
    const missing = join(folder, "nowhere", "a.safetensors");
    expect((await sdaError(() => saveSafetensors({}, missing))).code).toBe("ERR_SDA_NOT_FOUND");
    expect((await sdaError(() => loadSafetensors(missing))).code).toBe("ERR_SDA_NOT_FOUND");
    mkdirSync(join(folder, "x"));
    chmodSync(join(folder, "x"), 0o755);
    expect((await sdaError(() => loadSafetensors(join(folder, "x")))).code).toBe("ERR_SDA_FORMAT");
  });

  const script = fileURLToPath(new URL("../python/safetensors_copy.py", import.meta.url));
  test.skipIf(torchPython === null)(
    "Python's safetensors reads ours and writes what we read",
    async () => {
      const folder = temporaryFolder();
      const [ours, copy] = [join(folder, "ours.safetensors"), join(folder, "copy.safetensors")];
      await saveSafetensors(all(), ours, { metadata: { format: "pt" } });
      const output = await runTorchPython([script, ours, copy]);
      if (output.trim() === "no safetensors") return;
      expect(await loadSafetensors(copy)).toEqual(await loadSafetensors(ours));
      expect((await loadSafetensors(copy)).metadata).toEqual({ format: "pt" });
    },
  );
});
