/** Indexes of version 2, of later versions, and entries with fields of later versions. */
import { copyFileSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, describe, expect, test } from "vitest";
import { type ModelEntry, ModelLibrary } from "../../../lib/index.js";
import { entryText, entryTextIn } from "../../../lib/library/index/entry.js";
import { readBytes } from "../../../lib/library/index/index-file.js";
import { LAYOUT } from "../../../lib/library/index/index-image.js";
import { distill, distillFile } from "../../support/corpus-distill.js";
import { sdaError } from "../../support/errors.js";
import { temporaryFolder } from "../../support/folder.js";
import { python, runPython } from "../../support/python.js";
import { collectWarnings } from "../../support/warnings.js";
import { BACKUP, entry, INDEX, indexText, put } from "../support.js";

const TINY = "test/fixtures/models/tiny.sda";
const VOCODER = {
  type: "hifigan_v2",
  epochs: 120,
  finalLoss: 31.40625,
  trainingDate: "2026-11-26T06:57:09.922411+00:00",
};
const gan = (number: number, changes: Partial<ModelEntry> = {}) =>
  entry(number, { filePath: `m${number}.distillgan`, ...changes });

let folder: string;
const warnings = collectWarnings();
beforeEach(() => {
  folder = temporaryFolder();
});

const turn = () => new Promise((resolve) => setImmediate(resolve));
const path = (name: string) => join(folder, name);
const text = (name = INDEX) => readFileSync(path(name), "utf8");
const ids = (entries: ModelEntry[]) => entries.map((e) => e.modelId);
const IN_ORDER = { sortBy: "none" as never };
const v1 = (...entries: ModelEntry[]) => indexText(entries.map((e) => entryText(e)));
const v2 = (...entries: ModelEntry[]) =>
  indexText(
    entries.map((e) => entryTextIn(2, e)),
    2,
  );
async function openWith(index: string): Promise<ModelLibrary> {
  put(folder, INDEX, index);
  return ModelLibrary.open(folder);
}

describe("version 2", () => {
  const models = () => [
    gan(1, { vocoder: VOCODER }),
    gan(2),
    gan(3, { vocoder: { type: "bigvgan_ft", epochs: 7, finalLoss: 1.5e-7, trainingDate: "" } }),
    gan(4, { vocoder: { ...VOCODER, finalLoss: Number.NaN }, finalValLoss: 1 }),
    gan(5, { vocoder: { ...VOCODER, finalLoss: null } }),
  ];

  test("is listed with its vocoders, and its layout is the scanner's", async () => {
    const library = await openWith(v2(...models()));
    expect([library.indexVersion, library.isWritable]).toEqual([2, true]);
    expect(library.listAll(IN_ORDER)).toEqual(models());
    const fresh = await ModelLibrary.open(folder);
    expect(fresh.pick(["vocoder"], IN_ORDER)).toEqual(models().map(({ vocoder }) => ({ vocoder })));
    const { layout } = await readBytes(path(INDEX));
    const flags = models().map((_, i) => layout?.[i * LAYOUT.stride + LAYOUT.flags]);
    expect(flags).toEqual([0, 0, 0, LAYOUT.notFinite, 0]);
  });

  test("is written in the same bytes, and stays version 2", async () => {
    const library = await openWith(v2(...models()));
    await library.addEntry(entry(6));
    expect(text()).toBe(v2(...models(), entry(6)));
    for (const { modelId } of models()) await library.remove(modelId);
    expect(text()).toBe(v2(entry(6)));
    await library.remove(entry(6).modelId);
    expect(text()).toBe('{\n  "version": 2,\n  "models": {}\n}');
    await library.addEntry(entry(6));
    expect(text()).toBe(v2(entry(6)));
    await library.addEntries([...models(), entry(6)]);
    expect(text()).toBe(v2(entry(6), ...models()));
  });

  test("in another layout is read, and written in the usual one", async () => {
    const compact = JSON.stringify(JSON.parse(v2(models()[0] as ModelEntry, gan(2))));
    const library = await openWith(compact);
    expect(library.indexVersion).toBe(2);
    expect(library.listAll(IN_ORDER)).toEqual(models().slice(0, 2));
    await library.addEntry(gan(7));
    expect(JSON.parse(text())).toEqual(JSON.parse(v2(...models().slice(0, 2), gan(7))));
    expect(text().startsWith('{\n  "version": 2,\n  "models": {\n    "')).toBe(true);
  });

  test("may hold entries without a vocoder field, as the older program writes them", async () => {
    const mixed = indexText([entryText(entry(1)), entryTextIn(2, gan(2)), entryText(entry(3))], 2);
    const library = await openWith(mixed);
    expect(library.listAll(IN_ORDER)).toEqual([entry(1), gan(2), entry(3)]);
    await library.addEntry(gan(4));
    expect(text()).toBe(mixed.replace("\n  }\n}", `,\n    ${entryTextIn(2, gan(4))}\n  }\n}`));
    await library.addEntry({ ...entry(1), name: "new" });
    expect(text()).toContain(entryTextIn(2, { ...entry(1), name: "new" }));
  });

  test("sorts by the vocoder's epochs", async () => {
    const library = await openWith(v2(...models()));
    const numbers = library.listAll({ sortBy: "vocoder" }).map((e) => Number(e.modelId.slice(-1)));
    expect(numbers).toEqual([1, 4, 5, 3, 2]);
  });

  test("vocoders are frozen copies", async () => {
    const library = await ModelLibrary.open(folder);
    const mine = { ...VOCODER };
    await library.addEntry(gan(1, { vocoder: mine }));
    mine.epochs = 1;
    const found = library.get(gan(1).modelId)?.vocoder as typeof mine;
    expect(found.epochs).toBe(120);
    expect(() => {
      found.epochs = 2;
    }).toThrow(TypeError);
  });

  test.each([
    ["entry.vocoder", 5],
    ["entry.vocoder", [VOCODER]],
    ["entry.vocoder.type", { ...VOCODER, type: 1 }],
    ["entry.vocoder.epochs", { ...VOCODER, epochs: 1.5 }],
    ["entry.vocoder.finalLoss", { ...VOCODER, finalLoss: "0" }],
    ["entry.vocoder.trainingDate", { ...VOCODER, trainingDate: undefined }],
    ["entry.vocoder.extra", { ...VOCODER, extra: 1 }],
  ])("a wrong vocoder is refused: %s", async (option, vocoder) => {
    const library = await ModelLibrary.open(folder);
    const error = await sdaError(() => library.addEntry(gan(1, { vocoder: vocoder as never })));
    expect([error.code, error.details?.["option"]]).toEqual(["ERR_SDA_ARGUMENT", option]);
    expect(readdirSync(folder)).toEqual([]);
  });

  test("of 20,000 entries needs no JSON parser", async () => {
    const many = Array.from({ length: 20_000 }, (_, i) =>
      gan(i, i % 2 ? { vocoder: VOCODER } : {}),
    );
    put(folder, INDEX, v2(...many));
    const { layout } = await readBytes(path(INDEX));
    expect(layout).toHaveLength(many.length * LAYOUT.stride);
    expect(many.every((_, i) => layout?.[i * LAYOUT.stride + LAYOUT.flags] === 0)).toBe(true);
    const library = await ModelLibrary.open(folder);
    expect(library.listAll({ sortBy: "fileSizeBytes" })).toEqual(many.toReversed());
  });
});

describe("an index of version 1", () => {
  test("stays version 1 with the older programs' models", async () => {
    const library = await ModelLibrary.open(folder);
    const { vocoder: _, ...without } = entry(2, { filePath: "m2.distill" });
    await library.addEntries([entry(1), without]);
    expect(library.indexVersion).toBe(1);
    expect(text()).toBe(v1(entry(1), entry(2, { filePath: "m2.distill" })));
  });

  test.each<[string, ModelEntry]>([
    ["a .distillgan file", gan(9)],
    ["a .distillgan file with a suffix in capitals", gan(9, { filePath: "M9.DistillGAN" })],
    ["a vocoder", entry(9, { vocoder: VOCODER })],
  ])("becomes version 2, each entry with the new field, with %s", async (_, added) => {
    const odd = entryText(entry(4)).replace('"tags": []', '"tags": [],\n      "later": {}');
    const unreadable = '"none":   [1, 2 ]';
    const texts = [entryText(entry(1)), odd, unreadable, entryText(entry(2))];
    const library = await openWith(indexText(texts));
    await library.addEntry(entry(3));
    expect(text()).toBe(indexText([...texts, entryText(entry(3))]));
    await library.addEntry(added);
    expect(library.indexVersion).toBe(2);
    const expected = [
      entryTextIn(2, entry(1)),
      odd.replace('"later": {}', '"later": {},\n      "vocoder": null'),
      unreadable,
      entryTextIn(2, entry(2)),
      entryTextIn(2, entry(3)),
      entryTextIn(2, added),
    ];
    expect(text()).toBe(indexText(expected, 2));
    expect(text(BACKUP)).toBe(indexText([...texts, entryText(entry(3))]));
    // The same library goes on, and another one reads the same.
    await library.addEntry(entry(5));
    expect(text()).toBe(indexText([...expected, entryTextIn(2, entry(5))], 2));
    expect((await ModelLibrary.open(folder)).listAll()).toEqual(library.listAll());
  });

  test("becomes version 2 in one write, also with entries added before the first vocoder", async () => {
    const library = await openWith(v1(entry(1), entry(2)));
    await Promise.all([
      library.addEntry(entry(3)),
      library.addEntry({ ...entry(1), name: "new" }),
      library.addEntry(gan(4, { vocoder: VOCODER })),
      library.remove(entry(2).modelId),
    ]);
    const all = [{ ...entry(1), name: "new" }, entry(3), gan(4, { vocoder: VOCODER })];
    expect(text()).toBe(v2(...all));
    expect(library.listAll(IN_ORDER)).toEqual(all);
  });

  test("whose write fails stays version 1", async () => {
    const library = await openWith(v1(entry(1)));
    const bad = library.addEntries([gan(2), entry(3, { modelId: "" })]);
    expect((await sdaError(() => bad)).code).toBe("ERR_SDA_ARGUMENT");
    expect(library.indexVersion).toBe(1);
    await library.addEntry(entry(4));
    expect(text()).toBe(v1(entry(1), entry(4)));
  });
});

describe("fields of later versions", () => {
  const LATER = '"rating": 5.0,\n      "credits": {\n        "by": []\n      },';
  const extended = (number: number, version: number) =>
    entryTextIn(version, gan(number, { vocoder: version === 1 ? null : VOCODER }))
      .replace('"description"', `${LATER}\n      "description"`)
      .replace('"epochs": 120', '"steps": 7,\n        "epochs": 120');

  test.each([1, 2])("are no reason to skip an entry, and survive every rewrite: %s", async (v) => {
    const texts = [extended(1, v), extended(2, v)];
    const library = await openWith(indexText(texts, v));
    await turn();
    expect(warnings).toEqual([]);
    const vocoder = v === 1 ? null : VOCODER;
    expect(library.listAll(IN_ORDER)).toEqual([gan(1, { vocoder }), gan(2, { vocoder })]);
    expect(library.search({ query: "model 2" })).toEqual([gan(2, { vocoder })]);

    await library.addEntry(entry(3));
    expect(text()).toBe(indexText([...texts, entryTextIn(v, entry(3))], v));
    // A replaced entry keeps what this code does not know.
    await library.addEntry({ ...(library.get(gan(1).modelId) as ModelEntry), name: "Étude" });
    const renamed = (v === 1 ? upgraded(texts[0] as string) : (texts[0] as string)).replace(
      '"Model 1"',
      '"\\u00c9tude"',
    );
    const second = v === 1 ? upgraded(texts[1] as string) : (texts[1] as string);
    expect(text()).toBe(indexText([renamed, second, entryTextIn(2, entry(3))], 2));
    // Again, in the same library and in a new one.
    for (const each of [library, await ModelLibrary.open(folder)]) {
      await each.addEntry({ ...(each.get(gan(2).modelId) as ModelEntry), tags: ["x"] });
      expect(text()).toBe(
        indexText(
          [
            renamed,
            second.replace('"tags": []', '"tags": [\n        "x"\n      ]'),
            entryTextIn(2, entry(3)),
          ],
          2,
        ),
      );
    }
    await library.remove(gan(1).modelId);
    expect(text()).not.toContain("Model 1");
  });

  const upgraded = (one: string) =>
    `${one.slice(0, -"\n    }".length)},\n      "vocoder": null\n    }`;

  test("of a vocoder stay when the vocoder changes; without a vocoder they go", async () => {
    const library = await openWith(indexText([extended(1, 2)], 2));
    const own = library.get(gan(1).modelId) as ModelEntry;
    await library.addEntry({ ...own, vocoder: { ...VOCODER, epochs: 200 } });
    expect(text()).toBe(indexText([extended(1, 2).replace('"epochs": 120', '"epochs": 200')], 2));
    await library.addEntry({ ...own, vocoder: null });
    expect(JSON.parse(text()).models[own.modelId].vocoder).toBeNull();
  });

  test("of the index itself stay, in their places", async () => {
    const members = ['"made_by": "v9"', '"version": 2', '"models": {}', '"extra": [\n    1.0\n  ]'];
    const library = await openWith(`{\n  ${members.join(",\n  ")}\n}`);
    expect(library.indexVersion).toBe(2);
    await library.addEntry(gan(1));
    const models = `"models": {\n    ${entryTextIn(2, gan(1))}\n  }`;
    const expected = [members[0], members[1], models, members[3]];
    expect(text()).toBe(`{\n  ${expected.join(",\n  ")}\n}`);
  });

  test("a version after the models stays there, and is raised there", async () => {
    const library = await openWith(`{"models": {${entryText(entry(1))}}, "version": 1, "x": null}`);
    await library.addEntry(gan(2));
    const models = [entry(1), gan(2)].map((e) => entryTextIn(2, e)).join(",\n    ");
    expect(text()).toBe(`{\n  "models": {\n    ${models}\n  },\n  "version": 2,\n  "x": null\n}`);
  });
});

describe("a newer index", () => {
  const newer = (...texts: string[]) => indexText(texts, 3);
  const readable = entryTextIn(2, gan(1)).replace('"name"', '"later": 1,\n      "name"');
  const CONTENT = newer(readable, '"odd": 7', entryTextIn(2, gan(2)));

  test("is listed as far as it can be read, with a warning", async () => {
    const library = await openWith(CONTENT);
    expect([library.indexVersion, library.isWritable]).toEqual([3, false]);
    expect(library.listAll(IN_ORDER)).toEqual([gan(1), gan(2)]);
    expect(library.search({ query: "model 2" })).toEqual([gan(2)]);
    await library.refresh();
    await turn();
    expect(warnings.map(({ code }) => code)).toEqual(["SDA_INDEX_NEWER", "SDA_ENTRY_SKIPPED"]);
    expect(warnings[0]?.message).toContain("version 3 is newer than supported (2)");
    expect(readdirSync(folder)).toEqual([INDEX]);
  });

  test("and its folder stay as they are, whatever is asked", async () => {
    copyFileSync(TINY, path("m2.distillgan"));
    put(folder, ".sda-deleted-ab/m1.sda", "hidden");
    put(folder, `.sda-updated-${"0".repeat(64)}`, "pending");
    put(folder, ".sda-updating-0a", "pending");
    const library = await openWith(CONTENT);
    const before = readdirSync(folder, { recursive: true }).sort();
    const bytes = readFileSync(path("m2.distillgan"));
    const { modelId } = gan(2);
    for (const write of [
      () => library.addEntry(entry(3)),
      () => library.addEntries([]),
      () => library.remove(modelId),
      () => library.update(modelId, { name: "other" }),
      () => library.delete(modelId),
      () => library.import(TINY),
      () => library.import("test/fixtures/checkpoints/tiny.pt"),
      () => library.repairIndex(),
    ]) {
      const error = await sdaError(write as () => Promise<unknown>);
      expect(error.code, String(write)).toBe("ERR_SDA_VERSION");
      expect(error.details).toMatchObject({ version: 3, supported: 2 });
      expect(readdirSync(folder, { recursive: true }).sort()).toEqual(before);
    }
    expect(text()).toBe(CONTENT);
    expect(readFileSync(path("m2.distillgan")).equals(bytes)).toBe(true);
  });

  test("that appears while the library is open is not overwritten", async () => {
    const library = await openWith(v2(gan(1)));
    put(folder, INDEX, CONTENT);
    const error = await sdaError(() => library.addEntry(entry(3)));
    expect(error.code).toBe("ERR_SDA_VERSION");
    expect(text()).toBe(CONTENT);
    expect(library.isWritable).toBe(false);
    put(folder, INDEX, v2(gan(1)));
    await library.addEntry(entry(3));
    expect(text()).toBe(v2(gan(1), entry(3)));
  });

  test("as the backup of a damaged index is listed, and both stay", async () => {
    put(folder, INDEX, "{");
    put(folder, BACKUP, CONTENT);
    const library = await ModelLibrary.open(folder);
    expect(ids(library.listAll(IN_ORDER))).toEqual([gan(1).modelId, gan(2).modelId]);
    expect((await sdaError(() => library.addEntry(entry(3)))).code).toBe("ERR_SDA_VERSION");
    expect([text(), text(BACKUP)]).toEqual(["{", CONTENT]);
  });

  test.each(["3", "2.5", "1e30", "99999999999999999999"])("is also %s", async (version) => {
    const content = CONTENT.replace('"version": 3', `"version": ${version}`);
    const library = await openWith(content);
    expect(library.isWritable).toBe(false);
    expect((await sdaError(() => library.addEntry(entry(3)))).code).toBe("ERR_SDA_VERSION");
    expect(text()).toBe(content);
  });

  test.each(["0", "-1", "1.0", "NaN", "null"])(
    "is not %s: written as version 1",
    async (version) => {
      const library = await openWith(v1(entry(1)).replace('"version": 1', `"version": ${version}`));
      await library.addEntry(entry(2));
      expect(text()).toBe(v1(entry(1), entry(2)));
    },
  );
});

describe("hostile entries", () => {
  const withVocoder = (value: string) =>
    entryTextIn(2, gan(1)).replace('"vocoder": null', `"vocoder": ${value}`);

  test.each([
    "5",
    "true",
    '"hifigan_v2"',
    "[]",
    "{}",
    '{"type": "x", "epochs": 1, "final_loss": 0.5}',
    '{"type": null, "epochs": 1, "final_loss": 0.5, "training_date": ""}',
    '{"type": "x", "epochs": "1", "final_loss": 0.5, "training_date": ""}',
    '{"type": "x", "epochs": 1.5, "final_loss": 0.5, "training_date": ""}',
    '{"type": "x", "epochs": 1, "final_loss": [], "training_date": ""}',
    '{\n        "type": "x",\n        "epochs": true,\n        "final_loss": 0.5\n      }',
  ])("with the vocoder %s is not listed, and kept byte for byte", async (vocoder) => {
    const bad = withVocoder(vocoder);
    const library = await openWith(indexText([bad, entryTextIn(2, gan(2))], 2));
    expect(ids(library.listAll())).toEqual([gan(2).modelId]);
    await turn();
    expect(warnings.map(({ code }) => code)).toEqual(["SDA_ENTRY_SKIPPED"]);
    await library.addEntry(gan(3));
    await library.remove(gan(2).modelId);
    expect(text()).toBe(indexText([bad, entryTextIn(2, gan(3))], 2));
  });

  test("a vocoder with its fields in another order or form is read", async () => {
    const given = '{"training_date": "", "final_loss": 2, "epochs": 3.0, "type": "x"}';
    const library = await openWith(indexText([withVocoder(given)], 2));
    const vocoder = { type: "x", epochs: 3, finalLoss: 2, trainingDate: "" };
    expect(library.listAll()).toEqual([gan(1, { vocoder })]);
  });

  test("huge fields that this code does not know are kept", async () => {
    const huge = `"${"x".repeat(20 * 2 ** 20)}"`;
    const nested = `${"[".repeat(400)}${"]".repeat(400)}`;
    const many = `[\n        ${Array.from({ length: 100_000 }, () => "1").join(",\n        ")}\n      ]`;
    const texts = [huge, nested, many].map((value, i) =>
      entryTextIn(2, gan(i)).replace('"tags"', `"later": ${value},\n      "tags"`),
    );
    const library = await openWith(indexText(texts, 2));
    expect(library.count()).toBe(3);
    await library.addEntry(gan(4));
    const { models } = JSON.parse(text());
    const [a, b, c] = [0, 1, 2].map((i) => models[gan(i).modelId].later);
    expect(a).toHaveLength(20 * 2 ** 20);
    expect(JSON.stringify(b)).toBe(nested);
    expect(c).toHaveLength(100_000);
  });

  test("a million levels of nesting: the file is kept aside, as Python can't read it", async () => {
    const deep = entryTextIn(2, gan(1)).replace('"tags"', `"later": ${"[".repeat(1e6)},\n"tags"`);
    put(folder, INDEX, indexText([deep, entryTextIn(2, gan(2))], 2));
    put(folder, BACKUP, v2(gan(2)));
    const before = text();
    const library = await ModelLibrary.open(folder);
    expect(ids(library.listAll())).toEqual([gan(2).modelId]);
    const aside = readdirSync(folder).filter((name) => name.includes(".damaged-"));
    expect(text(aside[0] as string)).toBe(before);
  });

  test("__proto__ as a field is kept as any other", async () => {
    const evil = entryTextIn(2, gan(1)).replace('"tags"', '"__proto__": {"x": 1},\n      "tags"');
    const library = await openWith(indexText([evil], 2));
    await library.addEntry({ ...(library.get(gan(1).modelId) as ModelEntry), name: "n" });
    expect(text()).toContain('"__proto__": {\n        "x": 1\n      }');
    expect(({} as Record<string, unknown>)["x"]).toBeUndefined();
  });
});

describe.skipIf(python === null)("Python", () => {
  test("reads what is written here, and would write the same", async () => {
    const extended = entryTextIn(1, entry(1)).replace('"tags"', '"later": [1e-05],\n      "tags"');
    const library = await openWith(indexText([extended, entryText(entry(2))]));
    await library.addEntry(
      gan(3, { vocoder: { ...VOCODER, finalLoss: Number.POSITIVE_INFINITY } }),
    );
    await library.addEntry({ ...(library.get(entry(1).modelId) as ModelEntry), name: "É" });
    const script = `
import json, sys
text = open(sys.argv[1]).read()
index = json.loads(text)
assert json.dumps(index, indent=2) == text
print(json.dumps([index["version"], [list(e)[-1] for e in index["models"].values()],
  [e["vocoder"] for e in index["models"].values()][2]]))`;
    expect(runPython(["-c", script, path(INDEX)])).toBe(
      '[2, ["vocoder", "vocoder", "vocoder"], {"type": "hifigan_v2", "epochs": 120, ' +
        '"final_loss": Infinity, "training_date": "2026-11-26T06:57:09.922411+00:00"}]\n',
    );
  });
});

describe.skipIf(distill === null)("the program's indexes", () => {
  const original = (name: string) => readFileSync(distillFile("library", name), "utf8");

  test.each(["v1", "v2"])("%s is rewritten in the program's bytes", async (version) => {
    for (const name of [INDEX, BACKUP]) {
      const before = original(`${version}.${name}`);
      put(folder, INDEX, before);
      const library = await ModelLibrary.open(folder);
      const added = version === "v1" ? entry(1) : gan(1);
      await library.addEntry(added);
      await library.remove(added.modelId);
      expect(text()).toBe(before);
      await library.addEntries(library.listAll());
      expect(text()).toBe(before);
    }
  });

  test("version 1 becomes version 2 in the bytes that v1.1 writes", async () => {
    const library = await openWith(original(`v1.${INDEX}`));
    await library.addEntry(gan(1));
    await library.remove(gan(1).modelId);
    expect(text()).toBe(original(`v1-rewritten-by-v1.1.${INDEX}`));
    // Also where each entry was read with the JSON parser
    writeFileSync(path(INDEX), `${original(`v1.${INDEX}`)}\n`);
    const parsed = await ModelLibrary.open(folder);
    await parsed.addEntry(gan(1));
    await parsed.remove(gan(1).modelId);
    expect(text()).toBe(original(`v1-rewritten-by-v1.1.${INDEX}`));
  });

  test("are sorted and searched as by the program", async () => {
    const lists = JSON.parse(original("lists.json")) as Record<string, string[]>;
    const library = await openWith(original(`v2.${INDEX}`));
    expect(ids(library.listAll())).toEqual(lists["v2 list_all"]);
    expect(ids(library.listAll({ sortBy: "name", reverse: false }))).toEqual(
      lists["v2 list_all by name ascending"],
    );
    expect(ids(library.search({ query: "wires" }))).toEqual(lists["v2 search query=wires"]);
    expect(ids(library.search({ tags: ["TEST"] }))).toEqual(lists["v2 search tags=[TEST]"]);
    expect(Object.keys(lists)).toHaveLength(4);
  });

  test("show their vocoders", async () => {
    const library = await openWith(original(`v2.${INDEX}`));
    const json = JSON.parse(
      original(`v2.${INDEX}`).replace(": NaN", ": null").replace(": Infinity", ": null"),
    );
    for (const { modelId, vocoder } of library.listAll()) {
      const expected = json.models[modelId].vocoder;
      expect(vocoder).toEqual(
        expected && {
          type: expected.type,
          epochs: expected.epochs,
          finalLoss: expected.final_loss,
          trainingDate: expected.training_date,
        },
      );
    }
  });
});
