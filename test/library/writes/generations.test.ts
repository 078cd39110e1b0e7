/** Libraries with files of several versions of the program. */
import { createHash } from "node:crypto";
import {
  chmodSync,
  copyFileSync,
  existsSync,
  readdirSync,
  readFileSync,
  statSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { extname, join } from "node:path";
import { beforeEach, describe, expect, test } from "vitest";
import {
  addModelFile,
  deleteModel,
  importModel,
  loadModel,
  type ModelEntry,
  ModelLibrary,
  readMetadata,
  updateModel,
  verifyFile,
} from "../../../lib/index.js";
import { entryText, entryTextIn } from "../../../lib/library/index/entry.js";
import { encode } from "../../../lib/torch/encode.js";
import { load } from "../../../lib/torch/index.js";
import { distill, distillFile } from "../../support/corpus-distill.js";
import { sdaError } from "../../support/errors.js";
import { temporaryFolder } from "../../support/folder.js";
import { VOCODER, writeGan } from "../../support/gan-file.js";
import { engineBuilt } from "../../support/native.js";
import { entry, INDEX, indexText, put } from "../support.js";

type Dict = Map<string, unknown>;

const TINY = "test/fixtures/models/tiny.sda";
/** The files of the corpus, and which version of the program wrote each. */
const FILES = {
  "tide_pool_early.distill": "distill-1",
  "copper_rain.distill": "distill-2",
  "phase_lattice.distill": "distill-complex",
  "sand_codes.distill": "distill-vq",
  "whispered_grid.distill": "distill-vq",
  "glass_harbour.distillgan": "distillgan",
  "singing_wires.distillgan": "distillgan",
  "half_finished_wires.distillgan": "distillgan",
} as const;
const NAMES = Object.keys(FILES) as (keyof typeof FILES)[];
const original = (name: string) => distillFile("models", name);

let folder: string;
beforeEach(() => {
  folder = temporaryFolder();
});

const path = (name: string) => join(folder, name);
const text = () => readFileSync(path(INDEX), "utf8");
/** The storages of this file are far smaller than its tensors, which `load` refuses. */
const SMALL_STORAGES = "half_finished_wires.distillgan";
const content = async (file: string, weights = true) => (await load(file, { weights })) as Dict;
/** The version in the index's file. */
const versionOf = () => Number(/^\{\n {2}"version": (\d),/.exec(text())?.[1]);

/** Digests of the storages in a model file, sorted. */
function storages(file: string): string[] {
  const bytes = readFileSync(file);
  const digests: string[] = [];
  const end = bytes.lastIndexOf("PK\x05\x06", undefined, "latin1");
  for (let at = bytes.readUInt32LE(end + 16); bytes.readUInt32LE(at) === 0x02014b50; ) {
    const [size, name, extra, comment] = [20, 28, 30, 32].map((offset) =>
      offset === 20 ? bytes.readUInt32LE(at + offset) : bytes.readUInt16LE(at + offset),
    ) as [number, number, number, number];
    const header = bytes.readUInt32LE(at + 42);
    const start = header + 30 + bytes.readUInt16LE(header + 26) + bytes.readUInt16LE(header + 28);
    if (/\/data\/\d+$/.test(bytes.toString("latin1", at + 46, at + 46 + name))) {
      digests.push(
        createHash("sha256")
          .update(bytes.subarray(start, start + size))
          .digest("hex"),
      );
    }
    at += 46 + name + extra + comment;
  }
  return digests.sort();
}

describe("a folder with all suffixes", () => {
  test("is indexed by repair, as version 2 with its vocoders", async () => {
    copyFileSync(TINY, path("a.sda"));
    copyFileSync(TINY, path("b.Distill"));
    await writeGan(path("c.distillgan"));
    await writeGan(path("d.distillgan"), VOCODER);
    put(folder, "e.distillgan.txt", "no model");
    const library = await ModelLibrary.open(folder);
    expect(library.indexVersion).toBe(1);
    const repaired = { removed: 0, added: 4, updated: 0, unreadable: [] };
    expect(await library.repairIndex()).toEqual(repaired);
    const found = library.listAll({ sortBy: "filePath", reverse: false });
    expect(found.map((e) => [e.filePath, e.vocoder])).toEqual([
      ["a.sda", null],
      ["b.Distill", null],
      ["c.distillgan", null],
      ["d.distillgan", VOCODER],
    ]);
    expect(library.indexVersion).toBe(2);
    const { generation: _, ...metadata } = await readMetadata(path("a.sda"));
    const all = library.listAll({ sortBy: "none" as never });
    expect(all[0]).toMatchObject(metadata);
    const texts = all.map((e) => entryTextIn(2, e));
    expect(text()).toBe(indexText(texts, 2));
    expect(await library.repairIndex()).toEqual({ ...repaired, added: 0 });
    expect(text()).toBe(indexText(texts, 2));
  });

  test("without .distillgan files stays version 1", async () => {
    copyFileSync(TINY, path("a.sda"));
    copyFileSync(TINY, path("b.distill"));
    const library = await ModelLibrary.open(folder);
    await library.repairIndex();
    expect([library.count(), library.indexVersion, versionOf()]).toEqual([2, 1, 1]);
  });

  test("gets an index of version 2 where both files of an older one are damaged", async () => {
    await writeGan(path("d.distillgan"), VOCODER);
    copyFileSync(TINY, path("a.sda"));
    put(folder, INDEX, "{");
    const library = await ModelLibrary.open(folder);
    expect(versionOf()).toBe(2);
    expect(library.listAll({ sortBy: "vocoder" }).map((e) => e.vocoder)).toEqual([VOCODER, null]);
  });

  test("recovered from a backup of version 1 gets version 2 for the file that it lacks", async () => {
    await writeGan(path("d.distillgan"), VOCODER, "d");
    put(folder, "m1.sda", "");
    put(folder, `${INDEX}.bak`, indexText([entryText(entry(1))]));
    put(folder, INDEX, "{");
    const library = await ModelLibrary.open(folder);
    const gan = library.get("d") as ModelEntry;
    expect(text()).toBe(indexText([entryTextIn(2, entry(1)), entryTextIn(2, gan)], 2));
    await library.addEntry(entry(2));
    const texts = [entry(1), gan, entry(2)].map((e) => entryTextIn(2, e));
    expect(text()).toBe(indexText(texts, 2));
  });
});

describe("repair after train-vocoder", () => {
  const REPAIRED = { removed: 0, added: 0, updated: 1, unreadable: [] };

  test("gives the entry its vocoder and size, and keeps the rest", async () => {
    await writeGan(path("a.distillgan"));
    const library = await ModelLibrary.open(folder);
    await library.repairIndex();
    const [before] = library.listAll() as [ModelEntry];
    const later = text().replace('"tags"', '"later": 1,\n      "tags"');
    writeFileSync(path(INDEX), later);
    await writeGan(path("a.distillgan"), VOCODER);
    expect(await library.repairIndex()).toEqual(REPAIRED);
    const { size } = statSync(path("a.distillgan"));
    expect(size).not.toBe(before.fileSizeBytes);
    const after = { ...before, fileSizeBytes: size, vocoder: VOCODER };
    expect(library.listAll()).toEqual([after]);
    const expected = entryTextIn(2, after).replace('"tags"', '"later": 1,\n      "tags"');
    expect(text()).toBe(indexText([expected], 2));
    expect(await library.repairIndex()).toEqual({ ...REPAIRED, updated: 0 });
  });

  test("in an index of version 1 makes it version 2", async () => {
    await writeGan(path("m1.distillgan"), VOCODER);
    const fileSizeBytes = statSync(path("m1.distillgan")).size;
    const before = entry(1, { filePath: "m1.distillgan", fileSizeBytes });
    put(folder, "m2.sda", "");
    put(folder, INDEX, indexText([entryText(before), entryText(entry(2))]));
    const library = await ModelLibrary.open(folder);
    expect(await library.repairIndex()).toEqual(REPAIRED);
    const after = { ...before, vocoder: VOCODER };
    expect(text()).toBe(indexText([entryTextIn(2, after), entryTextIn(2, entry(2))], 2));
  });

  test("finds a vocoder that was trained longer, in a file of the same size", async () => {
    await writeGan(path("a.distillgan"), VOCODER);
    const library = await ModelLibrary.open(folder);
    await library.repairIndex();
    const { size } = statSync(path("a.distillgan"));
    const longer = { ...VOCODER, epochs: 200, finalLoss: 0.25 };
    await writeGan(path("a.distillgan"), longer);
    expect(statSync(path("a.distillgan")).size).toBe(size);
    expect(await library.repairIndex()).toEqual(REPAIRED);
    expect(library.listAll()[0]?.vocoder).toEqual(longer);
  });

  test("takes the vocoder of a file that has none any more", async () => {
    await writeGan(path("a.distillgan"), VOCODER);
    const library = await ModelLibrary.open(folder);
    await library.repairIndex();
    await writeGan(path("a.distillgan"));
    expect(await library.repairIndex()).toEqual(REPAIRED);
    expect(library.listAll()[0]?.vocoder).toBeNull();
    expect(versionOf()).toBe(2);
  });

  test("leaves entries of damaged files alone", async () => {
    const models = [entry(1, { filePath: "m1.distillgan" }), entry(2)];
    put(folder, "m1.distillgan", "damaged");
    put(folder, "m2.sda", "damaged");
    put(
      folder,
      INDEX,
      indexText(
        models.map((e) => entryTextIn(2, e)),
        2,
      ),
    );
    const library = await ModelLibrary.open(folder);
    expect(await library.repairIndex()).toEqual({ ...REPAIRED, updated: 0 });
    expect(library.listAll({ sortBy: "none" as never })).toEqual(models);
  });

  test("does not write what another process has changed since the file was read", async () => {
    await writeGan(path("a.distillgan"));
    const library = await ModelLibrary.open(folder);
    await library.repairIndex();
    await writeGan(path("a.distillgan"), VOCODER);
    const other = await ModelLibrary.open(folder);
    const results = await Promise.all([
      library.repairIndex(),
      other.update((other.listAll()[0] as ModelEntry).modelId, { name: "Edited" }),
      other.repairIndex(),
    ]);
    await library.repairIndex();
    await library.refresh();
    expect(results[1].name).toBe("Edited");
    expect(library.listAll()).toMatchObject([
      { name: "Edited", vocoder: VOCODER, fileSizeBytes: statSync(path("a.distillgan")).size },
    ]);
    expect((await readMetadata(path("a.distillgan"))).name).toBe("Edited");
  });
});

describe("generationOf", () => {
  test("tells it by the content, also of a renamed file, by entry and by id", async () => {
    copyFileSync(TINY, path("a.distillgan"));
    await writeGan(path("b.sda"), VOCODER, "b");
    const library = await ModelLibrary.open(folder);
    await library.repairIndex();
    const [a] = library.search({ query: "Tiny" }).filter((e) => e.filePath === "a.distillgan");
    expect(await library.generationOf(a as ModelEntry)).toBe("sda");
    expect(await library.generationOf("b")).toBe("distillgan");
  });

  test("reads a file again only after a change", async () => {
    await writeGan(path("a.distillgan"), undefined, "a");
    const library = await ModelLibrary.open(folder);
    await library.repairIndex();
    expect(await library.generationOf("a")).toBe("distillgan");
    if (process.getuid?.() !== 0) chmodSync(path("a.distillgan"), 0); // can't be read any more
    expect(await library.generationOf("a")).toBe("distillgan");
    unlinkSync(path("a.distillgan"));
    copyFileSync(TINY, path("a.distillgan"));
    expect(await library.generationOf("a")).toBe("sda");
  });

  test("has an error for an unknown model, and for a missing or damaged file", async () => {
    copyFileSync(TINY, path("a.sda"));
    const library = await ModelLibrary.open(folder);
    await library.addEntry(entry(1));
    await library.addEntry(entry(2));
    put(folder, "m2.sda", "damaged");
    const codeOf = async (model: never) => (await sdaError(() => library.generationOf(model))).code;
    expect(await codeOf("none" as never)).toBe("ERR_SDA_NOT_FOUND");
    expect(await codeOf(entry(1) as never)).toBe("ERR_SDA_NOT_FOUND");
    expect(await codeOf(entry(2) as never)).toBe("ERR_SDA_FORMAT");
    expect(await codeOf(null as never)).toBe("ERR_SDA_ARGUMENT");
    expect(await codeOf({} as never)).toBe("ERR_SDA_ARGUMENT");
  });
});

test("an update keeps the vocoder, in the file and in the entry", async () => {
  await writeGan(path("wires.distillgan"), VOCODER, "a");
  const library = await ModelLibrary.open(folder);
  await library.repairIndex();
  const updated = await library.update("a", { name: "Harp" });
  expect(updated).toMatchObject({ filePath: "wires.distillgan", vocoder: VOCODER });
  expect(text()).toBe(indexText([entryTextIn(2, updated)], 2));
  expect(await readMetadata(path("wires.distillgan"))).toMatchObject({
    name: "Harp",
    vocoder: VOCODER,
  });
});

test("an interrupted update is finished, also when v1.1 has rewritten the index since", async () => {
  const added = await addModelFile(TINY, folder, { metadata: { name: "Kitchen" } });
  const file = path(added.filePath);
  const other = temporaryFolder();
  for (const name of readdirSync(folder)) copyFileSync(path(name), join(other, name));
  const after = await updateModel(added.modelId, { name: "Edited" }, other);
  const { size, mtimeNs } = statSync(file, { bigint: true });
  const digest = createHash("sha256").update(`${entryText(after)}\n${size} ${mtimeNs}`);
  copyFileSync(join(other, after.filePath), path(`.sda-updated-${digest.digest("hex")}`));
  writeFileSync(path(INDEX), indexText([entryTextIn(2, after)], 2));
  const library = await ModelLibrary.open(folder);
  expect((await readMetadata(file)).name).toBe("Edited");
  expect(library.listAll()).toEqual([after]);
  expect(readdirSync(folder).filter((name) => name.startsWith(".sda-"))).toEqual([]);
});

describe.skipIf(distill === null)("a library of the program's files", () => {
  /** A folder with all files of the corpus and v1.1's index, which knows three of them. */
  async function mixed(): Promise<ModelLibrary> {
    for (const name of NAMES) {
      copyFileSync(original(name), path(name));
      chmodSync(path(name), 0o644);
    }
    copyFileSync(distillFile("library", `v2.${INDEX}`), path(INDEX));
    chmodSync(path(INDEX), 0o644);
    copyFileSync(TINY, path("tiny.sda"));
    const library = await ModelLibrary.open(folder);
    const kept = text().slice(0, text().indexOf('"807f9d47'));
    // Five entries of the index have no file, and six files have no entry.
    const result = { removed: 5, added: 6, updated: 0, unreadable: [] };
    expect(await library.repairIndex()).toEqual(result);
    expect(text().startsWith(kept)).toBe(true);
    return library;
  }
  const entryOf = (library: ModelLibrary, name: string) =>
    library.listAll().find(({ filePath }) => filePath === name) as ModelEntry;

  test("has the generation of each file", async () => {
    const library = await mixed();
    for (const name of NAMES) {
      expect(await library.generationOf(entryOf(library, name)), name).toBe(FILES[name]);
    }
    expect(await library.generationOf(entryOf(library, "tiny.sda"))).toBe("sda");
    expect(library.count()).toBe(9);
  });

  test.each(NAMES)("%s is updated in place, and all else stays bit for bit", async (name) => {
    const library = await mixed();
    const weights = name !== SMALL_STORAGES;
    const before = await content(path(name), weights);
    const stored = storages(path(name));
    const names = readdirSync(folder).sort();
    const old = entryOf(library, name);
    const hasSliders = before.get("latent_analysis") instanceof Map;
    const updated = await library.update(old.modelId, {
      name: "Étude — 2",
      tags: ["new"],
      ...(hasSliders && { componentLabels: labelsOf(before).map((_, i) => `Label ${i}`) }),
    });
    const fileSizeBytes = statSync(path(name)).size;
    expect(updated).toEqual({ ...old, name: "Étude — 2", tags: ["new"], fileSizeBytes });
    expect(readdirSync(folder).sort()).toEqual([...new Set([...names, `${INDEX}.bak`])].sort());
    expect(await verifyFile(path(name))).toMatchObject({ ok: true });
    expect(await library.generationOf(updated)).toBe(FILES[name]);
    expect(entryOf(await ModelLibrary.open(folder), name)).toEqual(updated);

    // With the old values put back, the content is the same: types, the Enum's module, all keys.
    const after = await content(path(name), weights);
    expect(storages(path(name))).toEqual(stored);
    expect((after.get("metadata") as Dict).get("name")).toBe("Étude — 2");
    const metadata = before.get("metadata") as Dict;
    for (const key of ["name", "tags"]) {
      (after.get("metadata") as Dict).set(key, metadata.get(key));
    }
    if (hasSliders) {
      expect(labelsOf(after)[0]).toBe("Label 0");
      (after.get("latent_analysis") as Dict).set("component_labels", labelsOf(before));
    }
    expect([...after.keys()]).toEqual([...before.keys()]);
    expect(weights ? encode(after) : after).toEqual(weights ? encode(before) : before);
    if (engineBuilt) (await loadModel(path(name))).dispose();
    expect((await library.repairIndex()).updated).toBe(0);
  });

  const labelsOf = (model: Dict) =>
    (model.get("latent_analysis") as Dict).get("component_labels") as string[];

  test.each(NAMES)("%s is added under its suffix, with its vocoder", async (name) => {
    const version = extname(name) === ".distillgan" ? 2 : 1;
    for (const add of [addModelFile, importModel]) {
      const metadata = { name: `By ${add.name}` };
      const added = await add(original(name), folder, { metadata });
      const { generation, ...facts } = await readMetadata(path(added.filePath));
      expect(generation).toBe(FILES[name]);
      expect(extname(added.filePath)).toBe(extname(name));
      expect(added).toMatchObject({ ...facts, fileSizeBytes: statSync(path(added.filePath)).size });
      const weights = name !== SMALL_STORAGES;
      const copy = await content(path(added.filePath), weights);
      const before = await content(original(name), weights);
      expect(storages(path(added.filePath))).toEqual(storages(original(name)));
      copy.set("metadata", before.get("metadata"));
      expect(weights ? encode(copy) : copy).toEqual(weights ? encode(before) : before);
    }
    expect(versionOf()).toBe(version);
    expect((await ModelLibrary.open(folder)).count()).toBe(2);
  });

  test.each(NAMES)("%s is deleted, and no other file", async (name) => {
    const library = await mixed();
    const names = readdirSync(folder).sort();
    const { modelId } = entryOf(library, name);
    expect(await deleteModel(modelId, folder)).toBe(true);
    expect(existsSync(path(name))).toBe(false);
    const left = readdirSync(folder).sort();
    expect(left).toEqual(names.filter((one) => one !== name));
    expect((await ModelLibrary.open(folder)).get(modelId)).toBeNull();
  });

  test("repair mends what train-vocoder leaves stale", async () => {
    const name = "glass_harbour.distillgan";
    const library = await mixed();
    const before = entryOf(library, name);
    writeFileSync(path(name), readFileSync(original("singing_wires.distillgan"))); // in place
    const { vocoder } = await readMetadata(path(name));
    expect(vocoder?.epochs).toBe(120);
    expect(await library.repairIndex()).toEqual({
      removed: 0,
      added: 0,
      updated: 1,
      unreadable: [],
    });
    const fileSizeBytes = statSync(path(name)).size;
    expect(entryOf(library, name)).toEqual({ ...before, vocoder, fileSizeBytes });
  });
});
