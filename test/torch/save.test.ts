import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { constants } from "node:os";
import { basename, join } from "node:path";
import { describe, expect, it } from "vitest";
import { verifyFile } from "../../lib/index.js";
import { checkpointAddon } from "../../lib/native/load.js";
import { encode, MAX_DEPTH } from "../../lib/torch/encode.js";
import {
  Complex,
  inspect,
  load,
  NdArray,
  OrderedDict,
  PyGlobal,
  PyObject,
  save,
  Tensor,
  Tuple,
} from "../../lib/torch/index.js";
import { compiled } from "../support/compiled.js";
import { count } from "../support/effort.js";
import { sdaError } from "../support/errors.js";
import { fixture, generationFixtures, modelFixtures, readable } from "../support/fixtures.js";
import { temporaryFolder } from "../support/folder.js";
import {
  binbytes,
  call,
  dict,
  global,
  int,
  list,
  NONE,
  numpyDtype,
  storage as storageCode,
  str,
  THREE_FLOATS,
  TRUE,
  tensor as tensorCode,
  tuple,
} from "../support/pickle-builder.js";
import { loadPickle } from "../support/torch-file.js";

const script = compiled("test/torch/save-script.ts");
const temps = (folder: string) => readdirSync(folder).filter((name) => name.endsWith(".tmp"));

async function roundTrip(value: unknown): Promise<unknown> {
  const path = join(temporaryFolder(), "file.pt");
  await save(value, path);
  return load(path);
}

/** The plan with array elements as text: comparing millions of elements one by one is slow. */
function plan(value: unknown) {
  const { codes, numbers, values } = encode(value);
  const text = ({ buffer, byteOffset, byteLength }: ArrayBufferView) =>
    Buffer.from(buffer as ArrayBuffer, byteOffset, byteLength).toString("latin1");
  const comparable = values.map((v) => (ArrayBuffer.isView(v) ? text(v) : v));
  return { codes: text(codes), numbers: text(numbers), values: comparable };
}

/** The number of floats in the plan of a value. */
function floatsIn(value: unknown): number {
  const FLOAT = 4;
  return encode(value).codes.filter((code) => code === FLOAT).length;
}

describe("load → save → load", () => {
  const files = readable.filter(({ optional }) => !optional).map(({ file }) => file);

  // Unlike plain equality, plans distinguish ints, floats, numpy scalars, bytearrays and so on.
  it.each([...files, ...modelFixtures, ...generationFixtures])(
    "%s is the same again",
    async (name) => {
      const original = await load(fixture(name));
      const path = join(temporaryFolder(), basename(name));
      await save(original, path);
      const again = await load(path);
      expect(plan(again)).toEqual(plan(original));
      expect(await verifyFile(path)).toMatchObject({ ok: true, problems: [] });
    },
  );

  it("keeps what is shared and what is cyclic", async () => {
    const list: unknown[] = [];
    const tuple = Tuple.from<unknown>([list, 1, 2, 3]);
    list.push(tuple, new Tuple(), list);
    const dict = new Map<unknown, unknown>([["list", list]]);
    dict.set("self", dict);
    const again = (await roundTrip(dict)) as Map<string, unknown>;
    const found = again.get("list") as unknown[];
    expect(again.get("self")).toBe(again);
    expect(found[2]).toBe(found);
    expect((found[0] as Tuple)[0]).toBe(found);
    expect(found[0]).toBeInstanceOf(Tuple);
  });

  it("saves memory that tensors share once", async () => {
    const memory = new Float32Array(1000);
    const path = join(temporaryFolder(), "shared.pt");
    const whole = new Tensor("float32", [1000], memory);
    const part = new Tensor("float32", [10], memory.subarray(100, 110));
    const bits = new Tensor("uint8", [8], new Uint8Array(memory.buffer, 400, 8));
    await save([whole, part, bits, whole], path);
    expect(statSync(path).size).toBeLessThan(6000);
    const [a, b, c, d] = (await load(path)) as Tensor[];
    (a as Tensor).data[100] = 1;
    expect((b as Tensor).data[0]).toBe(1);
    expect((c as Tensor).data).toEqual(Uint8Array.of(0, 0, 128, 63, 0, 0, 0, 0));
    expect(d).toBe(a);
  });

  it("keeps numpy scalars, also whole numbers and numbers too large for JavaScript", async () => {
    const hex = (bytes: ArrayBuffer) => Buffer.from(bytes).toString("hex");
    const float64 = (value: number) => hex(Float64Array.of(value).buffer);
    const float32 = (value: number) => hex(Float32Array.of(value).buffer);
    const int64 = (value: bigint) => hex(BigInt64Array.of(value).buffer);
    const scalars: [code: string, hex: string, value: unknown][] = [
      ["f8", float64(1), 1],
      ["f8", float64(-7), -7],
      ["f8", float64(0), 0],
      ["f8", float64(-0), -0],
      ["f8", float64(0.5), 0.5],
      ["f8", float64(2 ** 60), 2 ** 60],
      ["f8", float64(Number.NaN), Number.NaN],
      ["f4", float32(3), 3],
      ["f4", float32(-(2 ** 40)), -(2 ** 40)],
      ["f2", "0040", 2],
      ["f2", "00c5", -5],
      ["i8", int64(7n), 7],
      ["i8", int64(-7n), -7],
      ["i8", int64(2n ** 60n), 2n ** 60n],
      ["i8", int64(-(2n ** 60n)), -(2n ** 60n)],
      ["i8", int64(-(2n ** 63n)), -(2n ** 63n)],
      ["u8", int64(2n ** 63n - 1n - 2n ** 64n), 2n ** 63n - 1n],
      ["u8", int64(-1n), 2n ** 64n - 1n],
      ["i2", "fdff", -3],
      ["b1", "01", true],
      ["c16", float64(3) + float64(-1), new Complex(3, -1)],
    ];
    const codes = scalars.map(([code, content]) =>
      call(
        global("numpy._core.multiarray", "scalar"),
        numpyDtype(code),
        binbytes(Buffer.from(content, "hex")),
      ),
    );
    const whole = codes[0] as Buffer;
    const original = (await loadPickle(
      dict([str("list"), list(...codes)], [str("value"), whole], [whole, int(1)]),
    )) as Map<unknown, unknown>;
    const values = scalars.map(([, , value]) => value);
    expect(original.get("list")).toStrictEqual(values);
    const again = (await roundTrip(original)) as Map<unknown, unknown>;
    expect(again.get("list")).toStrictEqual(values);
    expect(again.get("value")).toBe(1);
    expect(plan(again)).toEqual(plan(original));
  });

  it("saves only the part of a buffer that its tensors show", async () => {
    const path = join(temporaryFolder(), "parts.pt");
    const memory = new Float32Array(1_000_000);
    const part = (at: number) => new Tensor("float32", [2], memory.subarray(at, at + 2));
    await save([part(0), part(999_000)], path);
    expect(statSync(path).size).toBeLessThan(4000);
  });

  it("writes a changed value as it is now", async () => {
    const content = (await load(fixture("models/tiny.sda"))) as Map<string, unknown>;
    const config = content.get("spectrogram_config") as Map<string, unknown>;
    expect(config.get("power")).toBe(2);
    const floats = floatsIn(config);
    config.set("power", 1);
    expect(floatsIn(config)).toBe(floats - 1);
    config.set("power", 2);
    expect(floatsIn(config)).toBe(floats);
  });
});

describe("containers that are nested as deep as the limit allows", () => {
  const program = "small_dataset_audio.x";
  it.each<[string, (value: unknown) => object, (value: never) => unknown, perLevel?: number]>([
    ["lists", (value) => [value], ([value]: unknown[]) => value],
    ["tuples", (value) => Tuple.of(value), ([value]: Tuple) => value],
    ["dicts", (value) => new Map([["k", value]]), (map: Map<string, unknown>) => map.get("k")],
    [
      "objects",
      (value) => new PyObject(program, "X", Tuple.of(value)),
      (object: PyObject) => object.args[0],
      2,
    ],
  ])("%s", async (_, around, inside, perLevel = 1) => {
    let value: unknown = 1;
    for (let depth = 0; depth < MAX_DEPTH; depth += perLevel) value = around(value);
    // A call from a deep stack: the encoder's own stack must not matter.
    const deep = (calls: number): Promise<unknown> =>
      calls > 0 ? deep(calls - 1) : roundTrip(value);
    let again = await deep(4000);
    for (let depth = 0; depth < MAX_DEPTH; depth += perLevel) again = inside(again as never);
    expect(again).toBe(1);
  });
});

describe("the file", () => {
  it("is an archive as torch.save lays it out", async () => {
    const path = join(temporaryFolder(), "some.name.pt");
    await save({ t: new Tensor("int16", [3], Int16Array.of(1, 2, 3)) }, path);
    const bytes = readFileSync(path);
    const names = bytes.toString("latin1").match(/some\.name\/[.\w/]+?(?=FB)/g);
    expect(names).toEqual([
      "some.name/data.pkl",
      "some.name/.format_version",
      "some.name/.storage_alignment",
      "some.name/byteorder",
      "some.name/data/0",
      "some.name/version",
      "some.name/.data/serialization_id",
    ]);
    const data = bytes.indexOf(Buffer.from(Int16Array.of(1, 2, 3).buffer));
    expect(data % 64).toBe(0);
    expect((await inspect(path)).globals).toEqual([
      "collections.OrderedDict",
      "torch.ShortStorage",
      "torch._utils._rebuild_tensor_v2",
    ]);
  });

  it("replaces an older file and keeps its permissions, also behind a link", async () => {
    const folder = temporaryFolder();
    const [path, link] = [join(folder, "file.pt"), join(folder, "link.pt")];
    writeFileSync(path, "before");
    chmodSync(path, 0o640);
    symlinkSync("file.pt", link);
    await save([1], link);
    expect(await load(path)).toEqual([1]);
    expect(statSync(path).mode & 0o777).toBe(0o640);
    expect(readlinkSync(link)).toBe("file.pt");
    expect(readdirSync(folder).sort()).toEqual(["file.pt", "link.pt"]);
  });

  it("is refused at a path where no file can be", async () => {
    const folder = temporaryFolder();
    mkdirSync(join(folder, "taken"));
    const missing = await sdaError(() => save(1, join(folder, "missing", "file.pt")));
    expect(missing.code).toBe("ERR_SDA_NOT_FOUND");
    const taken = await sdaError(() => save(1, join(folder, "taken")));
    expect(taken.code).toBe("ERR_SDA_ARGUMENT");
    expect((await sdaError(() => save(1, "/dev/null"))).code).toBe("ERR_SDA_ARGUMENT");
    expect(readdirSync(folder)).toEqual(["taken"]);
  });

  it("stays as it was when the call is aborted", async () => {
    const path = join(temporaryFolder(), "file.pt");
    const reason = new Error("enough");
    await expect(save([1], path, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
    const controller = new AbortController();
    const tensor = new Tensor("uint8", [2 ** 26], new Uint8Array(2 ** 26));
    const saving = save(tensor, path, { signal: controller.signal });
    setTimeout(() => controller.abort(reason), 5);
    await expect(saving).rejects.toBe(reason);
    expect(readdirSync(join(path, ".."))).toEqual([]);
  });

  it("leaves no trace when the disk is full", () => {
    const path = join(temporaryFolder(), "large.pt");
    // 4096 blocks of 512 bytes: at most 2 MiB a file.
    const limited = ["-c", 'ulimit -f 4096; exec "$@"', "sh", process.execPath];
    const { stdout } = spawnSync("sh", [...limited, script, path, "8"], { encoding: "utf8" });
    expect(stdout).toBe(`saving\nERR_SDA_IO ${constants.errno.EFBIG}\n`);
    expect(readdirSync(join(path, ".."))).toEqual(["large.pt.warm-up"]);
  });

  /** A second copy in memory would exceed the limit. */
  const MIB = count({ quick: 48, full: 100 });

  it.each(["tensor", "array", "columns", "bytes"])(
    "takes little memory beyond the program's own: %s",
    async (kind) => {
      const path = join(temporaryFolder(), "large.pt");
      const node = [process.execPath, script, path, String(MIB), kind] as const;
      const { stdout } = spawnSync(node[0], node.slice(1), { encoding: "utf8" });
      expect(statSync(path).size).toBeGreaterThan(MIB * 2 ** 20);
      expect(Number(stdout.replace("saving\n", ""))).toBeLessThan(32 * 2 ** 20);
      expect(await verifyFile(path)).toMatchObject({ ok: true });
    },
  );

  it("refuses an array that changes while it is saved, and leaves nothing", async () => {
    const path = join(temporaryFolder(), "file.pt");
    const data = new Uint8Array(2 ** 26);
    const saving = save([new NdArray("uint8", [data.length], data)], path);
    const changing = setInterval(() => data.fill(data[0] === 0 ? 255 : 0));
    const outcome = await saving.then(
      () => null,
      (error: { code?: string }) => error,
    );
    clearInterval(changing);
    // Chance decides whether a change comes in between. No file is ever a mixture.
    if (outcome !== null) expect(outcome.code).toBe("ERR_SDA_ARGUMENT");
    expect(existsSync(path)).toBe(outcome === null);
    if (outcome === null) expect(await verifyFile(path)).toMatchObject({ ok: true });
    expect(temps(join(path, ".."))).toEqual([]);
  });
});

describe("a killed writer", () => {
  it("leaves at most a temporary file, which is removed only after its death", async () => {
    const folder = temporaryFolder();
    const path = join(folder, "large.pt");
    const child = spawn(process.execPath, [script, path, "200"], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    const ended = once(child, "close");
    await once(child.stdout, "data");
    while (temps(folder).length === 0) await new Promise((resolve) => setTimeout(resolve, 1));
    child.kill("SIGSTOP");
    expect(await checkpointAddon().removeStaleTemps(folder)).toBe(0);
    expect(temps(folder)).toHaveLength(1);
    child.kill("SIGKILL");
    await ended;
    expect(existsSync(path)).toBe(false);
    expect(await checkpointAddon().removeStaleTemps(folder)).toBe(1);
    expect(temps(folder)).toEqual([]);
  });

  it("is recognised by the name of its file", async () => {
    const folder = temporaryFolder();
    for (const name of [".sda-1-2.tmp", ".sda-.tmp", "sda-1-2-3.tmp", ".sda-1-2-3.tmp.sda"]) {
      writeFileSync(join(folder, name), "");
    }
    mkdirSync(join(folder, ".sda-1-2-3.tmp"));
    expect(await checkpointAddon().removeStaleTemps(folder)).toBe(0);
    writeFileSync(join(folder, ".sda-1-2-4.tmp"), "");
    expect(await checkpointAddon().removeStaleTemps(folder)).toBe(1);
  });
});

it("what a killed writer left behind a link is removed by the next one", async () => {
  const [folder, elsewhere] = [temporaryFolder(), temporaryFolder()];
  const left = join(folder, ".sda-1-2-4.tmp");
  writeFileSync(left, "");
  writeFileSync(join(elsewhere, ".sda-1-2-4.tmp"), "");
  writeFileSync(join(folder, "a.pt"), "");
  symlinkSync(join(folder, "a.pt"), join(elsewhere, "link.pt"));
  await save({ n: 1 }, join(elsewhere, "link.pt"));
  expect(readdirSync(folder)).toEqual(["a.pt"]);
});

describe("what can't be saved", () => {
  class Own {}
  type Resizable = new (size: number, options: { maxByteLength: number }) => ArrayBuffer;
  const path = join("/", "nowhere");
  const nested = (value: unknown) => new Map([["list", [0, { key: value }]]]);
  const f32 = (...values: number[]) => Float32Array.from(values);
  const resizable = new (ArrayBuffer as unknown as Resizable)(8, { maxByteLength: 16 });

  it.each<[string, unknown]>([
    ["undefined", undefined],
    ["a function", () => 1],
    ["a symbol", Symbol("s")],
    ["an object of some class", new Own()],
    ["a date", new Date()],
    ["a typed array", f32(1)],
    ["an array with holes", new Array(3)],
    ["a list as a key", new Map([[[1], 1]])],
    ["a dict in a set", new Set([new Map()])],
    ["a list in a tuple in a set", new Set([Tuple.from([[1]])])],
    ["a tensor with too few elements", new Tensor("float32", [2], f32(1))],
    ["a tensor with another array", new Tensor("float64", [1], f32(1))],
    ["a tensor of no type", new Tensor("float128" as "float32", [1], f32(1))],
    ["a tensor of a strange shape", new Tensor("float32", [0.5], f32(1))],
    ["a numpy array of bfloat16", new NdArray("bfloat16", [1], Uint16Array.of(1))],
    ["shared memory", new Tensor("uint8", [8], new Uint8Array(new SharedArrayBuffer(8)))],
    ["resizable memory", new Tensor("uint8", [8], new Uint8Array(resizable))],
  ])("%s: says where it is", async (_, value) => {
    const error = await sdaError(() => save(nested(value), path));
    expect(error.code).toBe("ERR_SDA_ARGUMENT");
    expect(error.details?.["at"]).toMatch(/^value\["list"\]\[1\]\["key"\]/);
  });

  it("a transferred array", async () => {
    const data = f32(1, 2);
    const tensor = new Tensor("float32", [2], data);
    structuredClone(data.buffer, { transfer: [data.buffer] });
    expect((await sdaError(() => save(tensor, path))).message).toMatch(/transferred/);
  });

  it("a tensor that was read without its weights", async () => {
    const value = await load(fixture("torch/bare-tensor.pt"), { weights: false });
    expect((await sdaError(() => save(value, path))).message).toMatch(/without weights/);
  });

  it("classes and functions that reading would refuse", async () => {
    const file = join(temporaryFolder(), "file.pt");
    const program = "small_dataset_audio.training.config";
    for (const value of [
      new PyObject("os", "system", Tuple.from(["true"])),
      new PyObject("torch", "load", Tuple.from(["x"])),
      new PyObject("collections", "OrderedDict"),
      new PyGlobal("os", "system"),
      new PyGlobal("builtins", "eval"),
      new PyObject(`${program}\nos\nsystem`, "X"),
      new PyObject(program, "X\nR"),
      new PyObject(program, "os.system"),
      new PyObject(program, ""),
    ]) {
      expect((await sdaError(() => save([value], file))).code).toBe("ERR_SDA_UNSAFE");
    }
    const inert = await load(fixture("torch/module.pt"), { unknownGlobals: "inert" });
    expect((await sdaError(() => save(inert, file))).code).toBe("ERR_SDA_UNSAFE");
    expect(readdirSync(join(file, ".."))).toEqual([]);
  });

  it("containers that are nested too deep, or made from themselves", async () => {
    const file = join(temporaryFolder(), "file.pt");
    let deep: unknown = 1;
    for (let i = 0; i < 3000; i++) deep = [deep];
    expect((await sdaError(() => save(deep, file))).code).toBe("ERR_SDA_LIMIT");
    const tuple = new Tuple<unknown>();
    tuple.push(tuple);
    expect((await sdaError(() => save(tuple, file))).code).toBe("ERR_SDA_LIMIT");
  });
});

describe("attributes of tensors", () => {
  const tensor = (...values: number[]) =>
    new Tensor("float32", [values.length], Float32Array.from(values));

  it("come back, with what they share", async () => {
    const [weight, scale] = [tensor(1, 2), tensor(3)];
    const notes = ["a", 2n ** 64n];
    weight.attributes = new Map<string, unknown>([
      ["scale", scale],
      ["notes", notes],
    ]);
    scale.attributes = new Map([["notes", notes]]);
    const again = (await roundTrip([weight, scale])) as [Tensor, Tensor];
    expect(again[0].attributes).toEqual(weight.attributes);
    expect(again[0].attributes?.get("scale")).toBe(again[1]);
    expect(again[1].attributes?.get("notes")).toBe(again[0].attributes?.get("notes"));
  });

  it("are missing where there are none", async () => {
    const plain = tensor(1);
    const cleared = tensor(2);
    cleared.attributes = new Map([["a", 1]]);
    cleared.attributes = null;
    const empty = tensor(3);
    empty.attributes = new Map();
    const again = (await roundTrip([plain, cleared, empty])) as Tensor[];
    expect(again.map(({ attributes }) => attributes)).toEqual([undefined, undefined, undefined]);
  });

  it.each<[string, () => Tensor, unknown]>([
    ["with a number as name", () => tensor(1), new Map([[1, 2]])],
    ["in a plain object", () => tensor(1), { a: 1 }],
    ["of a numpy array", () => new NdArray("int8", [1], Int8Array.of(1)), new Map([["a", 1]])],
  ])("are refused: %s", async (_, make, attributes) => {
    const value = make();
    value.attributes = attributes as Map<string, unknown>;
    const error = await sdaError(() => save([value], "/nowhere"));
    expect([error.code, error.details]).toEqual(["ERR_SDA_ARGUMENT", { at: "value[0]" }]);
  });

  it("that cannot be saved have a path", async () => {
    const value = tensor(1);
    value.attributes = new Map([["f", () => 1]]);
    const error = await sdaError(() => save([value], "/nowhere"));
    expect(error.details).toEqual({ at: 'value[0]["attributes"]["f"]' });
  });

  it("that a file gives in two parts, for __dict__ and __slots__, are joined", async () => {
    const made = tensorCode({ storage: storageCode(3) });
    const withState = (state: Buffer) =>
      call(
        global("torch._utils", "_rebuild_parameter_with_state"),
        made,
        TRUE,
        call(global("collections", "OrderedDict")),
        state,
      );
    const [a, b] = [dict([str("a"), int(1)]), dict([str("b"), int(2)])];
    const states = [
      a,
      NONE,
      dict(),
      tuple(a, b),
      tuple(NONE, b),
      tuple(a, NONE),
      tuple(NONE, NONE),
    ];
    const read = (await loadPickle(list(...states.map(withState)), {
      "0": THREE_FLOATS,
    })) as Tensor[];
    expect(
      read.map(({ attributes }) => (attributes ? Object.fromEntries(attributes) : null)),
    ).toEqual([{ a: 1 }, null, null, { a: 1, b: 2 }, { b: 2 }, { a: 1 }, null]);
  });
});

describe("values", () => {
  it.each([
    0n,
    1n,
    -1n,
    255n,
    -256n,
    2n ** 53n,
    2n ** 63n,
    -(2n ** 63n),
    2n ** 64n,
    -(9n ** 5000n),
  ])("of type bigint come back: %s", async (value) => {
    const again = (await roundTrip({ value, list: [value] })) as Map<string, unknown>;
    expect(BigInt(again.get("value") as bigint)).toBe(value);
    expect(again.get("list")).toEqual([again.get("value")]);
  });

  it("of every kind come back", async () => {
    const object = new PyObject("small_dataset_audio.x", "Y", Tuple.from([1]), new Map([["a", 1]]));
    object.allocated = true;
    object.items.push(1.5);
    object.entries.push(["k", new Complex(1, 2)]);
    const value = new Map<unknown, unknown>([
      ["object", object],
      ["global", new PyGlobal("torch", "float32")],
      ["class", new PyGlobal("builtins", "list")],
      ["dtype", new PyGlobal("numpy", "float64")],
      ["surrogate", "\ud800 \u{10ffff} é"],
      ["long", "x".repeat(70_000)],
      ["ordered", new OrderedDict([[1, 2n ** 64n]])],
      ["many", Array.from({ length: 2500 }, (_, i) => i / 2)],
      ["complex at an odd half", new Tensor("complex128", [1], new Float64Array(4).subarray(1, 3))],
    ]);
    const again = (await roundTrip(value)) as typeof value;
    value.set("class", new PyGlobal("__builtin__", "list"));
    expect(again).toEqual(value);
  });
});
