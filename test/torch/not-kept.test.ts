/** What `save` keeps of tensors that viewed a storage, and what it says that it does not keep. */
import { statSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { encode } from "../../lib/torch/encode.js";
import { load, type SaveReport, save, Tensor, Tuple } from "../../lib/torch/index.js";
import { rememberView } from "../../lib/values/provenance.js";
import { fixture, generationFixtures, modelFixtures, readable } from "../support/fixtures.js";
import { temporaryFolder } from "../support/folder.js";
import {
  call,
  dict,
  FALSE,
  global,
  int,
  list,
  numpyDtype,
  orderedDict,
  storage,
  str,
  THREE_FLOATS,
  TRUE,
  tensor,
  tuple,
} from "../support/pickle-builder.js";
import { loadPickle } from "../support/torch-file.js";

interface Saved {
  report: SaveReport;
  again: Map<string, Tensor>;
  bytes: number;
}

async function saved(value: unknown): Promise<Saved> {
  const path = join(temporaryFolder(), "file.pt");
  const report = await save(value, path);
  return { report, again: (await load(path)) as Map<string, Tensor>, bytes: statSync(path).size };
}

const elements = (tensor?: Tensor) => Array.from((tensor as Tensor).data as Float32Array);

/** A storage of six numbers: [[0, 1, 2], [3, 4, 5]], as it is, transposed, sliced and expanded. */
function views(): Promise<Map<string, Tensor>> {
  const six = storage(6);
  const view = (offset: number, shape: number[], stride: number[]) =>
    tensor({
      storage: six,
      offset: int(offset),
      shape: tuple(...shape.map(int)),
      stride: tuple(...stride.map(int)),
    });
  const code = dict(
    [str("whole"), view(0, [2, 3], [3, 1])],
    [str("transposed"), view(0, [3, 2], [1, 3])],
    [str("column"), view(1, [2], [3])],
    [str("expanded"), view(5, [4, 2], [0, 0])],
  );
  const data = Buffer.from(Float32Array.of(0, 1, 2, 3, 4, 5).buffer);
  return loadPickle(code, { "0": data }) as Promise<Map<string, Tensor>>;
}

const TRANSPOSED = [0, 3, 1, 4, 2, 5];

describe("tensors that view one storage with strides", () => {
  it("share it again", async () => {
    const original = await views();
    const { report, again } = await saved(original);
    expect(report.notKept).toEqual([]);
    // The plan has the storage, and each tensor's offset and strides in it.
    expect(encode(again).views).toEqual(
      ['["transposed"]', '["column"]', '["expanded"]'].map((key) => `value${key}`),
    );
    expect(encode(again).numbers).toEqual(encode(original).numbers);
    for (const name of original.keys()) {
      expect(elements(again.get(name))).toEqual(elements(original.get(name)));
    }
  });

  it("are written as they are where their elements have changed", async () => {
    const original = await views();
    (original.get("column") as Tensor).data[0] = 10;
    const { report, again } = await saved(original);
    expect(report.notKept).toEqual([{ at: 'value["column"]', what: "sharing" }]);
    expect(elements(again.get("column"))).toEqual([10, 4]);
    expect(elements(again.get("transposed"))).toEqual(TRANSPOSED);
    expect(encode(again).views).toEqual(['value["transposed"]', 'value["expanded"]']);
  });

  it("are written as they are where the storage has changed", async () => {
    const original = await views();
    for (const tensor of original.values()) elements(tensor); // made when they are read
    (original.get("whole") as Tensor).data[4] = 40;
    const { report, again } = await saved({ list: [...original.values()] });
    expect(report.notKept).toEqual([
      { at: 'value["list"][1]', what: "sharing" },
      { at: 'value["list"][2]', what: "sharing" },
    ]);
    const [whole, transposed, column, expanded] = again.get("list") as unknown as Tensor[];
    expect(elements(whole)).toEqual([0, 1, 2, 3, 40, 5]);
    expect(elements(transposed)).toEqual(TRANSPOSED);
    expect(elements(column)).toEqual([1, 4]);
    expect(elements(expanded)).toEqual(new Array(8).fill(5));
  });

  it("share it after the same change of both", async () => {
    const original = await views();
    (original.get("whole") as Tensor).data[4] = 40;
    (original.get("column") as Tensor).data[1] = 40;
    const { report } = await saved({ column: original.get("column") });
    expect(report.notKept).toEqual([]);
  });

  // As on platforms without external buffers, such as Electron, where `load` copies.
  it("share memory that only JavaScript owns, unless it was transferred", async () => {
    const memory = Float32Array.of(0, 1, 2, 3, 4, 5);
    const transposed = new Tensor("float32", [3, 2], Float32Array.from(TRANSPOSED));
    rememberView(transposed, memory.buffer, 0, [1, 3]);
    const whole = new Tensor("float32", [2, 3], memory);
    const shared = await saved({ transposed, whole });
    expect(shared.report.notKept).toEqual([]);
    expect(encode(shared.again).views).toEqual(['value["transposed"]']);
    memory[5] = 50;
    const changed = await saved({ transposed, whole });
    expect(changed.report.notKept).toEqual([{ at: 'value["transposed"]', what: "sharing" }]);
    structuredClone(memory.buffer, { transfer: [memory.buffer] });
    const { report, again } = await saved({ transposed });
    expect(report.notKept).toEqual([{ at: 'value["transposed"]', what: "sharing" }]);
    expect(elements(again.get("transposed"))).toEqual(TRANSPOSED);
  });

  it("are written as they are with another shape", async () => {
    const original = await views();
    (original.get("transposed") as Tensor).shape.reverse();
    (original.get("expanded") as Tensor).shape.push(1);
    (original.get("column") as Tensor).shape.unshift(1);
    const { report, again } = await saved(original);
    expect(report.notKept.map(({ at }) => at).sort()).toEqual(
      ["column", "expanded", "transposed"].map((key) => `value["${key}"]`),
    );
    expect(again.get("transposed")?.shape).toEqual([2, 3]);
    expect(elements(again.get("transposed"))).toEqual(TRANSPOSED);
  });

  it("take no more space than their storage", async () => {
    const thin = tensor({
      storage: storage(3),
      shape: tuple(int(1 << 20), int(3)),
      stride: tuple(int(0), int(1)),
    });
    const { bytes, again } = await saved(
      await loadPickle(dict([str("t"), thin]), { "0": THREE_FLOATS }),
    );
    expect(bytes).toBeLessThan(2000);
    expect(again.get("t")?.shape).toEqual([1 << 20, 3]);
  });
});

describe("the report of save", () => {
  const bigEndian = ["big_endian", "big_endian_fortran", "big_endian_complex"];
  const lost = (file: string) => {
    if (/conj-neg/.test(file))
      return expect.arrayContaining([{ at: 'value["conj"]', what: "conjugate" }]);
    if (!/numpy1?-(protocol|legacy)/.test(file)) return [];
    return bigEndian.map((key) => ({ at: `value["${key}"]`, what: "byteOrder" }));
  };
  const files = readable.map(({ file }) => file);

  it.each([...files, ...modelFixtures, ...generationFixtures])("of %s", async (file) => {
    const { report, bytes } = await saved(await load(fixture(file)));
    expect(report).toEqual({ bytes, notKept: lost(file) });
  });

  it("tells of a tensor of another device", async () => {
    const cuda = tensor({ storage: storage(3, { location: "cuda:0" }) });
    const name = "_rebuild_device_tensor_from_cpu_tensor";
    const moved = call(
      global("torch._utils", name),
      tensor({ storage: storage(3, { key: "1" }) }),
      global("torch", "float32"),
      str("xla:0"),
      FALSE,
    );
    const content = list(cuda, moved, storage(3, { key: "1" }));
    const { report } = await saved(
      await loadPickle(content, { "0": THREE_FLOATS, "1": THREE_FLOATS }),
    );
    expect(report.notKept).toEqual([
      { at: "value[0]", what: "device" },
      { at: "value[1]", what: "device" },
    ]);
  });

  it("tells of hooks", async () => {
    const hooks = dict([int(1), str("hook")]);
    const plain = tensor({ storage: storage(3) });
    const parameter = (of: Buffer, own: Buffer) =>
      call(global("torch._utils", "_rebuild_parameter"), of, TRUE, own);
    const content = list(
      tensor({ storage: storage(3), hooks }),
      parameter(plain, hooks),
      parameter(plain, orderedDict),
    );
    const { report } = await saved(await loadPickle(content, { "0": THREE_FLOATS }));
    expect(report.notKept).toEqual([
      { at: "value[0]", what: "hooks" },
      { at: "value[1]", what: "hooks" },
    ]);
  });

  it("tells of a big-endian dtype", async () => {
    const content = await loadPickle(list(numpyDtype("f8", ">"), numpyDtype("f8")));
    expect((await saved(content)).report.notKept).toEqual([{ at: "value[0]", what: "byteOrder" }]);
  });

  it("tells of a torch.Size that got other items, which becomes a tuple", async () => {
    const content = (await load(fixture("torch/torch-values.pt"))) as Map<string, Tuple>;
    content.get("size")?.push(2.5);
    const { report, again } = await saved(content);
    expect(report.notKept).toEqual([{ at: 'value["size"]', what: "size" }]);
    expect(again.get("size")).toEqual(Tuple.of(2, 3, 2.5));
  });

  it("is empty of a new value", async () => {
    const value = { t: new Tensor("int8", [1], Int8Array.of(1)), list: [1, 0.5] };
    const { report, bytes } = await saved(value);
    expect(report).toEqual({ bytes, notKept: [] });
  });
});
