/** The examples run as they stand, from the built package; the README's first code is examples/play.mjs. */
import { spawnSync } from "node:child_process";
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { load, type Tensor } from "../lib/torch/index.js";
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

/** A folder where the examples find the package. */
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

test.skipIf(!engineBuilt || !existsSync(join(root, "dist/index.js")))("it plays", () => {
  const folder = workplace();
  mkdirSync(join(folder, "assets/models"), { recursive: true });
  const model = "assets/models/synthetic-plucks.sda";
  cpSync(join(root, model), join(folder, model));
  const ended = run(folder, "play.mjs");
  expect(ended).toMatchObject({ status: 0, stderr: "" });
  expect(ended.stdout).toMatch(/^Synthetic Plucks 1\.\d+ s, /);
  expect(statSync(join(folder, "moved.wav")).size).toBeGreaterThan(200_000);
});

const fixture = (name: string) => join(root, "test/fixtures", name);
const built = existsSync(join(root, "dist/index.js"));

test.skipIf(!built)("state-dict.mjs lists tensors", () => {
  const ended = run(workplace(), "state-dict.mjs", fixture("torch/bare-tensor.pt"));
  expect(ended).toMatchObject({ status: 0, stderr: "" });
  expect(ended.stdout).toContain("(the file itself) float32 [2, 3]");
  const model = run(workplace(), "state-dict.mjs", fixture("models/tiny.sda"));
  expect(model.stdout).toContain("model_state_dict.decoder.fc.weight float16 [");
});

test.skipIf(!built)("check-folder.mjs tells what would run code from what would not", () => {
  const folder = workplace();
  const models = join(folder, "models");
  mkdirSync(models);
  cpSync(fixture("models/tiny.sda"), join(models, "good.sda"));
  expect(run(folder, "check-folder.mjs", "models")).toMatchObject({ status: 0, stderr: "" });
  const evil = pickle(call(global("os", "system"), tuple(str("x"))));
  writeFileSync(join(models, "evil.pt"), torchZip(evil).bytes);
  writeFileSync(join(models, "junk.bin"), "nothing");
  const ended = run(folder, "check-folder.mjs", "models");
  expect(ended).toMatchObject({ status: 1, stderr: "" });
  expect(ended.stdout).toMatch(
    /^refused\tevil.pt\tos.system\nsafe\tgood.sda\t.*\nunread\tjunk.bin\tERR_SDA_FORMAT: .*\n$/,
  );
});

interface Described {
  dtype: string;
  shape: number[];
  data_offsets: [number, number];
}

test.skipIf(!built)(
  "to-safetensors.mjs keeps every tensor, bit for bit, and no half files",
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

const withSafetensors =
  torchPython && spawnSync(torchPython, ["-c", "import safetensors.torch"]).status === 0;
test.skipIf(!built || !withSafetensors)(
  "Python's safetensors reads what torch.load reads",
  () => {
    const folder = workplace();
    const source = fixture("models/tiny-bfloat16.sda");
    expect(run(folder, "to-safetensors.mjs", source, "out.safetensors").status).toBe(0);
    const script = `
import pickle, sys, types, enum, torch
from safetensors.torch import load_file
for name in ("small_dataset_audio", "small_dataset_audio.training", "small_dataset_audio.training.config"):
    sys.modules[name] = types.ModuleType(name)
sys.modules["small_dataset_audio.training.config"].OverfittingPreset = lambda value: value
a = torch.load(sys.argv[1], weights_only=False)["model_state_dict"]
b = load_file(sys.argv[2])
assert a.keys() == b.keys()
assert all(a[k].dtype == b[k].dtype and torch.equal(a[k], b[k]) for k in a)
print(len(b))`;
    const output = join(folder, "out.safetensors");
    const ended = spawnSync(torchPython as string, ["-c", script, source, output], {
      encoding: "utf8",
    });
    expect(ended).toMatchObject({ status: 0, stderr: "" });
    expect(Number(ended.stdout)).toBeGreaterThan(40);
  },
  60_000,
);
