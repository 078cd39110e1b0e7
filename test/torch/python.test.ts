/** Random values that torch.save writes during the test, compared with descriptions by Python. */
import { readdirSync } from "node:fs";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import {
  Complex,
  Counter,
  DefaultDict,
  Deque,
  inspect,
  JaggedTensor,
  load,
  MetaTensor,
  NestedTensor,
  NumpyArray,
  NumpyScalar,
  OrderedDict,
  PyGlobal,
  PyObject,
  QuantizedTensor,
  SparseTensor,
  save,
  Tensor,
  Tuple,
} from "../../lib/torch/index.js";
import { expectDescribed } from "../support/described.js";
import { fixture, readable } from "../support/fixtures.js";
import { temporaryFolder } from "../support/folder.js";
import { runTorchPython, torchPython } from "../support/python.js";

const script = fileURLToPath(new URL("../python/describe.py", import.meta.url));
const sameDescription = fileURLToPath(new URL("../python/same_description.py", import.meta.url));
const objects = fileURLToPath(new URL("../python/write_objects.py", import.meta.url));
const same = fileURLToPath(new URL("../python/same_repr.py", import.meta.url));
const JAGGED = "torch.nested._internal.nested_tensor";
const SEED = 20_260_214;
const COUNT = 60;

test.skipIf(torchPython === null)(
  "what torch.save writes, protocols 2 to 5, zip and legacy",
  async () => {
    const folder = temporaryFolder();
    const arguments_ = [script, folder, String(SEED), String(COUNT)];
    const output = await runTorchPython(arguments_);
    const written = output.trim().split("\n");
    expect(written).toHaveLength(COUNT);
    for (const line of written) {
      const { files, value } = JSON.parse(line);
      for (const name of files) {
        const path = join(folder, name);
        expectDescribed(await load(path), value, name);
        expectDescribed(await load(path, { verify: false }), value, `${name}, mapped`);
        expect((await inspect(path)).container).toBe(name.includes("legacy") ? "legacy" : "zip");
      }
    }
  },
);

/** A file of numpy 2 that the same version reads; torch.load reads it. */
const files = readable.filter(
  ({ python_loads, value, same_value_as }) => python_loads !== false && (value ?? same_value_as),
);

test.skipIf(torchPython === null)("what is saved again is the same to torch.load", async () => {
  const copies = temporaryFolder();
  const pairs: string[] = [];
  for (const { file } of files) {
    const copy = join(copies, basename(file));
    await save(await load(fixture(file)), copy);
    pairs.push(fixture(file), copy);
  }
  expect(pairs.length).toBeGreaterThan(60);
  expect(await runTorchPython([sameDescription, ...pairs])).toBe("");
});

test.skipIf(torchPython === null)("collections and described objects of Python", async () => {
  const folder = temporaryFolder();
  const written = (await runTorchPython([objects, folder])).trim().split("\n");
  expect(written.length).toBeGreaterThan(50);
  const pairs: string[] = [];
  for (const path of written) {
    const copy = `${path}.copy`;
    const report = await save(await load(path), copy);
    expect(report.notKept, path).toEqual([]);
    pairs.push(path, copy);
  }
  expect(await runTorchPython([same, ...pairs])).toBe("");
});

test.skipIf(torchPython === null)("collections and described objects of JavaScript", async () => {
  const folder = temporaryFolder();
  const f32 = (...values: number[]) =>
    new Tensor("float32", [values.length], Float32Array.from(values));
  const i64 = (shape: number[], ...values: bigint[]) =>
    new Tensor("int64", shape, BigInt64Array.from(values));
  const parts = (...items: unknown[]) => Tuple.from(items);
  const layout = new PyObject("torch.serialization", "_get_layout", parts("torch.sparse_coo"));
  const dtype = new PyObject("numpy", "dtype", parts("S4", false, true));
  dtype.state = parts(3, "|", null, null, null, 4, 1, 0);
  const texts = parts(1, parts(2), dtype, false, Buffer.from("rainwind"));
  const ordered = new OrderedDict([["b", 1n]]);
  ordered.attributes = new Map([["note", "x"]]);
  const deque = Deque.of<unknown>(1, 0.5);
  deque.maxlen = 4;
  const lists = new DefaultDict([["a", [1]]]);
  lists.factory = new PyGlobal("builtins", "list");
  const values: [unknown, string][] = [
    [ordered, "OrderedDict([('b', 1)])"],
    [new Counter([["rain", 3]]), "Counter({'rain': 3})"],
    [lists, "defaultdict(<class 'list'>, {'a': [1]})"],
    [deque, "deque([1, 0.5], maxlen=4)"],
    [new Complex(1, -2), "(1-2j)"],
    [
      new SparseTensor(
        "torch._utils",
        "_rebuild_sparse_tensor",
        parts(layout, parts(i64([2, 1], 0n, 1n), f32(5), parts(2, 2), true)),
      ),
      "size=(2, 2), nnz=1",
    ],
    [
      new QuantizedTensor(
        "torch._utils",
        "_rebuild_qtensor",
        parts(
          new Tensor("qint8", [2], Int8Array.of(1, 3)),
          0,
          parts(2),
          parts(1),
          parts(new PyGlobal("torch", "per_tensor_affine"), 0.5, 1),
          false,
          new OrderedDict(),
        ),
      ),
      "tensor([0., 1.], size=(2,), dtype=torch.qint8",
    ],
    [
      new NestedTensor(
        "torch._utils",
        "_rebuild_nested_tensor",
        parts(f32(1, 2, 3), i64([2, 1], 1n, 2n), i64([2, 1], 1n, 1n), i64([2], 0n, 1n)),
      ),
      "nested_tensor([",
    ],
    [
      new JaggedTensor(
        "torch._tensor",
        "_rebuild_from_type_v2",
        parts(
          new PyGlobal(JAGGED, "_rebuild_njt"),
          new PyGlobal(JAGGED, "NestedTensor"),
          parts(
            new Map<string, unknown>([
              ["values", f32(1, 2, 3)],
              ["offsets", i64([3], 0n, 1n, 3n)],
              ["lengths", null],
              ["_ragged_idx", 1],
              ["_metadata_cache", new Map()],
            ]),
          ),
          new Map(),
        ),
      ),
      "NestedTensor(size=(2, j",
    ],
    [
      new MetaTensor(
        "torch._utils",
        "_rebuild_meta_tensor_no_storage",
        parts(new PyGlobal("torch", "float32"), parts(2, 3), parts(3, 1), false),
      ),
      "tensor(..., device='meta', size=(2, 3))",
    ],
    [
      Object.assign(
        new NumpyArray(
          "numpy.core.multiarray",
          "_reconstruct",
          parts(new PyGlobal("numpy", "ndarray"), parts(0), Uint8Array.of(98)),
        ),
        { state: texts },
      ),
      "array([b'rain', b'wind'], dtype='|S4')",
    ],
    [
      new NumpyScalar("numpy.core.multiarray", "scalar", parts(dtype, Buffer.from("rain"))),
      "np.bytes_(b'rain')",
    ],
  ];
  const none = join(folder, "none.pt");
  await save(null, none);
  for (const [i, [value, shown]] of values.entries()) {
    const path = join(folder, `${i}.pt`);
    await save(value, path);
    const [before = "", after] = (await runTorchPython([same, path, none])).split(" became ");
    expect(after).toBe("None\n");
    expect(before.replace(/\s+/g, " ")).toContain(shown);
  }
});

const TYPED = /numpy.*(unicode|object|structured|datetime|bytes|record)|sparse|meta\.pt|quantized/;

test.skipIf(torchPython === null)(
  "what is no dense tensor is saved as torch reads it",
  async () => {
    const folder = fileURLToPath(new URL("../fixtures/torch/", import.meta.url));
    const copies = temporaryFolder();
    const pairs: string[] = [];
    for (const name of readdirSync(folder).filter((one) => TYPED.test(one))) {
      const [original, copy] = [join(folder, name), join(copies, name)];
      await save(await load(original), copy);
      pairs.push(original, copy);
    }
    expect(pairs.length).toBeGreaterThan(30);
    const collections = join(copies, "collections.pt");
    const deque = Deque.of(1, 2);
    deque.maxlen = 3;
    const lists = new DefaultDict([["a", [1]]]);
    lists.factory = new PyGlobal("builtins", "list");
    await save({ words: new Counter([["rain", 3]]), deque, lists }, collections);
    pairs.push(collections, collections);
    expect(await runTorchPython([same, ...pairs])).toBe("");
    expect(await runTorchPython([same, collections, pairs[0] as string])).toContain(
      "{'words': Counter({'rain': 3}), 'deque': deque([1, 2], maxlen=3), " +
        "'lists': defaultdict(<class 'list'>, {'a': [1]})}",
    );
  },
);
