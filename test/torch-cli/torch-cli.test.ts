import { spawnSync } from "node:child_process";
import { createReadStream, existsSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { expect, test } from "vitest";
import { packageRoot } from "../../lib/native/package-root.js";
import { Complex, load, PyGlobal, PyObject, save, Tensor, Tuple } from "../../lib/torch/index.js";
import { run } from "../../lib/torch-cli/program.js";
import { fixture } from "../support/fixtures.js";
import { temporaryFolder } from "../support/folder.js";
import { keepingIo } from "../support/io.js";
import { call, global, pickle, str } from "../support/pickle-builder.js";
import { torchZip } from "../support/zip-builder.js";

const CHECKPOINT = fixture("checkpoints/tiny.pt");

async function torch(...args: string[]) {
  const { io, kept } = keepingIo();
  return { code: await run(args, io), ...kept };
}

async function saved(value: unknown): Promise<string> {
  const path = join(temporaryFolder(), "a.pt");
  await save(value, path);
  return path;
}

const floats = (...numbers: number[]) => Float32Array.from(numbers);

test("ls lists the tensors on stdout, and what the file is on stderr", async () => {
  const weight = new Tensor("float32", [2, 1], floats(1, 2));
  const { code, stdout, stderr } = await torch("ls", await saved({ weight, best: { weight } }));
  expect(code).toBe(0);
  expect(stdout).toBe(
    "TENSOR       DTYPE    SHAPE   BYTES\n" +
      "weight       float32  [2, 1]         8\n" +
      "best.weight  float32  [2, 1]  = weight\n",
  );
  expect(stderr).toMatch(/^zip, [\d.]+ kB: 1 tensor, 2 elements\n$/);
});

test("ls --json has what inspect gives, and the verdict", async () => {
  const { code, stdout } = await torch("ls", CHECKPOINT, "--json");
  expect(code).toBe(0);
  expect(JSON.parse(stdout)).toMatchObject({ container: "zip", verdict: "safe" });
});

test("ls names what is refused", async () => {
  const path = join(temporaryFolder(), "evil.pt");
  writeFileSync(path, torchZip(pickle(call(global("posix", "system"), str("echo")))).bytes);
  const { code, stderr } = await torch("ls", path);
  expect(code).toBe(0);
  expect(stderr).toContain("refused: the file refers to posix.system\n");
});

test("ls takes the address of a file", async () => {
  const server = createServer((request, response) => {
    const [, from, to] = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? "") ?? [];
    const { size } = statSync(CHECKPOINT);
    const end = Math.min(Number(to), size - 1);
    response.writeHead(206, { "content-range": `bytes ${from}-${end}/${size}` });
    createReadStream(CHECKPOINT, { start: Number(from), end }).pipe(response);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const there = await torch("ls", `http://127.0.0.1:${port}/tiny.pt`);
  server.close();
  expect(there).toEqual(await torch("ls", CHECKPOINT));
});

test("cat prints the content as JSON, without the elements of tensors", async () => {
  const path = await saved({
    epoch: 3,
    big: 2n ** 70n,
    lr: Number.NaN,
    shape: Tuple.of(2, 3),
    text: "a [ b ]",
    tags: new Set(["x"]),
    raw: Uint8Array.of(1, 2),
    z: new Complex(1, -2),
    dtype: new PyGlobal("torch", "float32"),
    weight: new Tensor("float32", [2], floats(1, 2)),
    config: new PyObject("small_dataset_audio.x", "Config", Tuple.of(1), new Map([["a", [1, 2]]])),
  });
  const { code, stdout, stderr } = await torch("cat", path);
  expect([code, stderr]).toEqual([0, ""]);
  expect(JSON.parse(stdout)).toEqual({
    epoch: 3,
    big: "1180591620717411303424",
    lr: "NaN",
    shape: [2, 3],
    text: "a [ b ]",
    tags: ["x"],
    raw: { bytes: "AQI=" },
    z: { re: 1, im: -2 },
    dtype: { global: "torch.float32" },
    weight: { tensor: "float32", shape: [2] },
    config: { object: "small_dataset_audio.x.Config", args: [1], state: { a: [1, 2] } },
  });
  expect(stdout).toContain('"shape": [2, 3],\n');
});

test("cat marks a cycle", async () => {
  const list: unknown[] = [1];
  list.push(list);
  expect(JSON.parse((await torch("cat", await saved(list))).stdout)).toEqual([1, { cycle: true }]);
});

test("cat describes an object of a class that load refuses", async () => {
  const path = join(temporaryFolder(), "net.pt");
  writeFileSync(path, torchZip(pickle(call(global("elsewhere", "Net"), str("deep")))).bytes);
  const { code, stdout } = await torch("cat", path);
  expect(code).toBe(0);
  expect(JSON.parse(stdout)).toEqual({ object: "elsewhere.Net", args: ["deep"] });
});

test("cat prints one value, and the elements of a tensor as nested rows", async () => {
  const path = await saved({
    "a.b": { c: [10, new Tensor("float32", [2, 2], floats(1, 2, 3, 4))] },
    half: new Tensor("float16", [4], Uint16Array.of(0x3c00, 0xc000, 0x0001, 0x7c00)),
    brain: new Tensor("bfloat16", [1], Uint16Array.of(0x3fc0)),
    flags: new Tensor("bool", [2], Uint8Array.of(1, 0)),
    scalar: new Tensor("int64", [], BigInt64Array.of(7n)),
    empty: new Tensor("float32", [2, 0], floats()),
    complex: new Tensor("complex64", [1], floats(1, 2)),
  });
  const value = async (name: string) => JSON.parse((await torch("cat", path, name)).stdout);
  expect(await value("a.b.c.0")).toBe(10);
  expect((await torch("cat", path, "a.b.c.1")).stdout).toBe("[\n  [1, 2],\n  [3, 4]\n]\n");
  expect(await value("half")).toEqual([1, -2, 2 ** -24, "Infinity"]);
  expect(await value("brain")).toEqual([1.5]);
  expect(await value("flags")).toEqual([true, false]);
  expect(await value("scalar")).toBe("7");
  expect(await value("empty")).toEqual([[], []]);
  expect(await value("complex")).toEqual([[1, 2]]);
});

test("every name that ls gives is one for cat", async () => {
  const { tensors } = JSON.parse((await torch("ls", CHECKPOINT, "--json")).stdout);
  for (const { name } of tensors) expect((await torch("cat", CHECKPOINT, name)).code, name).toBe(0);
});

test("cat says when there is no such name", async () => {
  const { code, stdout, stderr } = await torch("cat", CHECKPOINT, "nothing.here");
  expect([code, stdout]).toEqual([2, ""]);
  expect(stderr).toMatch(/holds no nothing\.here; ls lists its tensors \(ERR_SDA_ARGUMENT\)/);
});

test("convert writes safetensors, and back", async () => {
  const folder = temporaryFolder();
  const [there, back] = [join(folder, "a.safetensors"), join(folder, "b.pt")];
  const key = ["--key", "model_state_dict"];
  const first = await torch("convert", CHECKPOINT, there, ...key, "--metadata", "by=me");
  expect(first.code).toBe(0);
  expect(first.stderr).toMatch(/a\.safetensors: \d+ tensors, /);
  expect((await torch("convert", there, back)).code).toBe(0);
  const before = (await load<Map<string, Map<string, unknown>>>(CHECKPOINT)).get(
    "model_state_dict",
  );
  const after = await load<Map<string, unknown>>(back);
  expect([...after.keys()].sort()).toEqual([...(before?.keys() ?? [])].sort());
  expect(readFileSync(there, "latin1")).toContain('"by":"me"');
});

test("scan judges files by its own name", async () => {
  expect((await torch("scan", CHECKPOINT)).code).toBe(0);
  const sarif = JSON.parse((await torch("scan", CHECKPOINT, "--sarif")).stdout);
  expect(sarif.runs[0].tool.driver.name).toBe("torch-checkpoint scan");
  expect((await torch("scan", "--help")).stdout).toContain("torch-checkpoint scan downloads");
});

test.each([
  ["no command", [], 2],
  ["an unknown command", ["rm"], 2],
  ["no file", ["ls"], 2],
  ["a file that is not there", ["ls", "/nowhere/a.pt"], 2],
  ["a file that is damaged", ["cat", import.meta.filename], 1],
])("exits with an error for %s", async (_, args, expected) => {
  const { code, stdout, stderr } = await torch(...args);
  expect([code, stdout]).toEqual([expected, ""]);
  expect(stderr).not.toBe("");
});

test.skipIf(!existsSync(join(packageRoot, "dist/torch-cli/main.js")))("runs as a program", () => {
  const cli = join(packageRoot, "torch/cli.js");
  const ended = spawnSync(process.execPath, [cli, "cat", CHECKPOINT, "nothing"], {
    encoding: "utf8",
  });
  expect(ended).toMatchObject({ status: 2, stdout: "" });
});
