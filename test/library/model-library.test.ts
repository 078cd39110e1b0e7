import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { beforeEach, describe, expect, test } from "vitest";
import { deleteModel, type ModelEntry, ModelLibrary, type SearchOptions } from "../../lib/index.js";
import { entryText } from "../../lib/library/index/entry.js";
import { corpus, corpusFile, golden } from "../support/corpus.js";
import { count } from "../support/effort.js";
import { sdaError } from "../support/errors.js";
import { temporaryFolder } from "../support/folder.js";
import { python, runPython } from "../support/python.js";
import { collectWarnings } from "../support/warnings.js";
import { addEntriesInPython, addEntryInPython } from "./python-writer.js";
import { BACKUP, entry, INDEX, indexText, put } from "./support.js";

const ODD = '"odd": {\n      "model_id": "odd",\n      "unknown": 1.50\n    }';

let folder: string;
const warnings = collectWarnings();
const codes = () => warnings.map(({ code }) => code);
beforeEach(() => {
  folder = temporaryFolder();
});

const turn = () => new Promise((resolve) => setImmediate(resolve));
const path = (name: string) => join(folder, name);
const text = (name = INDEX) => readFileSync(path(name), "utf8");
const ids = (entries: ModelEntry[]) => entries.map((e) => e.modelId);
const names = (entries: ModelEntry[]) => entries.map((e) => e.name);
const indexOf = (...entries: ModelEntry[]) => indexText(entries.map(entryText));
const damaged = () => readdirSync(folder).filter((name) => name.includes(".damaged-"));

describe("open", () => {
  test("a folder without an index has an empty library, and nothing is written", async () => {
    const library = await ModelLibrary.open(folder);
    expect(library.count()).toBe(0);
    expect(library.listAll()).toEqual([]);
    expect(library.get("x")).toBeNull();
    expect(readdirSync(folder)).toEqual([]);
  });

  test("no such folder", async () => {
    const error = await sdaError(() => ModelLibrary.open(path("none")));
    expect(error.code).toBe("ERR_SDA_NOT_FOUND");
    put(folder, "file", "");
    expect((await sdaError(() => ModelLibrary.open(path("file")))).code).toBe("ERR_SDA_ARGUMENT");
  });

  test("a damaged index is replaced by its backup and kept aside", async () => {
    for (const bad of [
      "",
      "{",
      indexOf(entry(1), entry(2)).slice(0, -20),
      "[]",
      '{"models": 3}',
      "\xff",
    ]) {
      folder = temporaryFolder();
      put(folder, INDEX, Buffer.from(bad, "latin1"));
      put(folder, BACKUP, indexOf(entry(1)));
      const library = await ModelLibrary.open(folder);
      expect(ids(library.listAll())).toEqual([entry(1).modelId]);
      expect(text()).toBe(indexOf(entry(1)));
      expect(text(BACKUP)).toBe(indexOf(entry(1)));
      const aside = damaged();
      expect(aside).toHaveLength(1);
      expect(readFileSync(path(aside[0] as string), "latin1")).toBe(bad);
      expect((await ModelLibrary.open(folder)).count()).toBe(1);
      expect(damaged()).toHaveLength(1);
    }
    await turn();
    expect(codes()).toEqual(Array(6).fill("SDA_INDEX_RECOVERED"));
  });

  test("a missing index comes back from its backup", async () => {
    put(folder, BACKUP, indexOf(entry(1)));
    expect((await ModelLibrary.open(folder)).count()).toBe(1);
    expect(text()).toBe(indexOf(entry(1)));
  });

  test("with both damaged, the files are listed anew", async () => {
    put(folder, INDEX, "{");
    put(folder, BACKUP, "");
    copyFileSync("test/fixtures/models/tiny.sda", path("a.sda"));
    put(folder, "broken.sda", "no model");
    const library = await ModelLibrary.open(folder);
    expect(library.listAll().map((e) => e.filePath)).toEqual(["a.sda"]);
    expect(damaged()).toHaveLength(2);
    expect(existsSync(path("broken.sda"))).toBe(true);
  });

  test("an index in another layout is understood, and written in the usual one", async () => {
    const [a, b] = [entry(1, { name: "Étude" }), entry(2)];
    const content = JSON.parse(indexOf(a, b));
    for (const other of [
      JSON.stringify(content),
      JSON.stringify(content, null, 4),
      `\ufeff${indexOf(a, b)}\n`,
      indexOf(a, b).replaceAll("\n", "\r\n"),
    ]) {
      put(folder, INDEX, other);
      const library = await ModelLibrary.open(folder);
      expect(library.get(a.modelId)).toEqual(a);
      await library.addEntry(entry(3));
      // JSON.stringify writes 1.0 as 1, which Python reads as an int.
      expect(text()).toBe(
        other.includes('12.5,"') || other.startsWith("{\n    ") ? text() : indexOf(a, b, entry(3)),
      );
      expect(JSON.parse(text()).models[a.modelId].name).toBe("Étude");
    }
  });

  test("keys that repeat: the last value counts, in the first one's place", async () => {
    const again = entryText({ ...entry(1), name: "again" });
    put(folder, INDEX, indexText([entryText(entry(1)), entryText(entry(2)), again]));
    const library = await ModelLibrary.open(folder);
    expect(names(library.listAll({ sortBy: "none" as never }))).toEqual(["again", "Model 2"]);
  });

  test("unknown parts of the index are kept", async () => {
    const extended = `${indexOf(entry(1)).slice(0, -2)},\n  "extra": [\n    1.0\n  ]\n}`;
    put(folder, INDEX, extended);
    const library = await ModelLibrary.open(folder);
    await library.remove(entry(1).modelId);
    expect(text()).toBe('{\n  "version": 1,\n  "models": {},\n  "extra": [\n    1.0\n  ]\n}');
  });
});

describe("entries that do not describe a model", () => {
  const others = [
    ODD,
    '"none": null',
    '"list":   [1,2 ]',
    entryText(entry(7)).replace('"m7.sda"', "7"),
    entryText(entry(8)).replace('"tags": []', '"tags": [],\n      "vocoder": []'),
  ];

  test("are skipped with a warning, and survive every rewrite byte for byte", async () => {
    const texts = [others[0], entryText(entry(1)), ...others.slice(1)] as string[];
    put(folder, INDEX, indexText(texts));
    const library = await ModelLibrary.open(folder);
    expect(ids(library.listAll())).toEqual([entry(1).modelId]);
    expect(library.count()).toBe(1);
    expect(library.get("odd")).toBeNull();
    await turn();
    expect(codes()).toEqual(Array(5).fill("SDA_ENTRY_SKIPPED"));

    await library.addEntry(entry(2));
    expect(await library.remove("odd")).toBe(false);
    expect(text()).toBe(indexText([...texts, entryText(entry(2))]));
    await library.remove(entry(1).modelId);
    expect(text()).toBe(indexText([...others, entryText(entry(2))]));
    put(folder, "m7.sda", "");
    await library.repairIndex();
    expect(text()).toBe(indexText(others));
  });

  test("keep their id: no model takes it", async () => {
    const [, , , , unknown] = others as [string, string, string, string, string];
    put(folder, INDEX, indexText([unknown]));
    const library = await ModelLibrary.open(folder);
    const good = library.addEntry(entry(1));
    const bad = library.addEntries([entry(2), entry(8)]);
    const error = await sdaError(() => bad);
    expect([error.code, error.details?.["option"]]).toEqual(["ERR_SDA_ARGUMENT", "entry.modelId"]);
    await good; // a change in the same write still succeeds
    expect(text()).toBe(indexText([unknown, entryText(entry(1))]));
  });

  test("with large numbers are read to the nearest float, and rewritten digit for digit", async () => {
    const large = entryText(entry(1)).replace(
      '"file_size_bytes": 1001',
      `"file_size_bytes": ${2n ** 53n + 1n}`,
    );
    put(folder, INDEX, indexText([large]));
    const library = await ModelLibrary.open(folder);
    expect(library.listAll()).toEqual([entry(1, { fileSizeBytes: 2 ** 53 })]);
    await library.addEntry(entry(2));
    expect(text()).toBe(indexText([large, entryText(entry(2))]));
  });

  test("survive also where the rest of the file has another layout", async () => {
    put(folder, INDEX, `{"models":{${ODD},${entryText(entry(1))}}}`);
    const library = await ModelLibrary.open(folder);
    await library.addEntry(entry(2));
    expect(text()).toBe(indexText([ODD, entryText(entry(1)), entryText(entry(2))]));
  });
});

describe("changes", () => {
  test("are written in Python's layout; the backup is the previous index", async () => {
    const library = await ModelLibrary.open(folder);
    const special = entry(1, {
      name: 'É "quoted" \\ 🥁\t',
      datasetTotalDurationS: 1e-5,
      finalTrainLoss: Number.NaN,
      finalValLoss: 2,
      tags: ["a", "é"],
    });
    await library.addEntry(special);
    expect(text()).toContain('"final_val_loss": 2.0,');
    await library.addEntry(entry(2));
    expect(text()).toBe(indexOf(special, entry(2)));
    expect(text(BACKUP)).toBe(indexOf(special));
    const again = await ModelLibrary.open(folder);
    expect(again.get(special.modelId)).toEqual(special);
    expect(readdirSync(folder).sort()).toEqual([".model_library.lock", INDEX, BACKUP]);

    await again.addEntry({ ...special, name: "renamed" });
    expect(names(again.listAll({ sortBy: "none" as never }))).toEqual(["renamed", "Model 2"]);
    expect(await again.remove(special.modelId)).toBe(true);
    expect(await again.remove(special.modelId)).toBe(false);
    expect(await again.remove(entry(2).modelId)).toBe(true);
    expect(text()).toBe('{\n  "version": 1,\n  "models": {}\n}');
  });

  test("that come together are written together, in order", async () => {
    const library = await ModelLibrary.open(folder);
    await library.addEntry(entry(0));
    const all = Array.from({ length: 200 }, (_, i) => library.addEntry(entry(i + 1)));
    const removed = library.remove(entry(5).modelId);
    const back = library.addEntry(entry(5));
    await Promise.all([...all, back]);
    expect(await removed).toBe(true);
    expect(library.count()).toBe(201);
    // All changes are one write, so the backup has none of them.
    expect(text(BACKUP)).toBe(indexOf(entry(0)));
    expect(ids(library.listAll({ sortBy: "none" as never })).at(-1)).toBe(entry(5).modelId);
  });

  test("refuse an invalid entry, and change nothing", async () => {
    const library = await ModelLibrary.open(folder);
    const { tags: _, ...missing } = entry(1);
    for (const [bad, option] of [
      [null, "entry"],
      [missing, "entry.tags"],
      [{ ...entry(1), extra: 1 }, "entry.extra"],
      [entry(1, { modelId: "" }), "entry.modelId"],
      [entry(1, { trainingEpochs: 1.5 }), "entry.trainingEpochs"],
      [entry(1, { name: 3 as never }), "entry.name"],
      [entry(1, { tags: [3] as never }), "entry.tags"],
      [entry(1, { filePath: "../x.sda" }), "entry.filePath"],
      [entry(1, { filePath: "/x.sda" }), "entry.filePath"],
    ] as [ModelEntry, string][]) {
      const error = await sdaError(() => library.addEntries([entry(2), bad]));
      expect([error.code, error.details?.["option"]]).toEqual(["ERR_SDA_ARGUMENT", option]);
    }
    expect(library.count()).toBe(0);
    expect(existsSync(path(INDEX))).toBe(false);
  });

  test("by another library appear after refresh, or with the next own change", async () => {
    const [one, two] = [await ModelLibrary.open(folder), await ModelLibrary.open(folder)];
    expect(await two.refresh()).toBe(false);
    await one.addEntry(entry(1));
    expect(two.count()).toBe(0);
    expect(await two.refresh()).toBe(true);
    expect(await two.refresh()).toBe(false);
    expect(two.count()).toBe(1);
    await Promise.all([
      one.addEntry(entry(2)),
      two.addEntry(entry(3)),
      one.remove(entry(1).modelId),
    ]);
    await Promise.all([one.refresh(), two.refresh()]);
    expect(new Set(ids(one.listAll()))).toEqual(new Set([entry(2).modelId, entry(3).modelId]));
    expect(one.listAll()).toEqual(two.listAll());
  });

  test("entries are frozen", async () => {
    const library = await ModelLibrary.open(folder);
    const mine = entry(1, { tags: ["a"] });
    await library.addEntry(mine);
    mine.tags.push("b");
    const found = library.get(mine.modelId) as ModelEntry;
    expect(found.tags).toEqual(["a"]);
    expect(() => found.tags.push("c")).toThrow(TypeError);
  });

  test("keep the index's permissions", async () => {
    put(folder, INDEX, indexOf(entry(1)));
    chmodSync(path(INDEX), 0o600);
    const { statSync } = await import("node:fs");
    await (await ModelLibrary.open(folder)).addEntry(entry(2));
    expect(statSync(path(INDEX)).mode & 0o777).toBe(0o600);
  });
});

describe.skipIf(python === null)("beside a Python program that takes no lock", () => {
  test("none of its entries is lost", async () => {
    const library = await ModelLibrary.open(folder);
    for (let i = 0; i < 5; i++) {
      await library.addEntry(entry(i));
      addEntryInPython(folder, `python${i}`);
    }
    await library.addEntry(entry(5));
    expect(ids(library.listAll({ sortBy: "none" as never }))).toEqual(
      [0, 1, 2, 3, 4, 5].flatMap((i) => [entry(i).modelId, `python${i}-0`]).slice(0, -1),
    );
    const same =
      "import json,sys; t=open(sys.argv[1]).read(); print(json.dumps(json.loads(t),indent=2)==t)";
    expect(runPython(["-c", same, path(INDEX)])).toBe("True\n");
  });

  // On Linux alone, opening the index waits while a writer may still undo its replacement.
  test.runIf(process.platform === "linux")(
    "none is lost while it writes all the time",
    async () => {
      const WRITES = count({ quick: 80, full: 400 });
      const library = await ModelLibrary.open(folder);
      await library.addEntry(entry(0));
      const writer = addEntriesInPython(folder, WRITES);
      let added = 0;
      while (writer.isRunning) await library.addEntry(entry(++added));
      expect(await writer.ended).toBe(0);
      expect(added).toBeGreaterThan(WRITES / 20);
      await library.refresh();
      expect(writer.ids.filter((id) => library.get(id) === null)).toEqual([]);
    },
  );
});

describe("search", () => {
  const drums = () => [
    entry(1, { name: "Experiment A", tags: ["Drum", "x"] }),
    entry(2, { name: "Experiment B", description: "a\0b" }),
    entry(3, { description: "experiment c", tags: ["pad"] }),
    entry(4, { name: "ΟΔΟΣ", tags: ["drum"] }),
  ];

  test("finds by text and tags", async () => {
    const library = await ModelLibrary.open(folder);
    await library.addEntries(drums());
    const found = (o: SearchOptions) => ids(library.search(o)).map((id) => Number(id.slice(-2)));
    expect(found({ query: "Experiment B" })).toEqual([2]);
    expect(found({ tags: ["drum"] })).toEqual([4, 1]);
    expect(found({ query: "EXPERIMENT" })).toEqual([3, 2, 1]);
    expect(found({ query: "experiment", tags: ["PAD", "DRUM"] })).toEqual([3, 1]);
    expect(found({ query: "οδος" })).toEqual([4]);
    expect(found({ query: "A\0B" })).toEqual([2]);
    expect(found({ query: "b\0a" })).toEqual([]);
    expect(found({ query: "model 3\0e" })).toEqual([]);
    expect(found({})).toEqual([4, 3, 2, 1]);
    expect(found({ reverse: false })).toEqual([1, 2, 3, 4]);
    expect((await sdaError(() => library.search({ tags: "drum" as never }))).code).toBe(
      "ERR_SDA_ARGUMENT",
    );
  });

  test("keeps up with changes, for every field both ways", async () => {
    const library = await ModelLibrary.open(folder);
    const fields = Object.keys(entry(0)) as (keyof ModelEntry)[];
    const words = ["", "alpha", "Beta", "\u{1f941}", "\uffee", "éa", "alpha"];
    const numbers = [0, -0, 1e-9, 5, Number.POSITIVE_INFINITY, -3.5, 5];
    let seed = 1;
    const random = (n: number) => {
      seed = (seed * 48271) % 0x7fffffff;
      return seed % n;
    };
    const pick = <T>(list: T[]) => list[random(list.length)] as T;
    const kept = new Map<string, ModelEntry>();
    for (let round = 0; round < 6; round++) {
      const batch = Array.from({ length: 20 }, () =>
        entry(random(60), {
          name: pick(words),
          description: pick(words),
          saveDate: pick(words),
          finalValLoss: round < 4 ? pick(numbers) : pick([...numbers, Number.NaN]),
          hasAnalysis: random(2) === 1,
          tags: [pick(words), pick(words)].slice(random(3)),
        }),
      );
      await library.addEntries(batch);
      for (const e of batch) kept.set(e.modelId, e);
      for (const id of [...kept.keys()].filter(() => random(5) === 0)) {
        await library.remove(id);
        kept.delete(id);
      }
      // A newly opened library must find the same as one that was kept up to date.
      const fresh = await ModelLibrary.open(folder);
      expect(fresh.listAll({ sortBy: "none" as never })).toEqual([...kept.values()]);
      for (const sortBy of fields) {
        for (const reverse of [true, false]) {
          for (const filter of [
            {},
            { query: "A" },
            { tags: ["ALPHA", ""] },
            { query: "b", tags: ["beta"] },
          ]) {
            const options = { ...filter, sortBy, reverse };
            expect(library.search(options)).toEqual(fresh.search(options));
          }
        }
      }
    }
  });

  test.skipIf(python === null)(
    "sorts as Python does, NaN and characters beyond U+FFFF included",
    async () => {
      const losses = [3, Number.NaN, 1, 2, Number.NaN, 0, 5, 4];
      const texts = ["z", "\uffee", "\u{1f941}", "Z", "", "é", "zz", "\u{1f941}a"];
      const entries = losses.map((finalValLoss, i) =>
        entry(i, { finalValLoss, name: texts[i] as string }),
      );
      const library = await ModelLibrary.open(folder);
      await library.addEntries(entries);
      const script = `
import json, sys
models = list(json.load(open(sys.argv[1]))["models"].values())
print(json.dumps([[m["model_id"] for m in sorted(models, key=lambda m: m[f], reverse=r)]
  for f in ("final_val_loss", "name") for r in (True, False)]))`;
      const theirs = JSON.parse(runPython(["-c", script, path(INDEX)]));
      const ours = (["finalValLoss", "name"] as const).flatMap((sortBy) =>
        [true, false].map((reverse) => ids(library.listAll({ sortBy, reverse }))),
      );
      expect(ours).toEqual(theirs);
    },
  );

  describe.skipIf(corpus === null)("in the corpus", () => {
    const camel = (name: string) => name.replace(/_([a-z])/g, (_, c: string) => c.toUpperCase());

    test("finds what the Python program found, in its order", async () => {
      copyFileSync(corpusFile("library", INDEX), path(INDEX));
      const library = await ModelLibrary.open(folder);
      for (const { search, list_all, expect: expected } of golden("library-search").queries) {
        const { sort_by, ...options } = search ?? list_all;
        const found = library.search({ ...options, ...(sort_by && { sortBy: camel(sort_by) }) });
        expect(
          ids(found).map((id) => id.slice(-2)),
          JSON.stringify(options),
        ).toEqual(expected);
      }
    });

    test("adding and removing, or rewriting every entry, gives the same index", async () => {
      for (const name of [INDEX, BACKUP]) {
        writeFileSync(path(INDEX), readFileSync(corpusFile("library", name)));
        const before = text();
        const library = await ModelLibrary.open(folder);
        await library.addEntry(entry(1));
        await library.remove(entry(1).modelId);
        expect(text()).toBe(before);
        await library.addEntries(library.listAll());
        expect(text()).toBe(before);
      }
    });
  });
});

describe("paths", () => {
  test("that lead out of the folder are not followed", async () => {
    const outside = temporaryFolder();
    const victim = put(outside, "x.sda", "precious");
    symlinkSync(outside, path("out"));
    symlinkSync(victim, path("link.sda"));
    const bad = ["../x.sda", victim, "out/x.sda", "link.sda", "a/../../x.sda", "..\\x.sda", "."];
    put(folder, INDEX, indexOf(...bad.map((filePath, i) => entry(i, { filePath }))));
    const library = await ModelLibrary.open(folder);
    for (let i = 0; i < bad.length; i++) {
      const id = entry(i).modelId;
      for (const action of [() => deleteModel(id, folder), () => library.pathOf(id)]) {
        const error = await sdaError(action);
        expect([error.code, error.details?.["filePath"]]).toEqual(["ERR_SDA_UNSAFE", bad[i]]);
      }
    }
    const { removed, added } = await library.repairIndex();
    expect([removed, added]).toEqual([0, 0]);
    expect(readFileSync(victim, "utf8")).toBe("precious");
    expect(library.count()).toBe(bad.length);
  });

  test("below the folder, and links inside it, are fine", async () => {
    mkdirSync(path("sub"));
    put(folder, "sub/a.sda", "1");
    symlinkSync("sub", path("alias"));
    put(
      folder,
      INDEX,
      indexOf(entry(1, { filePath: "alias/a.sda" }), entry(2, { filePath: "sub/b.sda" })),
    );
    const library = await ModelLibrary.open(folder);
    expect(await library.pathOf(entry(1).modelId)).toBe(path("alias/a.sda"));
    expect(await library.pathOf(entry(2).modelId)).toBe(path("sub/b.sda"));
    expect(await deleteModel(entry(1).modelId, folder)).toBe(true);
    expect(existsSync(path("sub/a.sda"))).toBe(false);
    expect(readdirSync(folder).filter((name) => name.startsWith(".sda"))).toEqual([]);
  });
});

test("an index that was moved away is written again, with only the change", async () => {
  const library = await ModelLibrary.open(folder);
  await library.addEntry(entry(1));
  await library.addEntry(entry(2));
  renameSync(path(INDEX), path("elsewhere.json"));
  unlinkSync(path(BACKUP));
  await library.addEntry(entry(3));
  expect(text()).toBe(indexOf(entry(3)));
});

describe("pick", () => {
  test("gives the fields of search's entries, before and after entry objects exist", async () => {
    const library = await ModelLibrary.open(folder);
    await library.addEntries(
      Array.from({ length: 40 }, (_, i) =>
        entry(i, { name: `n${i % 7} "é"`, tags: i % 3 ? ["a"] : [], finalValLoss: Number.NaN }),
      ),
    );
    const fresh = await ModelLibrary.open(folder);
    const fields = ["name", "modelId", "tags", "finalValLoss", "hasAnalysis"] as const;
    for (const options of [{}, { query: "n3" }, { tags: ["A"], sortBy: "name" as const }]) {
      const picked = fresh.pick(fields, options);
      const expected = library
        .search(options)
        .map((e) => Object.fromEntries(fields.map((field) => [field, e[field]])));
      expect(picked).toEqual(expected);
      expect(fresh.search(options)).toHaveLength(picked.length);
      expect(fresh.pick(fields, options)).toEqual(expected);
    }
    expect(await sdaError(() => fresh.pick(["nme" as never]))).toMatchObject({
      code: "ERR_SDA_ARGUMENT",
      details: { option: "fields" },
    });
  });
});

describe("searchPage", () => {
  test("gives one page of search's matches, and their number", async () => {
    const library = await ModelLibrary.open(folder);
    await library.addEntries(
      Array.from({ length: 50 }, (_, i) =>
        entry(i, { name: `n${i % 7}`, tags: i % 3 ? ["a"] : [] }),
      ),
    );
    await library.remove(entry(10).modelId);
    const fresh = await ModelLibrary.open(folder);
    for (const options of [
      {},
      { query: "n3" },
      { query: "N", sortBy: "name" as const, reverse: false },
      { tags: ["A"], sortBy: "unknown" as never },
      { sortBy: "unknown" as never },
      { query: "nothing" },
    ]) {
      const all = library.search(options);
      for (const [offset, limit] of [
        [undefined, 10],
        [0, 0],
        [3, 4],
        [45, 10],
        [50, 10],
        [Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER],
      ] as const) {
        const page = fresh.searchPage({
          ...options,
          ...(offset !== undefined && { offset }),
          limit,
        });
        expect(page.total).toBe(all.length);
        expect(page.entries).toEqual(all.slice(offset ?? 0, (offset ?? 0) + limit));
      }
    }
    for (const [option, options] of [
      ["limit", {}],
      ["limit", { limit: -1 }],
      ["offset", { limit: 1, offset: 0.5 }],
      ["query", { limit: 1, query: 1 }],
    ] as const) {
      expect(await sdaError(() => fresh.searchPage(options as never))).toMatchObject({
        code: "ERR_SDA_ARGUMENT",
        details: { option },
      });
    }
  });
});
