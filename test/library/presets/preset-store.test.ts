import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { beforeEach, describe, expect, it, test } from "vitest";
import { type PyDict, parsePythonJson, writePythonJson } from "../../../lib/base/python-json.js";
import { PresetStore } from "../../../lib/index.js";
import { dataFolder, FIXTURES, MODEL_ID, PRESETS } from "../../support/data-folder.js";
import { sdaError } from "../../support/errors.js";
import { temporaryFolder } from "../../support/folder.js";
import { python, runPython } from "../../support/python.js";
import { warningsOf } from "../../support/warnings.js";

const ids = [1, 2, 3].map((n) => `00000000-0000-4000-8000-${String(n).padStart(12, "0")}`);
const [first, second, third] = ids as [string, string, string];
const ISO = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{6})?\+00:00$/;

let presetsDir: string;
let file: string;
let backup: string;
beforeEach(() => {
  presetsDir = join(dataFolder(), "presets");
  file = join(presetsDir, MODEL_ID, "presets.json");
  backup = `${file}.bak`;
});

const open = () => PresetStore.open(presetsDir, MODEL_ID);
const text = (path = file) => readFileSync(path, "utf8");
const read = (path = file) => parsePythonJson(text(path)) as PyDict;
const presetIn = (id: string) => (read().get("presets") as PyDict).get(id) as PyDict;

/** What Python's json module writes after `code` has changed `data`, the content of `content`. */
function changedInPython(content: string, code: string, values: Record<string, unknown>): string {
  const script = `
import json, sys
given = json.load(sys.stdin)
data = json.loads(given["content"])
values = given["values"]
exec(given["code"])
json.dump(data, sys.stdout, indent=2)`;
  return runPython(["-c", script], JSON.stringify({ content, code, values }));
}

describe("reading", () => {
  it("lists presets and folders in the file's order", async () => {
    const store = await open();
    expect(store.list().map((p) => p.presetId)).toEqual(ids);
    expect(store.list()[0]).toEqual({
      presetId: first,
      name: "Crème brûlée ☁ 🎛",
      folder: "Nächte",
      sliderPositions: [-2, 10, 0],
      nComponents: 3,
      seed: 1600,
      created: "2026-11-26T07:05:01.307261+00:00",
      modified: "2026-11-26T07:05:01.307261+00:00",
      description: 'line 1\nline 2\ttab "quoted" \\ \x7f\u2028',
    });
    expect(store.get(second)).toMatchObject({ sliderPositions: [0.5, 1e-5, 1], seed: 0 });
    expect(store.get(third)?.seed).toBeNull();
    expect(store.get("nothing")).toBeNull();
    // A preset may name a folder that has never been created.
    expect(store.folders()).toEqual(["Nächte", "ambient/dark", "never/created"]);
  });

  it("lists one folder, or the presets without a folder", async () => {
    const store = await open();
    expect(store.list({ folder: "Nächte" }).map((p) => p.presetId)).toEqual([first]);
    expect(store.list({ folder: "ambient/dark" })).toEqual([]);
    expect(store.list({ folder: "" }).map((p) => p.presetId)).toEqual([third]);
  });

  it("has no presets where there is no file, and makes no folder", async () => {
    const none = join(temporaryFolder(), "presets");
    const store = await PresetStore.open(pathToFileURL(none), MODEL_ID);
    expect([store.list(), store.folders(), store.modelId]).toEqual([[], [], MODEL_ID]);
    expect(await store.delete(first)).toBe(false);
    expect(await store.deleteFolder("a")).toBe(false);
    const error = await sdaError(() => store.update(first, { name: "a" }));
    expect(error.code).toBe("ERR_SDA_NOT_FOUND");
    expect(existsSync(none)).toBe(false);
  });

  it("is found through a link to the folder", async () => {
    const link = join(temporaryFolder(), "link");
    symlinkSync(presetsDir, link);
    const store = await PresetStore.open(link, MODEL_ID);
    expect(store.path).toBe(realpathSync(join(presetsDir, MODEL_ID)));
    await (await PresetStore.open(link, "new")).save({ name: "a", sliderPositions: [1] });
    expect(existsSync(join(presetsDir, "new/presets.json"))).toBe(true);
  });

  it("a caller's change of a result does not change the store", async () => {
    const store = await open();
    (store.get(first) as { name: string }).name = "changed";
    store.get(first)?.sliderPositions.push(1);
    expect(store.get(first)).toMatchObject({
      name: "Crème brûlée ☁ 🎛",
      sliderPositions: [-2, 10, 0],
    });
  });

  it.each(["", ".", "..", "a/b", "a\\b", "/etc", "C:\\x", "a\0b", 7])(
    "refuses %j as the id of a model",
    async (id) => {
      const error = await sdaError(() => PresetStore.open(presetsDir, id as string));
      expect([error.code, error.details?.["option"]]).toEqual(["ERR_SDA_ARGUMENT", "modelId"]);
    },
  );
});

describe("bytes", () => {
  test.each(PRESETS)("of %s %s stay when a change is undone", async (from, modelId) => {
    cpSync(from, presetsDir, { recursive: true });
    file = join(presetsDir, modelId, "presets.json");
    const before = text();
    const store = await PresetStore.open(presetsDir, modelId);
    expect(store.list().length).toBeGreaterThan(1);
    const { presetId } = await store.save({ name: "a", sliderPositions: [1] });
    const between = text();
    expect(text(`${file}.bak`)).toBe(before);
    expect(await store.delete(presetId)).toBe(true);
    expect(text()).toBe(before);
    expect(text(`${file}.bak`)).toBe(between); // always one write behind
  });

  test("of the first preset of a model", async () => {
    const store = await PresetStore.open(presetsDir, "model-é");
    const saved = await store.save({ name: "é", sliderPositions: [1, 0.5, -0] });
    const { presetId, created } = saved;
    expect(saved).toEqual({
      presetId: expect.stringMatching(/^[0-9a-f]{8}-[0-9a-f]{4}-4/),
      name: "é",
      folder: "",
      sliderPositions: [1, 0.5, 0],
      nComponents: 3,
      seed: null,
      created: expect.stringMatching(ISO),
      modified: created,
      description: "",
    });
    expect(text(join(presetsDir, "model-é", "presets.json"))).toBe(`{
  "version": 1,
  "model_id": "model-\\u00e9",
  "folders": [],
  "presets": {
    "${presetId}": {
      "preset_id": "${presetId}",
      "name": "\\u00e9",
      "folder": "",
      "slider_positions": [
        1,
        0.5,
        0
      ],
      "n_components": 3,
      "seed": null,
      "created": "${created}",
      "modified": "${created}",
      "description": ""
    }
  }
}`);
    expect(readdirSync(join(presetsDir, "model-é")).sort()).toEqual([
      ".presets.lock",
      "presets.json",
    ]);
  });

  const operations: [string, (s: PresetStore) => Promise<unknown>, string][] = [
    [
      "save",
      (s) =>
        s.save({ name: "ü", sliderPositions: [1, 2.5], seed: 7, folder: "f", description: "d" }),
      `data["presets"][values["new"]] = {"preset_id": values["new"], "name": "ü", "folder": "f",
  "slider_positions": [1, 2.5], "n_components": 2, "seed": 7, "created": values["modified"],
  "modified": values["modified"], "description": "d"}`,
    ],
    [
      "update",
      (s) => s.update(third, { name: "n", sliderPositions: [1e-7, 4], seed: 2 ** 53 - 1 }),
      `data["presets"][values["third"]].update(name="n", slider_positions=[1e-7, 4],
  n_components=2, seed=2**53 - 1, modified=values["modified"])`,
    ],
    ["delete", (s) => s.delete(first), `del data["presets"][values["first"]]`],
    [
      "createFolder",
      (s) => s.createFolder("☃"),
      `data["folders"].append({"name": "☃", "created": values["created"]})`,
    ],
    [
      "renameFolder",
      (s) => s.renameFolder("Nächte", "Days"),
      `data["folders"][0]["name"] = "Days"
data["presets"][values["first"]]["folder"] = "Days"`,
    ],
    [
      "renameFolder of a folder that only presets name",
      (s) => s.renameFolder("never/created", "Days"),
      `data["presets"][values["second"]]["folder"] = "Days"`,
    ],
    [
      "deleteFolder",
      (s) => s.deleteFolder("Nächte"),
      `del data["folders"][0]
data["presets"][values["first"]]["folder"] = ""`,
    ],
    [
      "deleteFolder with moveTo",
      (s) => s.deleteFolder("Nächte", { moveTo: "new" }),
      `del data["folders"][0]
data["presets"][values["first"]]["folder"] = "new"`,
    ],
  ];
  test.skipIf(python === null).each(operations)("after %s are Python's", async (_, act, code) => {
    const before = text();
    await act(await open());
    const presets = read().get("presets") as PyDict;
    const added = [...presets.keys()].find((id) => !ids.includes(id));
    const changed = presets.get(added ?? third) as PyDict;
    const folders = read().get("folders") as PyDict[];
    const values = {
      ...{ first, second, third, new: added },
      modified: changed.get("modified"),
      created: folders.at(-1)?.get("created"),
    };
    expect(text()).toBe(changedInPython(before, code, values));
    expect(text(backup)).toBe(before);
  });
});

describe("a change", () => {
  it("of one field keeps all others, also those that nobody knows", async () => {
    const before = presetIn(third);
    const changed = await (await open()).update(third, { description: "new" });
    const after = presetIn(third);
    expect(changed).toMatchObject({ description: "new", seed: null, name: "Preset 3" });
    expect([...after.keys()]).toEqual([...before.keys()]);
    const modified = after.get("modified");
    expect(modified).toMatch(ISO);
    const expected = new Map(before).set("description", "new").set("modified", modified as string);
    expect(writePythonJson(after)).toBe(writePythonJson(expected));
  });

  it("keeps the seed, which null removes", async () => {
    const store = await open();
    expect((await store.update(first, { name: "a" })).seed).toBe(1600);
    expect((await store.update(first, { seed: null })).seed).toBeNull();
    expect(presetIn(first).get("seed")).toBeNull();
  });

  it("of nothing writes nothing", async () => {
    const before = text();
    const store = await open();
    expect(await store.update(first, {})).toEqual(store.get(first));
    await store.renameFolder("Nächte", "Nächte");
    expect(await store.delete("nothing")).toBe(false);
    expect(await store.deleteFolder("nothing")).toBe(false);
    expect([text(), text(backup)]).toEqual([
      before,
      text(join(FIXTURES, `presets/${MODEL_ID}/presets.json.bak`)),
    ]);
  });

  it("moves a preset into another folder", async () => {
    const store = await open();
    await store.update(third, { folder: "Nächte" });
    expect(store.list({ folder: "Nächte" }).map((p) => p.presetId)).toEqual([first, third]);
  });

  it("is seen by another store after refresh", async () => {
    const [one, other] = [await open(), await open()];
    expect(await other.refresh()).toBe(false);
    const { presetId } = await one.save({ name: "a", sliderPositions: [1] });
    expect(other.get(presetId)).toBeNull();
    expect(await other.refresh()).toBe(true);
    expect(other.get(presetId)?.name).toBe("a");
  });

  it("sees what another program has written, without refresh", async () => {
    const store = await open();
    renameSync(backup, file); // lacks the third preset
    await store.save({ name: "a", sliderPositions: [1] });
    expect(store.list().map((p) => p.name)).toEqual(["Crème brûlée ☁ 🎛", "Preset 2", "a"]);
  });

  it.each(["flock", "file", "none"] as const)("of many at once loses none (%s)", async (lock) => {
    const openLocked = () => PresetStore.open(presetsDir, MODEL_ID, { lock });
    const stores = await Promise.all([openLocked(), openLocked(), openLocked()]);
    const saves = Array.from({ length: 30 }, (_, i) =>
      (stores[i % 3] as PresetStore).save({ name: `n${i}`, sliderPositions: [i] }),
    );
    const saved = await Promise.all(saves);
    const found = new Set((await open()).list().map((p) => p.presetId));
    expect(saved.every((p) => found.has(p.presetId))).toBe(true);
    expect(found.size).toBe(33);
  });

  it("that fails leaves the others of its batch", async () => {
    const store = await open();
    const results = await Promise.allSettled([
      store.save({ name: "a", sliderPositions: [1] }),
      store.createFolder("Nächte"),
      store.save({ name: "b", sliderPositions: [1] }),
    ]);
    expect(results.map((r) => r.status)).toEqual(["fulfilled", "rejected", "fulfilled"]);
    expect(store.list()).toHaveLength(5);
  });

  it("can be aborted while it waits for the lock", async () => {
    const store = await open();
    const reason = new Error("enough");
    await expect(
      store.save({ name: "a", sliderPositions: [1] }, { signal: AbortSignal.abort(reason) }),
    ).rejects.toBe(reason);
  });

  const wrong: [string, (s: PresetStore) => Promise<unknown>, string][] = [
    ["name", (s) => s.save({ name: " ", sliderPositions: [1] }), "ERR_SDA_ARGUMENT"],
    ["name", (s) => s.save({ sliderPositions: [1] } as never), "ERR_SDA_ARGUMENT"],
    ["name", (s) => s.save({ name: "a".repeat(201), sliderPositions: [1] }), "ERR_SDA_ARGUMENT"],
    ["name", (s) => s.update(first, { name: "\ud800" }), "ERR_SDA_ARGUMENT"],
    ["sliderPositions", (s) => s.save({ name: "a" } as never), "ERR_SDA_ARGUMENT"],
    ["sliderPositions", (s) => s.save({ name: "a", sliderPositions: [] }), "ERR_SDA_ARGUMENT"],
    ["sliderPositions", (s) => s.save({ name: "a", sliderPositions: [NaN] }), "ERR_SDA_ARGUMENT"],
    [
      "sliderPositions",
      (s) => s.update(first, { sliderPositions: ["1"] as never }),
      "ERR_SDA_ARGUMENT",
    ],
    ["seed", (s) => s.save({ name: "a", sliderPositions: [1], seed: -1 }), "ERR_SDA_ARGUMENT"],
    ["seed", (s) => s.update(first, { seed: 1.5 }), "ERR_SDA_ARGUMENT"],
    [
      "folder",
      (s) => s.save({ name: "a", sliderPositions: [1], folder: 1 as never }),
      "ERR_SDA_ARGUMENT",
    ],
    ["presetId", (s) => s.update(first, { presetId: "b" } as never), "ERR_SDA_ARGUMENT"],
    ["changes", (s) => s.update(first, null as never), "ERR_SDA_ARGUMENT"],
    ["preset", (s) => s.save([] as never), "ERR_SDA_ARGUMENT"],
    ["folder", async (s) => s.list({ folder: 3 as never }), "ERR_SDA_ARGUMENT"],
    ["name", (s) => s.createFolder(""), "ERR_SDA_ARGUMENT"],
    ["name", (s) => s.createFolder("Nächte"), "ERR_SDA_ARGUMENT"],
    ["to", (s) => s.renameFolder("Nächte", "ambient/dark"), "ERR_SDA_ARGUMENT"],
    ["to", (s) => s.renameFolder("Nächte", "never/created"), "ERR_SDA_ARGUMENT"],
    ["moveTo", (s) => s.deleteFolder("Nächte", { moveTo: "Nächte" }), "ERR_SDA_ARGUMENT"],
    ["lockTimeoutMs", (s) => s.delete(first, { lockTimeoutMs: -1 }), "ERR_SDA_ARGUMENT"],
  ];
  it.each(wrong)("with a wrong %s is refused (%s)", async (option, act, code) => {
    const before = text();
    const store = await open();
    const error = await sdaError(() => act(store));
    expect([error.code, error.details?.["option"]]).toEqual([code, option]);
    expect(text()).toBe(before);
  });

  it("of something that is not there is ERR_SDA_NOT_FOUND", async () => {
    const store = await open();
    for (const act of [
      () => store.update("nothing", { name: "a" }),
      () => store.renameFolder("nothing", "a"),
    ]) {
      expect((await sdaError(act)).code).toBe("ERR_SDA_NOT_FOUND");
    }
  });
});

describe("a folder that can't be changed", () => {
  it.skipIf(process.getuid?.() === 0)("is read, and refuses changes", async () => {
    const folder = join(presetsDir, MODEL_ID);
    rmSync(join(folder, ".presets.lock"), { force: true });
    chmodSync(folder, 0o555);
    const store = await open();
    const error = await sdaError(() => store.delete(first));
    chmodSync(folder, 0o755);
    expect(error.code).toBe("ERR_SDA_IO");
    expect(store.list()).toHaveLength(3);
  });

  it("where the presets' folder is a file", async () => {
    const path = join(temporaryFolder(), "presets");
    writeFileSync(path, "");
    for (const file of [path, join(path, "below")]) {
      const { code, details } = await sdaError(() => PresetStore.open(file, MODEL_ID));
      expect([code, details?.["option"]]).toEqual(["ERR_SDA_ARGUMENT", "presetsDir"]);
    }
    const store = await PresetStore.open(presetsDir, "new");
    writeFileSync(join(presetsDir, "new"), "");
    const error = await sdaError(() => store.save({ name: "a", sliderPositions: [1] }));
    expect(error.code).toBe("ERR_SDA_IO");
  });

  it("where presets.json is a folder", async () => {
    rmSync(file);
    mkdirSync(file);
    expect(["ERR_SDA_FORMAT", "ERR_SDA_IO"]).toContain((await sdaError(open)).code);
  });
});

describe("a file of a newer version", () => {
  it("is listed and never changed", async () => {
    const newer = text().replace('"version": 1', '"version": 2');
    writeFileSync(file, newer);
    const store = await open();
    expect(store.list()).toHaveLength(3);
    for (const act of [
      () => store.save({ name: "a", sliderPositions: [1] }),
      () => store.update(first, { name: "a" }),
      () => store.delete(first),
      () => store.createFolder("a"),
      () => store.renameFolder("Nächte", "a"),
      () => store.deleteFolder("Nächte"),
    ]) {
      const { code, details } = await sdaError(act);
      expect([code, details?.["version"]]).toEqual(["ERR_SDA_VERSION", 2]);
    }
    expect(text()).toBe(newer);
  });
});

describe("an unreadable preset", () => {
  const cases: [string, string, string][] = [
    ["name", '"name": "Preset 2"', '"name": 7'],
    ["folder", '"folder": "never/created"', '"folder": null'],
    ["slider_positions", "0.5,", '"0.5",'],
    [
      "n_components",
      '"n_components": 3,\n      "seed": 0',
      '"n_components": 1.5,\n      "seed": 0',
    ],
    ["seed", '"seed": 0', '"seed": 18446744073709551616'],
    ["created", '"created": "2026-11-26T07:05:02.307261', '"created": {}, "x": "'],
    ["name", '"name": "Preset 2",', ""],
  ];
  it.each(cases)("with a wrong %s is skipped, reported and kept", async (field, from, to) => {
    const broken = text().replace(from, to);
    expect(broken).not.toBe(text());
    writeFileSync(file, broken);
    let store: PresetStore | undefined;
    const warnings = await warningsOf(async () => {
      store = await open();
      await store.refresh();
    });
    expect(warnings.map((w) => w.code)).toEqual(["SDA_ENTRY_SKIPPED"]);
    expect(warnings[0]?.message).toContain(field);
    expect(store?.list().map((p) => p.presetId)).toEqual([first, third]);
    expect(await store?.delete(second)).toBe(false);
    const kept = writePythonJson(presetIn(second));
    await store?.save({ name: "a", sliderPositions: [1] });
    expect(writePythonJson(presetIn(second))).toBe(kept);
  });

  it("may lack what has a default", async () => {
    const minimal = `{"presets": {"x": {"name": "n", "slider_positions": [1], "n_components": 1}}}`;
    writeFileSync(file, minimal);
    const store = await open();
    expect(store.list()).toEqual([
      {
        ...{ presetId: "x", name: "n", folder: "", sliderPositions: [1], nComponents: 1 },
        ...{ seed: null, created: "", modified: "", description: "" },
      },
    ]);
  });
});

describe("a damaged file", () => {
  const damages: [string, string | Uint8Array][] = [
    ["cut", '{"version": 1, "presets": {'],
    ["empty", ""],
    ["zeros", new Uint8Array(4096)],
    ["not UTF-8", Uint8Array.of(0x7b, 0x22, 0xff, 0x22, 0x7d)],
    ["a list", "[]"],
    ["presets are a list", '{"version": 1, "presets": []}'],
    ["folders are an object", '{"version": 1, "folders": {}}'],
    ["the version is a text", '{"version": "1"}'],
    ["too deep", "[".repeat(100_000)],
    ["too deep inside", `{"x": ${"[".repeat(2000)}${"]".repeat(2000)}}`],
    ["a long int", `{"x": ${"9".repeat(5000)}}`],
    ["a lone key", '{"presets"}'],
    ["long and no object", " ".repeat(65 * 2 ** 20)],
  ];
  it.each(damages)("(%s) is restored from its backup and kept", async (_, damage) => {
    writeFileSync(file, damage);
    const saved = text(backup);
    let store: PresetStore | undefined;
    const warnings = await warningsOf(async () => {
      store = await open();
    });
    expect(warnings.map((w) => w.code)).toEqual(["SDA_FILE_RECOVERED"]);
    expect(store?.list().map((p) => p.presetId)).toEqual([first, second]);
    expect([text(), text(backup)]).toEqual([saved, saved]);
    const kept = readdirSync(join(presetsDir, MODEL_ID)).filter((n) => n.includes(".damaged-"));
    expect(kept).toHaveLength(1);
    const aside = readFileSync(join(presetsDir, MODEL_ID, kept[0] as string));
    expect(aside.equals(Buffer.from(damage as string))).toBe(true);
    await store?.save({ name: "a", sliderPositions: [1] });
    expect((await open()).list()).toHaveLength(3);
  });

  it("with a damaged backup begins anew, and both are kept", async () => {
    writeFileSync(file, "{");
    writeFileSync(backup, "[]");
    const warnings = await warningsOf(async () => expect((await open()).list()).toEqual([]));
    expect(warnings[0]?.message).toMatch(/presets\.json is damaged.*\.bak is damaged.*begins anew/);
    const kept = readdirSync(join(presetsDir, MODEL_ID)).filter((n) => n.includes(".damaged-"));
    expect(kept.map((n) => text(join(presetsDir, MODEL_ID, n))).sort()).toEqual(["[]", "{"]);
    expect(read().get("model_id")).toBe(MODEL_ID);
  });

  it("that is missing is restored from its backup", async () => {
    rmSync(file);
    const warnings = await warningsOf(async () => expect((await open()).list()).toHaveLength(2));
    expect(warnings[0]?.message).toContain("presets.json is missing");
    expect(existsSync(file)).toBe(true);
  });

  it.each([
    ["too long", `{"x": "${"x".repeat(65 * 2 ** 20)}"}`],
    ["too full", `{"x": [${"0,".repeat(3_000_000)}0]}`],
  ])("that is only %s is refused and stays", async (_, content) => {
    writeFileSync(file, content);
    expect((await sdaError(open)).code).toBe("ERR_SDA_LIMIT");
    expect(text()).toBe(content);
  });

  it("with a key of the prototype is harmless", async () => {
    const hostile = `{"presets": {"__proto__": {"name": "n", "slider_positions": [1],
      "n_components": 1, "__proto__": {"seed": 3}}}}`;
    writeFileSync(file, hostile);
    const store = await open();
    expect(store.get("__proto__")).toMatchObject({ presetId: "__proto__", seed: null });
    expect(store.get("constructor")).toBeNull();
    await store.update("__proto__", { name: "m" });
    expect(presetIn("__proto__").get("__proto__")).toEqual(new Map([["seed", 3n]]));
    expect(({} as { seed?: number }).seed).toBeUndefined();
  });
});
