import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, describe, expect, it } from "vitest";
import { run } from "../../lib/cli/program.js";
import { ModelLibrary, PresetStore, readSidecar } from "../../lib/index.js";
import { dataFolder, MODEL_ID } from "../support/data-folder.js";
import { fixture } from "../support/fixtures.js";
import { keepingIo } from "../support/io.js";

const first = "00000000-0000-4000-8000-000000000001";

let data: string;
let tiny: string;
beforeEach(async () => {
  data = dataFolder();
  writeFileSync(join(data, "config.toml"), "");
  mkdirSync(join(data, "models"));
  copyFileSync(fixture("models/tiny.sda"), join(data, "models/tiny.sda"));
  const library = await ModelLibrary.open(join(data, "models"));
  await library.repairIndex();
  tiny = library.listAll()[0]?.modelId as string;
});

async function sda(...args: string[]) {
  const { io, kept } = keepingIo();
  return { code: await run([...args, "--data-dir", data], io), ...kept };
}
const preset = (...args: string[]) => sda("preset", ...args);
const store = (modelId: string) => PresetStore.open(join(data, "presets"), modelId);

describe("sda preset list", () => {
  it("shows a table on stdout, and the folder on stderr", async () => {
    const { code, stdout, stderr } = await preset("list", MODEL_ID);
    expect(code).toBe(0);
    const lines = stdout.split("\n");
    expect(lines[0]).toMatch(/^NAME +FOLDER +ID +SEED +MODIFIED$/);
    expect(lines[1]).toMatch(`Crème brûlée ☁ 🎛  Nächte         ${first}  1600  2026-11-26 07:05`);
    expect(lines).toHaveLength(5);
    expect(stderr).toBe(`3 presets, ${join(data, "presets", MODEL_ID)}\n`);
  });

  it("shows one folder, and whole presets as JSON", async () => {
    const { stdout, stderr } = await preset("list", MODEL_ID, "--folder", "Nächte", "--json");
    expect(JSON.parse(stdout)).toEqual((await store(MODEL_ID)).list({ folder: "Nächte" }));
    expect(stderr).toBe("");
    expect((await preset("list", MODEL_ID, "--folder", "")).stdout).toContain("Preset 3");
  });

  it("finds the model by name and by file, and has none at first", async () => {
    for (const ref of ["Tiny", join(data, "models/tiny.sda"), tiny.slice(0, 8)]) {
      const { code, stdout, stderr } = await preset("list", ref);
      expect([code, stdout]).toEqual([0, ""]);
      expect(stderr).toBe(`0 presets, ${join(data, "presets", tiny)}\n`);
    }
  });

  it("ends with 2 for an unknown model", async () => {
    const { code, stderr } = await preset("list", "nothing");
    expect(code).toBe(2);
    expect(stderr).toContain('no model is called "nothing"');
  });
});

describe("sda preset show", () => {
  it("shows a preset", async () => {
    const { code, stdout } = await preset("show", MODEL_ID, "crème");
    expect(code).toBe(0);
    expect(stdout).toContain("sliders:     0:-2 1:10 2:0\nseed:        1600\n");
    expect(stdout).toContain("folder:      Nächte\n");
    expect((await preset("show", MODEL_ID, "Preset 3")).stdout).toContain("a new one each time");
    const { stdout: json } = await preset("show", MODEL_ID, first, "--json");
    expect(JSON.parse(json)).toEqual((await store(MODEL_ID)).get(first));
  });

  it.each([
    ["nothing", "no preset is called"],
    ["Preset", "matches 2 presets"],
  ])("ends with 2 for %s", async (name, message) => {
    const { code, stdout, stderr } = await preset("show", MODEL_ID, name);
    expect([code, stdout]).toEqual([2, ""]);
    expect(stderr).toContain(message);
  });
});

describe("changes", () => {
  it("save, replace, rename, move and delete", async () => {
    const saved = await preset("save", "tiny", "Cellar", "--slider", "0:1", "-s", "7", "--json");
    expect(saved.code).toBe(0);
    const { presetId } = JSON.parse(saved.stdout).saved;
    const found = async () => (await store(tiny)).get(presetId);
    expect(await found()).toMatchObject({ name: "Cellar", seed: 7, folder: "" });
    expect((await found())?.sliderPositions[0]).toBe(1);

    const again = await preset("save", "tiny", "Cellar");
    expect([again.code, again.stderr]).toEqual([2, expect.stringContaining("--replace")]);
    const replaced = await preset("save", "tiny", "Cellar", "--replace", "--folder", "F");
    expect(replaced.stderr).toBe(`Replaced Cellar (${presetId}).\n`);
    expect(await found()).toMatchObject({ seed: null, folder: "F" });

    expect((await preset("rename", "tiny", "cell", "Attic")).stderr).toContain("Cellar to Attic");
    expect((await preset("move", "tiny", "Attic", "Dark")).stderr).toBe("Moved Attic to Dark.\n");
    expect(await found()).toMatchObject({ name: "Attic", folder: "Dark" });
    expect((await preset("rename", "tiny", "--folder", "Dark", "Night")).code).toBe(0);
    expect((await store(tiny)).folders()).toEqual(["Night"]);
    expect(await found()).toMatchObject({ folder: "Night" });
    expect((await preset("move", "tiny", "Attic", "")).stderr).toBe(
      "Moved Attic out of its folder.\n",
    );

    const unsure = await preset("delete", "tiny", "Attic");
    expect([unsure.code, unsure.stderr]).toEqual([2, expect.stringContaining("use --force")]);
    const deleted = await preset("delete", "tiny", "Attic", "--force", "--json");
    expect(JSON.parse(deleted.stdout)).toEqual({ deleted: { presetId, name: "Attic" } });
    expect(await found()).toBeNull();
  });

  it.each([
    [["save", "tiny", "a", "--slider", "99:0"], "--slider must be 0 to"],
    [["save", "tiny", "a", "--slider", "0:9999"], "(the position)"],
    [["save", "tiny", " "], "not blank"],
    [["rename", "tiny", "--folder", "none", "b"], "has no folder"],
    [["save", MODEL_ID, "a"], "no model is called"],
  ])("%j ends with 2", async (args, message) => {
    const { code, stderr } = await preset(...args);
    expect(code).toBe(2);
    expect(stderr).toContain(message);
  });

  it("of a file of a newer version end with 1", async () => {
    const file = join(data, "presets", MODEL_ID, "presets.json");
    writeFileSync(file, readFileSync(file, "utf8").replace('"version": 1', '"version": 9'));
    const { code, stderr } = await preset("rename", MODEL_ID, first, "a");
    expect(code).toBe(1);
    expect(stderr).toContain("(ERR_SDA_VERSION)");
  });
});

describe("sda generate --preset --history", () => {
  it("makes the preset's sound and keeps it", async () => {
    await preset("save", "tiny", "Cellar", "--slider", "0:1", "-s", "7");
    const out = join(data, "out");
    const made = await sda(
      ...["generate", "tiny", "--preset", "cellar", "--history", "-o", out, "-d", "0.2", "--json"],
    );
    expect(made.code).toBe(0);
    const [file] = JSON.parse(made.stdout).files;
    expect(file.seed).toBe(7);
    const { options } = await readSidecar(file.sidecar);
    expect(options.sliders?.[0]).toBe(1);

    const list = await sda("history", "list", "--model", "tiny", "--json");
    const [sound, ...others] = JSON.parse(list.stdout);
    expect(others).toEqual([]);
    expect(sound).toMatchObject({
      entryId: file.historyEntry,
      modelId: tiny,
      presetName: "Cellar",
      seed: 7,
      sliderPositions: options.sliders,
      latentVector: expect.any(Array),
    });
    const { stdout } = await sda("history", "show", file.historyEntry, "--json");
    // The size in the head includes the tags, which follow the sound and the history lacks.
    const kept = readFileSync(JSON.parse(stdout).path);
    const withTags = readFileSync(file.path);
    expect(withTags.length).toBeGreaterThan(kept.length);
    expect(withTags.subarray(8, kept.length).equals(kept.subarray(8))).toBe(true);
  });

  it("refuses a preset beside sliders, and one that is not there", async () => {
    const both = await sda("generate", "tiny", "--preset", "a", "--slider", "0:1");
    expect([both.code, both.stderr]).toEqual([2, expect.stringContaining("cannot be used with")]);
    const none = await sda("generate", "tiny", "--preset", "a");
    expect([none.code, none.stderr]).toEqual([2, expect.stringContaining("no preset is called")]);
  });
});
