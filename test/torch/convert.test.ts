import {
  appendFileSync,
  copyFileSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { describe, expect, test } from "vitest";
import {
  convertCheckpoint,
  type DType,
  load,
  loadSafetensors,
  OrderedDict,
  save,
  saveSafetensors,
  stateDict,
  Tensor,
} from "../../lib/torch/index.js";
import { arrayFor, bytesPerElement } from "../../lib/values/tensor-data.js";
import { runScript } from "../process/run.js";
import { sdaError } from "../support/errors.js";
import { fixture } from "../support/fixtures.js";
import { temporaryFolder } from "../support/folder.js";
import {
  call,
  dict,
  FALSE,
  global,
  int,
  pickle,
  storage,
  str,
  THREE_FLOATS,
  tensor,
  tuple,
} from "../support/pickle-builder.js";
import { runTorchPython, torchPython } from "../support/python.js";
import { fileOf, tensorLegacy } from "../support/torch-file.js";
import { torchZip } from "../support/zip-builder.js";

const DTYPES: DType[] = [
  ...(["bool", "uint8", "int8", "int16", "uint16", "float16", "bfloat16", "int32"] as const),
  ...(["uint32", "float32", "float64", "int64", "uint64", "complex64"] as const),
  ...(["float8_e5m2", "float8_e4m3fn", "float8_e5m2fnuz", "float8_e4m3fnuz"] as const),
];

/** Tensors of 3 elements, so that the ones of small elements put the next out of step. */
function weights(): Map<string, Tensor> {
  return new Map(
    DTYPES.map((dtype) => {
      const bytes = new Uint8Array(3 * bytesPerElement(dtype));
      bytes.forEach((_, i) => {
        bytes[i] = dtype === "bool" ? i % 2 : (i * 7) % 60;
      });
      return [`of ${dtype}`, new Tensor(dtype, [3], arrayFor(dtype, bytes.buffer))];
    }),
  );
}

const sorted = (tensors: Map<string, Tensor>) => new Map([...tensors].sort());

describe("convertCheckpoint", () => {
  test("writes what stateDict finds, and back", async () => {
    const folder = temporaryFolder();
    const [st, pt] = [join(folder, "a.safetensors"), join(folder, "b.PT")];
    const expected = stateDict(await load(fixture("models/tiny.sda")));
    const bytes = [...expected.values()].reduce((sum, { data }) => sum + data.byteLength, 0);
    const result = { tensors: expected.size, bytes };
    expect(await convertCheckpoint(fixture("models/tiny.sda"), st)).toEqual(result);
    const tensors = await loadSafetensors(st);
    const { metadata } = tensors;
    expect(metadata).toEqual({ format: "pt" });
    expect(sorted(tensors)).toEqual(sorted(expected));
    expect(await convertCheckpoint(pathToFileURL(st), pathToFileURL(pt))).toEqual(result);
    expect(sorted((await load(pt)) as Map<string, Tensor>)).toEqual(sorted(expected));
    expect(readdirSync(folder).sort()).toEqual(["a.safetensors", "b.PT"]);
  });

  test("keeps every dtype and odd shapes, from files that are aligned and not", async () => {
    const folder = temporaryFolder();
    const all = weights();
    all.set("scalar", new Tensor("float32", [], Float32Array.of(5)));
    all.set("empty", new Tensor("int64", [0, 4], new BigInt64Array(0)));
    await save(all, join(folder, "a.pt"));
    await convertCheckpoint(join(folder, "a.pt"), join(folder, "a.safetensors"));
    expect(sorted(await loadSafetensors(join(folder, "a.safetensors")))).toEqual(sorted(all));
    // Another writer's header may have any length, and its tensors any order.
    const bytes = readFileSync(join(folder, "a.safetensors"));
    const length = Number(bytes.readBigUInt64LE()) + 3;
    const odd = Buffer.concat([Buffer.alloc(8), bytes.subarray(8, 8 + length - 3)]);
    odd.writeBigUInt64LE(BigInt(length));
    writeFileSync(
      join(folder, "odd.safetensors"),
      Buffer.concat([odd, Buffer.from("   "), bytes.subarray(8 + length - 3)]),
    );
    for (const name of ["a", "odd"]) {
      await convertCheckpoint(join(folder, `${name}.safetensors`), join(folder, "b.ckpt"));
      expect(sorted((await load(join(folder, "b.ckpt"))) as Map<string, Tensor>)).toEqual(
        sorted(all),
      );
    }
  });

  test("takes a key, metadata, modules, legacy files, views and shared tensors", async () => {
    const folder = temporaryFolder();
    const to = join(folder, "a.safetensors");
    const one = new Tensor("float32", [1], Float32Array.of(1));
    const two = new Tensor("float32", [1], Float32Array.of(2));
    const both = { one: new Map([["w", one]]), two: new Map([["w", two]]) };
    await save(both, join(folder, "both.pt"));
    const unsure = await sdaError(() => convertCheckpoint(join(folder, "both.pt"), to));
    expect(unsure.details).toMatchObject({ option: "key", candidates: ["one", "two"] });
    const options = { key: "two", metadata: { format: "x", note: "ü" } };
    await convertCheckpoint(join(folder, "both.pt"), to, options);
    const found = await loadSafetensors(to);
    expect([found.get("w"), found.metadata]).toEqual([two, { format: "x", note: "ü" }]);
    // From safetensors to itself, with one more text
    await convertCheckpoint(to, to, { metadata: { more: "1" } });
    expect((await loadSafetensors(to)).metadata).toEqual({ format: "x", note: "ü", more: "1" });

    await convertCheckpoint(fixture("torch/module.pt"), to);
    expect((await loadSafetensors(to)).size).toBeGreaterThan(1);
    await save(new Map([["w", one]]), join(folder, "torch.pt"));
    await convertCheckpoint(join(folder, "torch.pt"), join(folder, "torch.bin"));
    expect(await load(join(folder, "torch.bin"))).toEqual(new Map([["w", one]]));

    const shared = storage(3);
    const view = (offset: number) =>
      tensor({ storage: shared, offset: int(offset), shape: tuple(int(2)) });
    const entries = dict([str("a"), view(0)], [str("b"), view(1)], [str("c"), view(0)]);
    const file = fileOf(torchZip(pickle(entries), { "0": THREE_FLOATS }).bytes);
    await convertCheckpoint(file, to);
    const tensors = await loadSafetensors(to);
    expect([...sorted(tensors).values()].map(({ data }) => [...(data as Float32Array)])).toEqual([
      [1, 2],
      [2, 3],
      [1, 2],
    ]);
    const legacyFile = fileOf(tensorLegacy());
    expect((await sdaError(() => convertCheckpoint(legacyFile, to))).code).toBe("ERR_SDA_ARGUMENT");
  });

  test.each([
    ["another suffix", "a.npz", {}, "to"],
    ["no suffix", "safetensors", {}, "to"],
    ["metadata for a torch file", "a.pt", { metadata: { a: "b" } }, "metadata"],
    ["metadata that are no texts", "a.safetensors", { metadata: { a: 1 } }, "metadata"],
    ["a key that is no text", "a.safetensors", { key: 3 }, "key"],
    ["a key that is not there", "a.safetensors", { key: "x" }, "key"],
    ["an unknown option", "a.safetensors", { format: "pt" }, "format"],
  ])("refuses %s", async (_, to, options, option) => {
    const folder = temporaryFolder();
    const path = join(folder, to);
    const given = fixture("models/tiny.sda");
    const error = await sdaError(() => convertCheckpoint(given, path, options as never));
    expect([error.code, error.details?.["option"]]).toEqual(["ERR_SDA_ARGUMENT", option]);
    expect(readdirSync(folder)).toEqual([]);
  });

  test("refuses what the new file can't hold before it writes anything", async () => {
    const folder = temporaryFolder();
    const to = join(folder, "a.safetensors");
    writeFileSync(to, "as it was");
    const plain = tensor({ storage: storage(3) });
    const sparse = call(
      global("torch._utils", "_rebuild_sparse_tensor"),
      call(global("torch.serialization", "_get_layout"), str("torch.sparse_coo")),
      tuple(plain, plain, call(global("torch", "Size"), tuple(int(3))), FALSE),
    );
    const some = torchZip(pickle(dict([str("w"), plain], [str("v"), plain], [str("s"), sparse])), {
      "0": THREE_FLOATS,
    });
    const complex = new Tensor("complex128", [1], new Float64Array(2));
    const complexFile = join(folder, "c.pt");
    await save(new OrderedDict([["z", complex]]), complexFile);
    const cases: [string, RegExp][] = [
      [complexFile, /"z".*safetensors has no dtype complex128/],
      [fileOf(some.bytes), /"s" is a sparse tensor/],
      [fileOf(torchZip(pickle(dict([str("a"), int(1)]))).bytes), /no weights/],
    ];
    for (const [from, problem] of cases) {
      const error = await sdaError(() => convertCheckpoint(from, to));
      expect(error.code).toBe("ERR_SDA_ARGUMENT");
      expect(error.message).toMatch(problem);
    }
    const withKey = { key: "a" };
    await saveSafetensors(weights(), join(folder, "s.safetensors"));
    const error = await sdaError(() =>
      convertCheckpoint(join(folder, "s.safetensors"), to, withKey),
    );
    expect([error.code, error.details?.["option"]]).toEqual(["ERR_SDA_ARGUMENT", "key"]);
    expect(readFileSync(to, "utf8")).toBe("as it was");
    expect(readdirSync(folder).sort()).toEqual(["a.safetensors", "c.pt", "s.safetensors"]);
  });

  test("refuses damaged and missing files, and stops", async () => {
    const folder = temporaryFolder();
    const to = join(folder, "new.safetensors");
    const bytes = readFileSync(fixture("models/tiny.sda"));
    const at = bytes.indexOf("data/0");
    bytes[bytes.indexOf(0x5a, at) + 100] = (bytes[bytes.indexOf(0x5a, at) + 100] ?? 0) ^ 1;
    const damaged = fileOf(bytes);
    expect(await sdaError(() => convertCheckpoint(damaged, to))).toMatchObject({
      code: "ERR_SDA_CORRUPT",
      details: { path: damaged, record: expect.stringContaining("data/") },
    });
    const cut = fileOf(bytes.subarray(0, 5000));
    expect((await sdaError(() => convertCheckpoint(cut, to))).code).toBe("ERR_SDA_CORRUPT");
    const st = join(folder, "s.safetensors");
    await saveSafetensors(weights(), st);
    copyFileSync(st, join(folder, "long.safetensors"));
    appendFileSync(join(folder, "long.safetensors"), "x");
    const long = join(folder, "long.safetensors");
    expect((await sdaError(() => convertCheckpoint(long, to))).code).toBe("ERR_SDA_CORRUPT");
    expect((await sdaError(() => convertCheckpoint(fileOf(Buffer.from("hello")), to))).code).toBe(
      "ERR_SDA_FORMAT",
    );
    expect((await sdaError(() => convertCheckpoint(join(folder, "x"), to))).code).toBe(
      "ERR_SDA_NOT_FOUND",
    );
    mkdirSync(join(folder, "d.pt"));
    expect((await sdaError(() => convertCheckpoint(st, join(folder, "d.pt")))).code).toBe(
      "ERR_SDA_ARGUMENT",
    );
    const signal = AbortSignal.abort(new Error("enough"));
    await expect(convertCheckpoint(st, to, { signal })).rejects.toThrow("enough");
    expect(readdirSync(folder)).not.toContain("new.safetensors");
  });

  const script = fileURLToPath(new URL("../python/convert.py", import.meta.url));
  test.skipIf(torchPython === null)("Python reads both, and we read Python's", async () => {
    const folder = temporaryFolder();
    const path = (name: string) => join(folder, name);
    await save({ model: weights(), epoch: 3 }, path("ours.pt"));
    await convertCheckpoint(path("ours.pt"), path("ours.safetensors"));
    await convertCheckpoint(path("ours.safetensors"), path("again.pth"));
    const output = await runTorchPython([script, folder]);
    if (output.trim() === "no safetensors") return;
    expect(output.trim()).toBe("same");
    await convertCheckpoint(path("python.pt"), path("of-python.safetensors"));
    await convertCheckpoint(path("python.safetensors"), path("of-python.pt"));
    const expected = stateDict(await load(path("python.pt")));
    const again = await loadSafetensors(path("of-python.safetensors"));
    expect(new Map(again)).toEqual(new Map(expected));
    expect(await load(path("of-python.pt"))).toEqual(new Map(expected));
    expect((await runTorchPython([script, folder, "of-python"])).trim()).toBe("same");
  });

  // Of the file's pages in memory, the kernel takes back what it needs; they are not counted.
  test.skipIf(process.platform !== "linux")("takes little memory besides", async () => {
    const folder = temporaryFolder();
    const ended = await runScript("convert-script.ts", [folder]);
    expect(ended).toMatchObject({ code: 0, stderr: "" });
    const grown = JSON.parse(ended.stdout) as Record<string, number>;
    expect(Object.keys(grown)).toEqual(["to safetensors", "to torch"]);
    for (const bytes of Object.values(grown)) expect(bytes / 2 ** 20).toBeLessThan(32);
  });
});
