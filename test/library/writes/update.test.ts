/** Editing a model changes its file and its entry, and nothing else. */
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  statSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { beforeEach, describe, expect, it, test } from "vitest";
import {
  addModelFile,
  CHANGE_LIMITS,
  deleteModel,
  describeModel,
  loadModel,
  ModelCache,
  type ModelEntry,
  ModelLibrary,
  readMetadata,
  updateModel,
  verifyFile,
} from "../../../lib/index.js";
import { encode } from "../../../lib/torch/encode.js";
import { load, save, Tuple } from "../../../lib/torch/index.js";
import { count } from "../../support/effort.js";
import { sdaError } from "../../support/errors.js";
import { fixture } from "../../support/fixtures.js";
import { temporaryFolder } from "../../support/folder.js";
import { engineBuilt } from "../../support/native.js";
import { python } from "../../support/python.js";
import { addEntriesInPython } from "../python-writer.js";

type Dict = Map<string, unknown>;

let folder: string;
let entry: ModelEntry;
let path: string;
beforeEach(async () => {
  folder = temporaryFolder();
  entry = await addModelFile(fixture("models/tiny.sda"), folder, { metadata: { name: "Kitchen" } });
  path = join(folder, entry.filePath);
});

const content = async (file: string) => (await load(file)) as Dict;
const entryNow = async (id = entry.modelId) => (await ModelLibrary.open(folder)).get(id);
const indexText = () => readFileSync(join(folder, "model_library.json"), "utf8");
/** Compares equal as long as the file, the index and the names in the folder are unchanged. */
function state() {
  const { ino, mtimeNs } = statSync(path, { bigint: true });
  return { ino, mtimeNs, index: indexText(), names: readdirSync(folder).sort() };
}
const NEW = {
  name: "Küche 🥁",
  description: "two\nlines",
  tags: ["drums", "lo-fi"],
  componentLabels: ["dark", "", "日本"],
};

describe("an update", () => {
  it("is in the file, under its old name, and in the index", async () => {
    const before = await content(path);
    const updated = await updateModel(entry.modelId, folder, NEW);
    const { name, description, tags } = NEW;
    const fileSizeBytes = statSync(path).size;
    expect(updated).toEqual({ ...entry, name, description, tags, fileSizeBytes });
    expect(await entryNow()).toEqual(updated);
    const { filePath, fileSizeBytes: _, ...metadata } = updated;
    expect(filePath).toBe(entry.filePath);
    expect(await readMetadata(path)).toEqual({ ...metadata, generation: "sda" });
    expect((await describeModel(path)).sliders.map(({ label }) => label)).toEqual(
      NEW.componentLabels,
    );
    expect(await verifyFile(path)).toMatchObject({ ok: true });

    // With the old values put back, the content is the same, types included.
    const after = await content(path);
    expect([...after.keys()]).toEqual([...before.keys()]);
    for (const key of ["name", "description", "tags"]) {
      (after.get("metadata") as Dict).set(key, (before.get("metadata") as Dict).get(key));
    }
    const labels = (before.get("latent_analysis") as Dict).get("component_labels");
    (after.get("latent_analysis") as Dict).set("component_labels", labels);
    expect(encode(after)).toEqual(encode(before));
  });

  it("leaves nothing to repair and no other file", async () => {
    const names = readdirSync(folder).sort();
    await updateModel(entry.modelId, folder, NEW);
    const library = await ModelLibrary.open(folder);
    expect(await library.repairIndex()).toEqual({
      removed: 0,
      added: 0,
      updated: 0,
      unreadable: [],
    });
    expect(readdirSync(folder).sort()).toEqual(
      [...new Set([...names, "model_library.json.bak", ".model_library.lock"])].sort(),
    );
  });

  it("changes only the given fields, also where file and entry differ", async () => {
    const library = await ModelLibrary.open(folder);
    await library.addEntry({ ...entry, name: "By another program", trainingEpochs: 7 });
    const updated = await updateModel(entry.modelId, folder, { tags: [] });
    expect(updated).toMatchObject({ name: "By another program", trainingEpochs: 7, tags: [] });
    expect(await readMetadata(path)).toMatchObject({ name: "Kitchen", tags: [] });
    // The file has this name already, so it is not written.
    const { ino } = statSync(path);
    const again = await updateModel(entry.modelId, folder, { name: "Kitchen" });
    expect(again.name).toBe("Kitchen");
    expect(statSync(path).ino).toBe(ino);
  });

  it("of labels only changes the file only", async () => {
    const before = state();
    await updateModel(entry.modelId, folder, { componentLabels: ["1", "2", "3"] });
    const after = state();
    expect(after.ino).not.toBe(before.ino);
    expect((await describeModel(path)).sliders.map(({ label }) => label)).toEqual(["1", "2", "3"]);
    expect((await entryNow())?.fileSizeBytes).toBe(statSync(path).size);
  });

  it("without a difference writes nothing", async () => {
    const { name, description, tags } = entry;
    const { componentLabels } = (await describeModel(path)).analysis ?? {};
    const before = state();
    for (const changes of [{}, { name: undefined }, { name, description, tags, componentLabels }]) {
      expect(await updateModel(entry.modelId, folder, changes as object)).toEqual(entry);
      expect(state()).toEqual(before);
    }
  });

  it("keeps what this version does not know", async () => {
    const known = await content(path);
    known.set("from_the_future", new Map<unknown, unknown>([[new Tuple("x", "y"), 2n ** 80n]]));
    (known.get("metadata") as Dict).set("mood", ["calm", 0.5]);
    (known.get("latent_analysis") as Dict).set("extra", new Set(["a"]));
    await save(known, path);
    const before = await content(path);
    await updateModel(entry.modelId, folder, { name: "Other", componentLabels: ["a", "b", "c"] });
    const after = await content(path);
    expect(after.get("from_the_future")).toEqual(before.get("from_the_future"));
    expect((after.get("metadata") as Dict).get("mood")).toEqual(["calm", 0.5]);
    expect((after.get("latent_analysis") as Dict).get("extra")).toEqual(new Set(["a"]));
    expect([...(after.get("metadata") as Dict).keys()]).toEqual([
      ...(before.get("metadata") as Dict).keys(),
    ]);
  });

  it("adds what an old file lacks", async () => {
    const old = await content(path);
    old.delete("metadata");
    (old.get("latent_analysis") as Dict).delete("component_labels");
    await save(old, path);
    await updateModel(entry.modelId, folder, NEW);
    expect(await readMetadata(path)).toMatchObject({ name: NEW.name, tags: NEW.tags });
    expect((await describeModel(path)).analysis?.componentLabels).toEqual(NEW.componentLabels);
  });

  it("keeps the labels of axes without a slider", async () => {
    const changed = await content(path);
    const analysis = changed.get("latent_analysis") as Dict;
    analysis.set("n_active_components", 2);
    analysis.set("component_labels", ["a", "b", "hidden"]);
    await save(changed, path);
    await updateModel(entry.modelId, folder, { componentLabels: ["x", "y"] });
    expect((await describeModel(path)).analysis?.componentLabels).toEqual(["x", "y", "hidden"]);
  });

  it.each(["tiny-bfloat16", "tiny-decoder-only", "tiny-legacy", "tiny-numpy1", "tiny-protocol5"])(
    "of %s keeps its weights",
    async (name) => {
      copyFileSync(fixture(`models/${name}.sda`), path);
      const before = (await content(path)).get("model_state_dict");
      await updateModel(entry.modelId, folder, { name: "Other" });
      expect(encode((await content(path)).get("model_state_dict"))).toEqual(encode(before));
      expect(await verifyFile(path)).toMatchObject({ ok: true });
    },
  );

  it("keeps permissions, and links that lead to the file", async () => {
    mkdirSync(join(folder, "sub"));
    renameSync(path, join(folder, "sub/real.sda"));
    symlinkSync("sub/real.sda", path);
    chmodSync(path, 0o640);
    await updateModel(entry.modelId, folder, NEW);
    expect(readdirSync(join(folder, "sub"))).toEqual(["real.sda"]);
    expect(statSync(join(folder, "sub/real.sda")).mode & 0o777).toBe(0o640);
    expect((await readMetadata(join(folder, "sub/real.sda"))).name).toBe(NEW.name);
    expect((await readMetadata(path)).name).toBe(NEW.name);
  });

  it("loses nothing among many at once", async () => {
    const other = await addModelFile(fixture("models/tiny.sda"), folder, {
      metadata: { name: "Other" },
    });
    const ids = [entry.modelId, other.modelId];
    await Promise.all(
      ids.flatMap((id) => [
        updateModel(id, folder, { name: `name of ${id}` }),
        updateModel(id, folder, { tags: [id] }),
        updateModel(id, folder, { description: `about ${id}` }),
        updateModel(id, folder, { componentLabels: ["p", "q", id] }),
      ]),
    );
    for (const id of ids) {
      const now = (await entryNow(id)) as ModelEntry;
      const expected = { name: `name of ${id}`, tags: [id], description: `about ${id}` };
      expect(now).toMatchObject(expected);
      const file = join(folder, now.filePath);
      expect(await readMetadata(file)).toMatchObject(expected);
      expect((await describeModel(file)).sliders[2]?.label).toBe(id);
    }
  });

  it("is applied to a file that replaces the old one meanwhile", async () => {
    const replaced = await content(path);
    (replaced.get("metadata") as Dict).set("dataset_name", "replaced");
    const stand = join(folder, "stand-in");
    await save(replaced, stand);
    const library = await ModelLibrary.open(folder);
    const [updated] = await Promise.all([
      updateModel(entry.modelId, folder, { name: "Other" }),
      new Promise<void>((done) =>
        setImmediate(() => {
          renameSync(stand, path);
          done();
        }),
      ),
    ]);
    expect(updated.name).toBe("Other");
    const { name, datasetName } = await readMetadata(path);
    // Whatever the order: the update is applied to the replaced file.
    expect([datasetName, name]).toEqual(["replaced", "Other"]);
    await library.refresh();
    expect(library.get(entry.modelId)?.fileSizeBytes).toBe(statSync(path).size);
  });
});

describe.skipIf(!engineBuilt)("a loaded model", () => {
  it.each([true, false])("is unchanged (verify: %s)", async (verify) => {
    using model = await loadModel(path, { verify, device: "cpu" });
    const request = { durationS: 0.5, seed: 5 };
    const before = await model.generate(request);
    await updateModel(entry.modelId, folder, NEW);
    expect(model.metadata.name).toBe("Kitchen");
    expect((await model.generate(request)).audio).toEqual(before.audio);
    using again = await loadModel(path, { verify, device: "cpu" });
    expect(again.metadata.name).toBe(NEW.name);
    expect((await again.generate(request)).audio).toEqual(before.audio);
  });

  it("is replaced in a cache at the next use", async () => {
    using cache = new ModelCache({ device: "cpu" });
    const labels = () =>
      cache.use(path, async (model) => model.sliders().map(({ label }) => label));
    await labels();
    await updateModel(entry.modelId, folder, NEW);
    expect(await labels()).toEqual(NEW.componentLabels);
  });
});

describe("refused, with nothing changed", () => {
  const long = (length: number) => "x".repeat(length + 1);
  const cases: [option: string, changes: unknown][] = [
    ["changes", null],
    ["changes", "name"],
    ["changes", ["name"]],
    ["modelId", { modelId: "other" }],
    ["__proto__", JSON.parse('{"__proto__": 1}')],
    ["name", { name: 1 }],
    ["name", { name: null }],
    ["name", { name: "" }],
    ["name", { name: " \n" }],
    ["name", { name: long(CHANGE_LIMITS.name) }],
    ["name", { name: "half \ud83e" }],
    ["description", { description: ["x"] }],
    ["description", { description: long(CHANGE_LIMITS.description) }],
    ["description", { description: "\udd41" }],
    ["tags", { tags: "drums" }],
    ["tags", { tags: ["a", 1] }],
    ["tags", { tags: new Array(1) }],
    ["tags", { tags: ["a", " "] }],
    ["tags", { tags: [long(CHANGE_LIMITS.tag)] }],
    ["tags", { tags: new Array(CHANGE_LIMITS.tags + 1).fill("a") }],
    ["componentLabels", { componentLabels: "a" }],
    ["componentLabels", { componentLabels: [] }],
    ["componentLabels", { componentLabels: ["a", "b"] }],
    ["componentLabels", { componentLabels: ["a", "b", "c", "d"] }],
    ["componentLabels", { componentLabels: ["a", "b", 3] }],
    ["componentLabels", { componentLabels: ["a", "b", long(CHANGE_LIMITS.componentLabel)] }],
    ["componentLabels", { componentLabels: ["a", "b", "\ud800"], name: "Other" }],
  ];
  it.each(cases)("%s: %j", async (option, changes) => {
    const before = state();
    const { code, details } = await sdaError(() =>
      updateModel(entry.modelId, folder, changes as object),
    );
    expect([code, details?.["option"]]).toEqual(["ERR_SDA_ARGUMENT", option]);
    expect(state()).toEqual(before);
  });

  it("labels for a model that has no analysis", async () => {
    const plain = await content(path);
    plain.set("latent_analysis", null);
    await save(plain, path);
    const before = state();
    const { code, details } = await sdaError(() =>
      updateModel(entry.modelId, folder, { name: "Other", componentLabels: [] }),
    );
    expect([code, details?.["option"]]).toEqual(["ERR_SDA_ARGUMENT", "componentLabels"]);
    expect(state()).toEqual(before);
  });

  it("unknown ids and missing folders", async () => {
    const code = async (...args: unknown[]) =>
      (await sdaError(() => updateModel(...(args as Parameters<typeof updateModel>)))).code;
    const before = state();
    expect(await code("nobody", folder, { name: "x" })).toBe("ERR_SDA_NOT_FOUND");
    expect(await code("nobody", folder, {})).toBe("ERR_SDA_NOT_FOUND");
    expect(await code("../kitchen.sda", folder, { name: "x" })).toBe("ERR_SDA_NOT_FOUND");
    expect(await code("__proto__", folder, { name: "x" })).toBe("ERR_SDA_NOT_FOUND");
    expect(await code(entry.modelId, join(folder, "nowhere"), { name: "x" })).toBe(
      "ERR_SDA_NOT_FOUND",
    );
    expect(await code(1, folder, { name: "x" })).toBe("ERR_SDA_ARGUMENT");
    expect(await code(entry.modelId, folder, { name: "x" }, { lockTimeoutMs: -1 })).toBe(
      "ERR_SDA_ARGUMENT",
    );
    expect(await code(entry.modelId, folder, { name: "x" }, { signal: 1 })).toBe(
      "ERR_SDA_ARGUMENT",
    );
    expect(state()).toEqual(before);
  });

  it("a model whose file is missing, damaged, no model, or outside of the folder", async () => {
    const good = readFileSync(path);
    const code = async () =>
      (await sdaError(() => updateModel(entry.modelId, folder, { name: "Other" }))).code;
    const index = indexText();
    unlinkSync(path);
    expect(await code()).toBe("ERR_SDA_NOT_FOUND");
    writeFileSync(path, "no model");
    expect(await code()).toBe("ERR_SDA_FORMAT");
    // Damage in the middle of the weights is noticed when they are copied.
    const damaged = Buffer.from(good);
    const at = damaged.length >> 1;
    damaged[at] = (damaged[at] as number) ^ 0xff;
    writeFileSync(path, damaged);
    expect(await code()).toBe("ERR_SDA_CORRUPT");
    expect(readFileSync(path)).toEqual(damaged);
    const elsewhere = temporaryFolder();
    writeFileSync(join(elsewhere, "m.sda"), good);
    unlinkSync(path);
    symlinkSync(join(elsewhere, "m.sda"), path);
    expect(await code()).toBe("ERR_SDA_UNSAFE");
    expect(readFileSync(join(elsewhere, "m.sda"))).toEqual(good);
    expect(indexText()).toBe(index);
    expect(readdirSync(folder).filter((name) => name.startsWith(".sda-"))).toEqual([]);
  });

  it("an aborted call", async () => {
    const before = state();
    const reason = new Error("enough");
    const signal = AbortSignal.abort(reason);
    await expect(updateModel(entry.modelId, folder, NEW, { signal })).rejects.toBe(reason);
    expect(state().index).toBe(before.index);
    expect(state().ino).toBe(before.ino);
  });
});

// On Linux alone, opening the index waits while a writer may still undo its replacement.
test.runIf(python !== null && process.platform === "linux")(
  "updates lose no entry that a Python program without a lock adds meanwhile",
  async () => {
    const WRITES = count({ quick: 80, full: 400 });
    const added: string[] = [];
    let updates = 0;
    // Where updates are slow, one writer ends before a few of them.
    while (updates <= WRITES / 50) {
      const writer = addEntriesInPython(folder, WRITES);
      while (writer.isRunning) {
        const name = `Kitchen ${++updates}`;
        expect(await updateModel(entry.modelId, folder, { name })).toMatchObject({ name });
        expect((await readMetadata(path)).name).toBe(name);
      }
      expect(await writer.ended).toBe(0);
      added.push(...writer.ids);
    }
    const library = await ModelLibrary.open(folder);
    expect(added.filter((id) => library.get(id) === null)).toEqual([]);
    await updateModel(entry.modelId, folder, { name: "Cellar" });
    expect(await entryNow()).toMatchObject({ name: "Cellar", fileSizeBytes: statSync(path).size });
    const left = readdirSync(folder).filter((name) => !/^\.?model_library/.test(name));
    expect(left).toEqual([entry.filePath]);
  },
);

test("a deleted model is not updated and does not reappear", async () => {
  const [deleted, updated] = await Promise.allSettled([
    deleteModel(entry.modelId, folder),
    updateModel(entry.modelId, folder, NEW),
  ]);
  expect(deleted).toMatchObject({ status: "fulfilled", value: true });
  if (updated.status === "rejected") expect(updated.reason.code).toBe("ERR_SDA_NOT_FOUND");
  expect(readdirSync(folder).filter((name) => name.includes("sda"))).toEqual([]);
  expect(await entryNow()).toBeNull();
});

// A busy server must free descriptors and disk space without the garbage collector.
test.skipIf(process.platform !== "linux")("no file stays open", async () => {
  const open = () =>
    readdirSync("/proc/self/fd").filter((descriptor) => {
      try {
        return readlinkSync(`/proc/self/fd/${descriptor}`).startsWith(folder);
      } catch {
        return false; // the descriptor of the listing itself
      }
    });
  await updateModel(entry.modelId, folder, { name: "Other" });
  await updateModel(entry.modelId, folder, { componentLabels: ["a", "b", "c"] });
  await sdaError(() => updateModel(entry.modelId, folder, { componentLabels: ["a"] }));
  await addModelFile(path, folder);
  expect(open()).toEqual([]);
});
