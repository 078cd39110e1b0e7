/** The examples run unchanged with the built package. README's first recipe is play.mjs. */
import { spawnSync } from "node:child_process";
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { load, save, Tensor } from "../lib/torch/index.js";
import { temporaryFolder } from "./support/folder.js";
import { engineBuilt } from "./support/native.js";
import { call, global, pickle, str, tuple } from "./support/pickle-builder.js";
import { torchPython } from "./support/python.js";
import { torchZip } from "./support/zip-builder.js";

const root = fileURLToPath(new URL("..", import.meta.url));
const example = readFileSync(join(root, "examples/play.mjs"), "utf8");

test("the README shows examples/play.mjs", () => {
  expect(readFileSync(join(root, "README.md"), "utf8")).toContain(`\`\`\`js\n${example}\`\`\``);
});

/** A folder in which the examples find the package. */
function workplace(): string {
  const folder = temporaryFolder();
  mkdirSync(join(folder, "node_modules"));
  symlinkSync(root, join(folder, "node_modules/small-dataset-audio"), "dir");
  cpSync(join(root, "examples"), folder, { recursive: true });
  return folder;
}

function run(folder: string, ...args: string[]) {
  return spawnSync(process.execPath, args, { cwd: folder, encoding: "utf8" });
}

test.skipIf(!engineBuilt || !existsSync(join(root, "dist/index.js")))(
  "play.mjs writes a WAV file",
  () => {
    const folder = workplace();
    mkdirSync(join(folder, "assets/models"), { recursive: true });
    const model = "assets/models/synthetic-plucks.sda";
    cpSync(join(root, model), join(folder, model));
    const ended = run(folder, "play.mjs");
    expect(ended).toMatchObject({ status: 0, stderr: "" });
    expect(ended.stdout).toMatch(/^Synthetic Plucks 1\.\d+ s, /);
    expect(statSync(join(folder, "moved.wav")).size).toBeGreaterThan(200_000);
  },
);

const fixture = (name: string) => join(root, "test/fixtures", name);
const built = existsSync(join(root, "dist/index.js"));

test.skipIf(!built)("state-dict.mjs lists tensors", () => {
  const ended = run(workplace(), "state-dict.mjs", fixture("torch/bare-tensor.pt"));
  expect(ended).toMatchObject({ status: 0, stderr: "" });
  expect(ended.stdout).toContain("(the file itself) float32 [2, 3]");
  const model = run(workplace(), "state-dict.mjs", fixture("models/tiny.sda"));
  expect(model.stdout).toContain("model_state_dict.decoder.fc.weight float16 [");
});

test.skipIf(!built)("check-folder.mjs separates files that would run code from the others", () => {
  const folder = workplace();
  const models = join(folder, "models");
  mkdirSync(join(models, "below"), { recursive: true });
  cpSync(fixture("models/tiny.sda"), join(models, "below/good.sda"));
  writeFileSync(join(models, "notes.txt"), "no model");
  writeFileSync(join(models, "empty"), "");
  cpSync(fixture("models/tiny-legacy.sda"), join(models, "by-its-pickle"));
  expect(run(folder, "check-folder.mjs", "models")).toMatchObject({
    status: 0,
    stderr: "",
    stdout: expect.stringMatching(
      /^safe\tmodels\/below\/good.sda\t.*\nsafe\tmodels\/by-its-pickle\t.*\n$/,
    ),
  });
  const evil = torchZip(pickle(call(global("os", "system"), tuple(str("x"))))).bytes;
  const evils = ["a.PT", "b.pth", "c.ckpt", "d.bin", "e.pkl", "f.pickle", "g.sda", "h-by-its-zip"];
  for (const name of evils) writeFileSync(join(models, name), evil);
  const ended = run(folder, "check-folder.mjs", "models");
  expect(ended).toMatchObject({ status: 1, stderr: "" });
  expect(ended.stdout.match(/^refused\t.*$/gm)).toEqual(
    evils.map((name) => `refused\tmodels/${name}\tos.system`),
  );
  for (const name of evils) rmSync(join(models, name));
  writeFileSync(join(models, "junk.bin"), "nothing");
  symlinkSync("nowhere", join(models, "lost"));
  const unread = run(folder, "check-folder.mjs", "models");
  expect(unread).toMatchObject({ status: 1, stderr: "" });
  expect(unread.stdout.match(/^unread\t.*$/gm)).toEqual([
    expect.stringMatching(/^unread\tmodels\/junk.bin\tERR_SDA_FORMAT: /),
    expect.stringMatching(/^unread\tmodels\/lost\tENOENT: /),
  ]);
});

interface Described {
  dtype: string;
  shape: number[];
  data_offsets: [number, number];
}

test.skipIf(!built)(
  "to-safetensors.mjs keeps every tensor bit for bit and leaves no partial files",
  async () => {
    const folder = workplace();
    const source = fixture("models/tiny.sda");
    const ended = run(folder, "to-safetensors.mjs", source, "out.safetensors");
    expect(ended).toMatchObject({ status: 0, stderr: "" });
    const bytes = readFileSync(join(folder, "out.safetensors"));
    const start = 8 + Number(bytes.readBigUInt64LE(0));
    expect(start % 8).toBe(0);
    const header = JSON.parse(bytes.toString("utf8", 8, start)) as Record<string, Described>;
    const weights = ((await load(source)) as Map<string, Map<string, Tensor>>).get(
      "model_state_dict",
    );
    const { __metadata__, ...tensors } = header;
    expect(__metadata__).toEqual({ format: "pt" });
    expect(Object.keys(tensors).sort()).toEqual(
      [...(weights as Map<string, Tensor>).keys()].sort(),
    );
    let at = 0;
    for (const [name, { dtype, shape, data_offsets }] of Object.entries(tensors)) {
      const tensor = weights?.get(name) as Tensor;
      const { data } = tensor;
      expect({ name, shape }).toEqual({ name, shape: tensor.shape });
      expect(dtype).toBe(
        { float16: "F16", float32: "F32", int64: "I64" }[tensor.dtype as "float16"],
      );
      expect(data_offsets).toEqual([at, at + data.byteLength]);
      expect((start + at) % data.BYTES_PER_ELEMENT).toBe(0);
      const written = bytes.subarray(start + at, start + data_offsets[1]);
      expect(written.equals(Buffer.from(data.buffer, data.byteOffset, data.byteLength))).toBe(true);
      at += data.byteLength;
    }
    expect(start + at).toBe(bytes.length);

    const refused = run(folder, "to-safetensors.mjs", fixture("torch/bare-list.pt"), "none");
    expect(refused.status).toBe(1);
    expect(readdirSync(folder).filter((name) => /none|tmp/.test(name))).toEqual([]);
  },
);

/** name → dtype, shape and bytes of a safetensors file. */
function readSafetensors(path: string) {
  const bytes = readFileSync(path);
  const start = 8 + Number(bytes.readBigUInt64LE(0));
  const header = JSON.parse(bytes.toString("utf8", 8, start)) as Record<string, Described>;
  const found = Object.entries(header).filter(([name]) => name !== "__metadata__");
  return new Map(
    found.map(
      ([
        name,
        {
          dtype,
          shape,
          data_offsets: [from, to],
        },
      ]) => [name, { dtype, shape, bytes: bytes.subarray(start + from, start + to) }],
    ),
  );
}

test.skipIf(!built)("to-safetensors.mjs: shared, strided, empty and scalar tensors", async () => {
  const folder = workplace();
  const source = fixture("torch/layouts.pt");
  const ended = run(folder, "to-safetensors.mjs", source, "out.safetensors");
  expect(ended).toMatchObject({ status: 0, stderr: "" });
  const written = readSafetensors(join(folder, "out.safetensors"));
  const read = (await load(source)) as Map<string, Tensor>;
  expect([...written.keys()].sort()).toEqual([...read.keys()].sort());
  for (const [name, { shape, data }] of read) {
    const found = written.get(name);
    expect(found?.shape, name).toEqual(shape);
    expect(found?.bytes, name).toEqual(Buffer.from(data.buffer, data.byteOffset, data.byteLength));
  }
  // The second value of the first row
  expect(written.get("transposed")?.bytes.readInt16LE(2)).toBe(4);
  expect(written.get("empty_2d")).toMatchObject({ dtype: "F64", shape: [3, 0, 2] });
  expect(written.get("scalar")).toMatchObject({ dtype: "F64", shape: [] });
  // "offset", "same_storage" and "unit_dimensions" are views of one storage, each written whole.
  expect(ended.stdout).toMatch(
    /\n2 tensors shared memory with others; the new file holds full copies\n$/,
  );
});

const BOOLS = new Tensor("bool", [3], Uint8Array.of(1, 0, 1));

test.skipIf(!built)(
  "to-safetensors.mjs: each dtype, and dtypes that safetensors lacks",
  async () => {
    const folder = workplace();
    const source = join(folder, "in.pt");
    const all = (await load(fixture("torch/dtypes.pt"))) as Map<string, Tensor>;
    for (const lacking of ["complex32", "complex128"]) {
      await save(
        new Map([
          ["a", BOOLS],
          [lacking, all.get(lacking)],
        ]),
        source,
      );
      const refused = run(folder, "to-safetensors.mjs", source, "none.safetensors");
      expect(refused.status).toBe(1);
      expect(refused.stderr).toContain(
        `tensors["${lacking}"]: safetensors has no dtype ${lacking}`,
      );
      all.delete(lacking);
    }
    expect(readdirSync(folder).filter((name) => /none|tmp/.test(name))).toEqual([]);
    await save(all.set("bools", BOOLS), source);
    const ended = run(folder, "to-safetensors.mjs", source, "out.safetensors");
    expect(ended).toMatchObject({ status: 0, stderr: "" });
    expect(ended.stdout).not.toContain("share");
    const written = readSafetensors(join(folder, "out.safetensors"));
    expect(written.size).toBe(all.size);
    for (const [name, { shape, data }] of all) {
      const found = written.get(name);
      expect(found?.shape, name).toEqual(shape);
      expect(found?.bytes, name).toEqual(
        Buffer.from(data.buffer, data.byteOffset, data.byteLength),
      );
    }
    expect(written.get("bools")).toMatchObject({ dtype: "BOOL", bytes: Buffer.from([1, 0, 1]) });
    expect(written.get("complex64")?.dtype).toBe("C64");
  },
);

const withSafetensors =
  torchPython && spawnSync(torchPython, ["-c", "import safetensors.torch"]).status === 0;
const compare = `
import sys, types, torch
from safetensors.torch import load_file
for name in ("small_dataset_audio", "small_dataset_audio.training", "small_dataset_audio.training.config"):
    sys.modules[name] = types.ModuleType(name)
sys.modules["small_dataset_audio.training.config"].OverfittingPreset = lambda value: value
a = torch.load(sys.argv[1], weights_only=False)
a = a.get("model_state_dict", a)
b = load_file(sys.argv[2])
assert a.keys() == b.keys()
for k in a:
    assert a[k].dtype == b[k].dtype and a[k].shape == b[k].shape, k
    raw = [t.detach().contiguous().reshape(-1).view(torch.uint8) for t in (a[k], b[k])]
    assert torch.equal(*raw), k
print(len(b))`;

test.skipIf(!built || !withSafetensors).each([
  ["a model", async () => fixture("models/tiny-bfloat16.sda"), 57],
  ["layouts", async () => fixture("torch/layouts.pt"), 19],
  ["dtypes", supportedDtypes, 19],
])(
  "Python's safetensors reads what torch.load reads: %s",
  { timeout: 300_000 },
  async (_, make, count) => {
    const folder = workplace();
    const source = await make();
    expect(run(folder, "to-safetensors.mjs", source, "out.safetensors").status).toBe(0);
    const output = join(folder, "out.safetensors");
    const ended = spawnSync(torchPython as string, ["-c", compare, source, output], {
      encoding: "utf8",
    });
    expect(ended).toMatchObject({ status: 0, stderr: "" });
    expect(Number(ended.stdout)).toBe(count);
  },
);

/** All dtypes but those that safetensors lacks. */
async function supportedDtypes(): Promise<string> {
  const all = (await load(fixture("torch/dtypes.pt"))) as Map<string, Tensor>;
  for (const name of ["complex32", "complex128"]) all.delete(name);
  const path = join(temporaryFolder(), "in.pt");
  await save(all, path);
  return path;
}
