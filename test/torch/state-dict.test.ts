import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { load, OrderedDict, PyObject, stateDict, Tensor, Tuple } from "../../lib/torch/index.js";
import { sdaError } from "../support/errors.js";
import { fixture } from "../support/fixtures.js";
import { runTorchPython, torchPython } from "../support/python.js";

const tensor = (...values: number[]) =>
  new Tensor("float32", [values.length], Float32Array.from(values));
const dict = (entries: Record<string, unknown>) => new Map(Object.entries(entries));
const w = tensor(1);
const b = tensor(2);
const weights = () => new OrderedDict(Object.entries({ "layer.weight": w, "layer.bias": b }));

/** A module as pickle keeps it. */
function module(
  parameters: Record<string, unknown>,
  modules: Record<string, PyObject> = {},
  buffers: Record<string, unknown> = {},
  hidden: string[] = [],
): PyObject {
  const state = dict({
    training: true,
    _parameters: dict(parameters),
    _buffers: dict(buffers),
    _non_persistent_buffers_set: new Set(hidden),
    _modules: dict(modules),
  });
  return new PyObject("someone.model", "Net", new Tuple(), state);
}

const optimizer = dict({
  state: dict({ 0: dict({ exp_avg: tensor(5), exp_avg_sq: tensor(6) }) }),
  param_groups: [dict({ lr: 0.1 })],
});
const NAMES = ["layer.weight", "layer.bias"];

describe("stateDict finds the weights of", () => {
  const whole = module({}, { layer: module({ weight: w, bias: b }) });
  test.each<[string, unknown, string[]?]>([
    ["a state dict", weights()],
    [
      "a state dict with extra state",
      new Map<string, unknown>([...weights(), ["x._extra_state", dict({ a: w })]]),
    ],
    [
      "a checkpoint",
      dict({ epoch: 3, model_state_dict: weights(), optimizer_state_dict: optimizer }),
    ],
    ["a Lightning checkpoint", dict({ state_dict: weights(), callbacks: dict({ best: w }) })],
    ["a checkpoint with a score that is a tensor", dict({ state_dict: weights(), best: w })],
    ["a usual key before others", dict({ other: weights(), model: weights() })],
    ["the only place", dict({ epoch: 1, "my weights": weights() })],
    ["the only place, further down", dict({ saved: dict({ inner: weights(), optimizer }) })],
    ["DataParallel", dict({ "module.layer.weight": w, "module.layer.bias": b })],
    [
      "DataParallel in torch.compile",
      dict({ "_orig_mod.module.layer.weight": w, "_orig_mod.module.layer.bias": b }),
    ],
    ["a whole module", whole],
    ["a whole module in DataParallel", module({}, { module: whole })],
    ["a module as YOLO keeps it", dict({ epoch: -1, model: whole, ema: null })],
    ["a module in training as YOLO keeps it", dict({ model: null, ema: whole, updates: 7 })],
    ["an object with slots", new PyObject("a", "B", new Tuple(), Tuple.of(whole.state, dict({})))],
    [
      "a module of torch.fx",
      new PyObject(
        "torch.fx.graph_module",
        "reduce_graph_module",
        Tuple.of(whole.state, "import torch"),
      ),
    ],
    [
      "a module without parameters, with buffers",
      module({ weight: null }, {}, { mean: w, cache: b, none: null }, ["cache"]),
      ["mean"],
    ],
  ])("%s", (_, value, names = NAMES) => {
    const found = stateDict(value);
    expect([...found.keys()]).toEqual(names);
    expect(found.get(names[0] as string)).toBe(w);
  });

  test("a module that is used twice, and one that holds itself", () => {
    const shared = module({ weight: w });
    expect([...stateDict(module({}, { a: shared, b: shared })).keys()]).toEqual([
      "a.weight",
      "b.weight",
    ]);
    const own = module({ weight: w });
    ((own.state as Map<string, Map<string, unknown>>).get("_modules") as Map<string, unknown>).set(
      "me",
      own,
    );
    expect([...stateDict(own).keys()]).toEqual(["weight"]);
  });

  test("the key that is given", () => {
    const gan = dict({ G: weights(), D: dict({ "x.y": b }), "a.b": dict({ c: w }) });
    expect([...stateDict(gan, { key: "D" }).keys()]).toEqual(["x.y"]);
    expect([...stateDict(gan, { key: "a.b" }).keys()]).toEqual(["c"]);
    expect([...stateDict(dict({ gan }), { key: "gan.G" }).keys()]).toEqual(NAMES);
    expect([...stateDict([1, weights()], { key: "1" }).keys()]).toEqual(NAMES);
  });
});

describe("stateDict refuses", () => {
  test.each<[string, unknown]>([
    ["nothing", null],
    ["a number", 3],
    ["a tensor", w],
    ["an empty dict", new Map()],
    ["an optimizer", optimizer],
    ["a checkpoint of an optimizer", dict({ optimizer, epoch: 1 })],
    ["numbers as keys", new Map([[1, w]])],
    ["settings", dict({ lr: 0.1, sizes: [1, 2] })],
  ])("%s", async (_, value) => {
    const error = await sdaError(() => stateDict(value));
    expect(error.code).toBe("ERR_SDA_ARGUMENT");
    expect(error.details).toEqual({ option: "key", candidates: [] });
  });

  test("several models, and lists them", async () => {
    const gan = dict({ G: weights(), D: weights(), more: dict({ E: weights() }), optimizer });
    const error = await sdaError(() => stateDict(gan));
    expect(error.details?.["candidates"]).toEqual(["G", "D", "more.E"]);
    expect(error.message).toContain("give one of these as key: G, D, more.E");
    const wrong = await sdaError(() => stateDict(gan, { key: "X" }));
    expect(wrong.message).toMatch(/^no weights under the key "X" in this value; give one of/);
    await sdaError(() => stateDict(gan, { keys: "G" } as never));
  });

  test("a dict that holds itself", async () => {
    const self = new Map<string, unknown>();
    self.set("self", self);
    expect((await sdaError(() => stateDict(self))).code).toBe("ERR_SDA_ARGUMENT");
  });
});

test.each(["module.pt", "module-legacy.pt"])("a whole module of a file: %s", async (name) => {
  const value = await load(fixture(`torch/${name}`), { unknownGlobals: "inert" });
  const found = stateDict(value);
  expect([...found.keys()]).toEqual(NAMES);
  expect([...(found.get("layer.weight") as Tensor).data]).toEqual([1, 2, 3, 4]);
});

const cases = fileURLToPath(new URL("../../../shared/cases/torch/files/", import.meta.url));
const script = fileURLToPath(new URL("../python/module_names.py", import.meta.url));

test.skipIf(torchPython === null || !existsSync(cases))(
  "whole modules have the names of module.state_dict()",
  async () => {
    const files = readdirSync(cases).filter((name) => /whole|fx_|module_/.test(name));
    const output = await runTorchPython([script, ...files.map((name) => join(cases, name))]);
    const expected: Record<string, string[]> = JSON.parse(output);
    let compared = 0;
    for (const [path, names] of Object.entries(expected)) {
      if (path.includes("quant_")) continue; // its scales are made by Python
      const value = await load(path, { unknownGlobals: "inert" });
      expect([...stateDict(value).keys()], path).toEqual(names);
      compared++;
    }
    expect(compared).toBeGreaterThan(4);
  },
);
