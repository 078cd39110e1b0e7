import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { assess, inspect, load } from "../../lib/torch/index.js";
import { sdaError } from "../support/errors.js";
import {
  type Code,
  call,
  global,
  int,
  pickle,
  stackGlobal,
  str,
  tuple,
} from "../support/pickle-builder.js";
import { fileOf } from "../support/torch-file.js";
import { torchZip } from "../support/zip-builder.js";

const fixtures = fileURLToPath(new URL("../fixtures/", import.meta.url));
const file = (value: Code) => fileOf(torchZip(pickle(value)).bytes);
const assessed = async (path: string) => assess(await inspect(path));
const PRESET = "small_dataset_audio.training.config.OverfittingPreset";

test("a model is safe, and its Enum is listed apart", async () => {
  const found = await assessed(join(fixtures, "models/tiny.sda"));
  expect(found).toMatchObject({ verdict: "safe", refused: [], project: [PRESET] });
  expect(found.known).toContain("torch._utils._rebuild_tensor_v2");
  expect(found.known).not.toContain(PRESET);
});

test.each([
  ["os", "system"],
  ["builtins", "eval"],
  ["torch", "load"],
  ["small_dataset_audio_evil", "f"],
  ["small_dataset_audio", "os.system"],
])("%s %s is refused, whether called or named, and load refuses it too", async (module, name) => {
  // With the opcode of protocol 4, a dotted name is a path of attributes.
  const named = stackGlobal(module, name);
  for (const value of [named, call(named, tuple(str("x")))]) {
    const path = file(value);
    expect(await assessed(path)).toMatchObject({
      verdict: "refused",
      refused: [`${module}.${name}`],
      known: [],
    });
    expect((await sdaError(() => load(path))).code).toBe("ERR_SDA_UNSAFE");
  }
});

test.each([
  ["a class that opens a file", "numpy.memmap", call(global("numpy", "memmap"), str("x"))],
  ["another codec", "_codecs.encode", call(global("_codecs", "encode"), str("x"), str("rot13"))],
])("a known global that is called for something else is refused: %s", async (_, name, value) => {
  const path = file(value);
  expect(await assessed(path)).toMatchObject({ verdict: "refused", refused: [name], known: [] });
  expect((await sdaError(() => load(path))).code).toBe("ERR_SDA_UNSAFE");
});

test("a function of the Python program is refused although load describes it", async () => {
  const name = "small_dataset_audio.models.persistence.delete_model";
  const path = file(
    call(global("small_dataset_audio.models.persistence", "delete_model"), tuple(str("x"))),
  );
  expect(await assessed(path)).toEqual({
    verdict: "refused",
    refused: [name],
    known: [],
    project: [name],
  });
  expect(await load(path)).toMatchObject({ name: "delete_model" });
});

test("two globals have the same text: the refused one counts", async () => {
  const good = stackGlobal("torch", "Size");
  const path = file(tuple(good, stackGlobal("builtins", "eval"), int(1)));
  expect((await assessed(path)).refused).toEqual(["builtins.eval"]);
  // "torch._utils" "_rebuild_tensor" is known; "torch" "_utils._rebuild_tensor" is not.
  for (const order of [0, 1]) {
    const two = [
      stackGlobal("torch._utils", "_rebuild_tensor"),
      stackGlobal("torch", "_utils._rebuild_tensor"),
    ];
    const both = file(tuple(...(order ? two.reverse() : two)));
    expect((await assessed(both)).refused).toEqual(["torch._utils._rebuild_tensor"]);
  }
});

test("the verdict is load's own on every fixture", async () => {
  const folder = join(fixtures, "torch");
  let refused = 0;
  for (const name of readdirSync(folder).filter((entry) => entry.endsWith(".pt"))) {
    const path = join(folder, name);
    const found = await assessed(path).catch(() => null);
    const error = await load(path, { weights: false }).then(
      () => null,
      (reason) => reason,
    );
    if (found === null) expect(error, name).not.toBeNull();
    else if (found.verdict === "safe") expect(error?.code, name).not.toBe("ERR_SDA_UNSAFE");
    else if (found.refused.some((entry) => !found.project.includes(entry))) {
      refused++;
      expect(error?.code, name).toBe("ERR_SDA_UNSAFE");
    }
  }
  expect(refused).toBeGreaterThan(0);
});

const corpus = fileURLToPath(new URL("../../../shared/corpus/models", import.meta.url));
test.skipIf(!existsSync(corpus))("every model of the Python program is safe", async () => {
  for (const name of readdirSync(corpus).filter((entry) => entry.endsWith(".sda")))
    expect((await assessed(join(corpus, name))).verdict, name).toBe("safe");
});

test("inspect says why a global is refused", async () => {
  const value = tuple(
    call(global("os", "system"), str("true")),
    global("shop.cart", "Cart"),
    global("builtins", "dict"),
  );
  const { refused } = await inspect(file(value));
  expect(refused).toEqual([
    { global: "os.system", reason: expect.stringContaining("command") },
    { global: "shop.cart.Cart", reason: expect.stringContaining("another program") },
  ]);
});
