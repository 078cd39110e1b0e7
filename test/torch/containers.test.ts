/**
 * Files in other containers than those of torch.save, written by PyTorch, numpy and joblib
 * (scripts/python/make_container_fixtures.py), compared with what Python reads.
 */
import { cpSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import {
  inspect,
  load,
  NumpyArray,
  ScriptModule,
  stateDict,
  Tensor,
} from "../../lib/torch/index.js";
import { sdaError } from "../support/errors.js";
import { temporaryFolder } from "../support/folder.js";
import { global } from "../support/pickle-builder.js";
import { tensorZip } from "../support/torch-file.js";

interface Fixture {
  container: string;
  /** Name → [dtype, shape, elements in hexadecimal digits] */
  tensors: Record<string, [string, number[], string]>;
  values?: unknown;
  state_dict?: string[];
}

const folder = fileURLToPath(new URL("../fixtures/containers/", import.meta.url));
const fixtures: [string, Fixture][] = Object.entries(
  JSON.parse(readFileSync(`${folder}containers.json`, "utf8")),
);

/** Every tensor of a value by its keys. */
function tensorsOf(value: unknown, name = "", found: Fixture["tensors"] = {}) {
  if (value instanceof ScriptModule) return tensorsOf(stateDict(value), name, found);
  if (value instanceof Tensor) {
    const { buffer, byteOffset, byteLength } = value.data;
    const hex = Buffer.from(buffer, byteOffset, byteLength).toString("hex");
    found[name] = [value.dtype, [...value.shape], hex];
  } else if (value instanceof Map) {
    for (const [key, inner] of value) tensorsOf(inner, name ? `${name}.${key}` : key, found);
  }
  return found;
}

/** What is no tensor, as Python's JSON has it. */
function valuesOf(value: unknown): unknown {
  if (value instanceof NumpyArray) return value.toArray().map(valuesOf);
  if (value instanceof Uint8Array) return Buffer.from(value).toString("hex");
  if (Array.isArray(value)) return value.map(valuesOf);
  if (typeof value === "bigint") return Number(value);
  if (!(value instanceof Map)) return value;
  const plain = [...value].filter(([, item]) => !(item instanceof Tensor));
  const kept = plain.filter(([, item]) => !(item instanceof NumpyArray));
  return Object.fromEntries(kept.map(([key, item]) => [key, valuesOf(item)]));
}

describe.each(fixtures)("%s", (file, { container, tensors, values, state_dict: names }) => {
  const path = join(folder, file);
  const isFolder = container === "distributed";
  const sources: [string, () => Promise<unknown>][] = [
    ["by its path", () => load(path)],
    ["mapped", () => load(path, { verify: false })],
    ...(isFolder
      ? [["by its index", () => load(join(path, ".metadata"))] as [string, () => Promise<unknown>]]
      : [
          ["from bytes", () => load(readFileSync(path))] as [string, () => Promise<unknown>],
          ["from a blob", () => load(new Blob([readFileSync(path)]))] as [
            string,
            () => Promise<unknown>,
          ],
        ]),
  ];

  test.each(sources)("is read %s", async (_, read) => {
    const value = await read();
    expect(tensorsOf(names ? stateDict(value) : value)).toEqual(tensors);
    if (values !== undefined) expect(valuesOf(value)).toEqual(values);
    if (names) expect([...stateDict(value).keys()]).toEqual(names);
  });

  test("is read without weights", async () => {
    const value = await load(path, { weights: false });
    const plain = Object.fromEntries(
      Object.entries(tensors).map(([name, [dtype, shape]]) => [name, [dtype, shape]]),
    );
    const found = Object.entries(tensorsOf(names ? stateDict(value) : value)).map(
      ([name, [dtype, shape]]) => [name, [dtype, shape]],
    );
    expect(Object.fromEntries(found)).toEqual(plain);
  });

  test.each(isFolder ? [path] : [path, readFileSync(path)])("is inspected", async (source) => {
    const report = await inspect(source);
    expect(report.container).toBe(container);
    const found = new Set(report.tensors.map(({ dtype, shape }) => JSON.stringify([dtype, shape])));
    for (const [dtype, shape] of Object.values(tensors)) {
      expect(found).toContain(JSON.stringify([dtype, shape]));
    }
    expect(report.globals.length).toBe(report.globalKinds.length);
    // `load` describes the index of a distributed checkpoint, whatever it names.
    if (!isFolder) expect(report.globalKinds).not.toContain("unknown");
  });
});

test("a TorchScript program has its code as text, and its attributes", async () => {
  const program = (await load(join(folder, "script.pt"))) as ScriptModule;
  expect(program).toBeInstanceOf(ScriptModule);
  const net = [...program.code].find(([, text]) => text.includes("class Net"));
  expect(net?.[0]).toMatch(/^__torch__.*\.py$/);
  expect(net?.[1]).toContain("def forward");
  const attributes = program.root.state as Map<string, unknown>;
  expect(attributes.get("names")).toEqual(["a", "b"]);
  // A plain attribute is no weight, as in PyTorch.
  expect((attributes.get("plain") as Tensor).data).toEqual(Float32Array.of(5, 6));
  expect([...stateDict(program).keys()]).not.toContain("plain");
});

describe("damage", () => {
  test.each(fixtures.filter(([, { container }]) => container !== "distributed"))(
    "%s, cut off anywhere, is an SdaError or as it was",
    async (file) => {
      const whole = readFileSync(join(folder, file));
      const step = Math.max(1, Math.floor(whole.length / 60));
      for (let size = 0; size < whole.length; size += step) {
        const cut = whole.subarray(0, size);
        for (const read of [
          () => load(cut),
          () => load(cut, { weights: false }),
          () => inspect(cut),
        ]) {
          const error = await read().then(
            () => undefined,
            (reason) => reason,
          );
          if (error === undefined) continue; // such as the padding of a tar archive
          expect(String(error.code), `${size} bytes: ${error.stack}`).toMatch(
            /^ERR_SDA_(FORMAT|CORRUPT|UNSAFE|VERSION)$/,
          );
        }
      }
    },
  );

  test.each(fixtures.filter(([, { container }]) => container !== "distributed"))(
    "%s with changed bytes is an SdaError or a value",
    async (file) => {
      const whole = readFileSync(join(folder, file));
      const step = Math.max(1, Math.floor(whole.length / 100));
      for (let at = 0; at < whole.length; at += step) {
        const changed = Buffer.from(whole);
        changed[at] = (changed[at] as number) ^ 0xff;
        const error = await load(changed, { limits: { contentBytes: 2 ** 24 } }).catch(
          (reason) => reason,
        );
        if (error instanceof Error) {
          expect(String((error as { code?: unknown }).code), error.stack).toMatch(/^ERR_SDA_/);
        }
      }
    },
  );

  test.each(["stored.npz", "exported.pt2"])("a changed element in %s", async (file) => {
    const changed = readFileSync(join(folder, file));
    const element = Buffer.from([0, 0, 0x80, 0x3f]); // the float 1, in an array or a weight
    const at = changed.indexOf(element, changed.indexOf("data/weights/weight_2") + 1);
    expect(at).toBeGreaterThan(0);
    changed[at + 2] = 0x81;
    expect(await sdaError(() => load(changed))).toMatchObject({ code: "ERR_SDA_CORRUPT" });
  });

  test("a chunk of a distributed checkpoint that is missing", async () => {
    const copy = join(temporaryFolder(), "checkpoint");
    cpSync(join(folder, "distributed"), copy, { recursive: true });
    writeFileSync(join(copy, "__1_0.distcp"), "");
    expect((await sdaError(() => load(copy))).code).toBe("ERR_SDA_CORRUPT");
  });

  test("a distributed checkpoint whose index leads out of its folder", async () => {
    const copy = join(temporaryFolder(), "checkpoint");
    cpSync(join(folder, "distributed"), copy, { recursive: true });
    const index = readFileSync(join(copy, ".metadata"), "latin1");
    // A name of the same length
    writeFileSync(
      join(copy, ".metadata"),
      index.replaceAll("__1_0.distcp", "../../secret"),
      "latin1",
    );
    expect((await sdaError(() => load(copy))).code).toBe("ERR_SDA_UNSAFE");
  });

  test("a folder that is no checkpoint", async () => {
    const error = await sdaError(() => load(temporaryFolder()));
    expect(error).toMatchObject({ code: "ERR_SDA_FORMAT" });
    expect(error.message).toContain("is a directory");
  });
});

describe("bombs", () => {
  test("descriptions of tensors inside each other do not use up the stack", async () => {
    const rebuild = global("torch._tensor", "_rebuild_from_type_v2");
    const cls = global("collections", "OrderedDict");
    const levels = 300_000;
    // The function and the class, then a call of it on a call of it on …
    const head = Buffer.concat([
      Buffer.from([0x80, 2]),
      rebuild as Buffer,
      Buffer.from("q\0"),
      cls as Buffer,
      Buffer.from("q\x01"),
      Buffer.from("h\0"),
    ]);
    const open = Buffer.from("(h\0h\x01".repeat(levels));
    const close = Buffer.from("Nt".repeat(levels));
    const bomb = Buffer.concat([head, open, Buffer.from(")"), close, Buffer.from("R.")]);
    const error = await inspect(bomb).then(
      () => undefined,
      (reason) => reason,
    );
    if (error !== undefined) expect(String(error.code)).toMatch(/^ERR_SDA_/);
  });

  test("an array of a hundred thousand dimensions", async () => {
    const text = `{'descr': '<f4', 'fortran_order': True, 'shape': (${"1,".repeat(100_000)})}\n`;
    const header = Buffer.alloc(12);
    header.write("\x93NUMPY\x02\0", "latin1");
    header.writeUInt32LE(text.length, 8);
    const bomb = Buffer.concat([header, Buffer.from(text), Buffer.alloc(4)]);
    expect((await sdaError(() => load(bomb))).code).toBe("ERR_SDA_CORRUPT");
  });

  const zeros = (megabytes: number) => Buffer.alloc(megabytes * 2 ** 20);

  test("a stream that grows beyond the limit", async () => {
    const bomb = gzipSync(zeros(64));
    const error = await sdaError(() => load(bomb, { limits: { contentBytes: 2 ** 20 } }));
    expect(error).toMatchObject({ code: "ERR_SDA_LIMIT", details: { limit: 2 ** 20 } });
  });

  test("streams inside each other without end", async () => {
    let bomb: Buffer = tensorZip();
    for (let i = 0; i < 20; i++) bomb = gzipSync(bomb);
    expect((await sdaError(() => load(bomb))).code).toBe("ERR_SDA_FORMAT");
  });

  test("records that inflate beyond the limit", async () => {
    const bomb = readFileSync(join(folder, "deflated.pt"));
    const error = await sdaError(() => load(bomb, { limits: { contentBytes: 100 } }));
    expect(error.code).toBe("ERR_SDA_LIMIT");
  });
});
