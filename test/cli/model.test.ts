import {
  copyFileSync,
  existsSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { basename, join } from "node:path";
import { beforeEach, describe, expect, it } from "vitest";
import { run } from "../../lib/cli/program.js";
import {
  describeModel,
  ModelLibrary,
  readMetadata,
  saveModelFromCheckpoint,
} from "../../lib/index.js";
import { fixture } from "../support/fixtures.js";
import { temporaryFolder } from "../support/folder.js";
import { VOCODER, writeGan } from "../support/gan-file.js";
import { keepingIo } from "../support/io.js";

let folder: string;
beforeEach(() => {
  folder = temporaryFolder();
});

async function sda(...args: string[]) {
  const { io, kept } = keepingIo();
  return { code: await run(["model", ...args, "--models-dir", folder], io), ...kept };
}

/** A library with one model file for each of these names. */
async function library(...names: string[]): Promise<string[]> {
  const ids = [];
  for (const name of names) {
    const path = await saveModelFromCheckpoint(fixture("checkpoints/tiny.pt"), { name }, folder);
    ids.push((await readMetadata(path)).modelId);
  }
  return ids;
}

const namesIn = async () =>
  (await ModelLibrary.open(folder)).listAll({ sortBy: "name", reverse: false }).map((e) => e.name);

describe("sda model list", () => {
  it("shows a table on stderr, the latest first, and nothing on stdout", async () => {
    const ids = await library("Alpha", "Beta");
    const { code, stdout, stderr } = await sda("list");
    expect(code).toBe(0);
    expect(stdout).toBe("");
    const lines = stderr.split("\n");
    expect(lines[0]).toMatch(/^NAME +ID +SAVED +SIZE +GENERATION +SLIDERS +TAGS$/);
    expect(lines[1]).toContain(`Beta   ${ids[1]}`);
    expect(lines[2]).toContain(`Alpha  ${ids[0]}`);
    expect(lines[3]).toBe(`2 models, ${folder}`);
  });

  it("gives whole entries as JSON on stdout, and nothing on stderr", async () => {
    const [id] = await library("Alpha");
    const { stdout, stderr } = await sda("list", "--json");
    expect(stderr).toBe("");
    const entry = (await ModelLibrary.open(folder)).get(id as string);
    expect(JSON.parse(stdout)).toEqual([{ ...entry, generation: "sda" }]);
  });

  it("shows the generation and the vocoder; neither of a missing or damaged file", async () => {
    await library("Alpha", "Beta", "Gone");
    await writeGan(join(folder, "wires.distillgan"), VOCODER, "wires");
    await sda("repair");
    writeFileSync(join(folder, "beta.sda"), "<html>");
    rmSync(join(folder, "gone.sda"));
    const listed = JSON.parse((await sda("list", "--json", "--sort", "name")).stdout);
    expect(
      listed.map((m: Record<string, unknown>) => [m["name"], m["generation"], m["vocoder"]]),
    ).toEqual([
      ["Alpha", "sda", null],
      ["Beta", null, null],
      ["Gone", null, null],
      ["Tiny", "distillgan", VOCODER],
    ]);
    const { stderr } = await sda("list", "--sort", "name");
    const [, ...lines] = stderr.split("\n");
    expect(lines[0]).toMatch(/^Alpha .*B +sda +\d+/);
    expect(lines[1]).toMatch(/^Beta .*B +\d+/);
    expect(lines[3]).toMatch(/^Tiny .*B +distillgan \+ hifigan_v2 +\d+/);
    const info = await sda("info", "wires");
    expect(info.stderr).toMatch(/generation +distillgan\n/);
    expect(info.stderr).toMatch(/vocoder +hifigan_v2, 3 epochs, loss 1.5, 2026-11-26\n/);
    expect(JSON.parse((await sda("info", "wires", "--json")).stdout)).toMatchObject({
      generation: "distillgan",
      vocoder: VOCODER,
    });
  });

  it("searches, sorts and limits", async () => {
    await library("Warm Pad", "Cold Pad", "Drums");
    const names = async (...args: string[]) =>
      JSON.parse((await sda("list", "--json", ...args)).stdout).map(
        (e: { name: string }) => e.name,
      );
    expect(await names("--query", "PAD", "--sort", "name")).toEqual(["Cold Pad", "Warm Pad"]);
    expect(await names("--sort", "name", "--reverse")).toEqual(["Warm Pad", "Drums", "Cold Pad"]);
    expect(await names("-n", "1")).toEqual(["Drums"]);
    expect(await names("--tag", "none")).toEqual([]);
    expect((await sda("list", "--query", "pad", "-n", "1")).stderr).toContain("1 of 3 models");
  });

  it("says what to do with an empty folder", async () => {
    const { code, stderr } = await sda("list");
    expect(code).toBe(0);
    expect(stderr).toContain("has no models yet. sda model import");
    expect((await sda("list", "--json")).stdout).toBe("[]\n");
  });

  it("exits with 2 when there is no such folder", async () => {
    folder = join(folder, "nowhere");
    const { code, stderr } = await sda("list");
    expect(code).toBe(2);
    expect(stderr).toMatch(
      /^error: the models folder .*nowhere can't be opened.*\(ERR_SDA_NOT_FOUND\)\n$/,
    );
  });

  it("does not let a name move the cursor", async () => {
    await library("a\u001b[2Jb");
    expect((await sda("list")).stderr).toContain("a\\u001b[2Jb");
  });
});

describe("a model's name on the command line", () => {
  const info = async (ref: string) => {
    const { code, stdout, stderr } = await sda("info", ref, "--json");
    return code === 0 ? JSON.parse(stdout).metadata.name : { code, stderr };
  };

  it("may be an id, its beginning, a path, a name or a part of it", async () => {
    const [id = ""] = await library("Warm Pad", "Drums");
    const path = join(folder, "warm_pad.sda");
    for (const ref of [id, id.slice(0, 13), path, "Warm Pad", "warm pad", "WARM", "rm p"]) {
      expect(await info(ref)).toBe("Warm Pad");
    }
  });

  it("is the exact name first, before names that contain it", async () => {
    await library("Pad", "Pad Two", "pad");
    expect(await info("Pad")).toBe("Pad");
    expect(await info("pad")).toBe("pad");
  });

  it("lists the candidates if it is ambiguous, and exits with 2", async () => {
    const ids = await library("Warm Pad", "Cold Pad");
    const { code, stderr } = (await info("pad")) as { code: number; stderr: string };
    expect(code).toBe(2);
    expect(stderr).toContain(
      'error: "pad" matches 2 models; give the id or more of the name (ERR_SDA_ARGUMENT)\n',
    );
    for (const id of ids) expect(stderr).toContain(id);
    await library("Twin", "Twin");
    expect(((await info("Twin")) as { stderr: string }).stderr).toContain(
      '"Twin" matches 2 models',
    );
  });

  it.each([
    ["nothing", 'no model is called "nothing"; '],
    ["", 'no model is called ""; '],
    ["gone.sda", 'no model is called "gone.sda"; '],
  ])("that no model has exits with 2: %j", async (ref, message) => {
    await library("Alpha");
    const { code, stderr } = (await info(ref)) as { code: number; stderr: string };
    expect(code).toBe(2);
    expect(stderr).toContain(message);
    expect(stderr).toContain("has 1 model, sda model list shows them (ERR_SDA_NOT_FOUND)");
    expect(stderr.trimEnd().split("\n")).toHaveLength(1);
  });
});

describe("sda model info", () => {
  it("shows size, network, spectrogram and sliders", async () => {
    const { code, stdout, stderr } = await sda("info", fixture("models/tiny.sda"));
    expect(code).toBe(0);
    expect(stdout).toBe("");
    expect(stderr).toMatch(
      /network +latent size \d+, [\d,]+ parameters in 57 tensors \(float16, int64\)/,
    );
    expect(stderr).toMatch(/spectrogram +[\d,]+ Hz, FFT \d+, hop \d+, \d+ mels/);
    expect(stderr).toMatch(
      /SLIDER +LABEL +SUGGESTED +VARIANCE +RANGE +SAFE +WITH CARE\n +0 .* % +-10 to 10 /,
    );
  });

  it("as JSON has the same sliders as the library gives, and no weights", async () => {
    const { stdout } = await sda("info", fixture("models/tiny.sda"), "--json");
    const model = JSON.parse(stdout);
    expect(model.sliders[0]).toMatchObject({ index: 0, minStep: -10, maxStep: 10 });
    expect(model.metadata.hasAnalysis).toBe(true);
    const sum = model.tensors
      .filter(({ name }: { name: string }) => !/running|num_batches/.test(name))
      .reduce((n: number, t: { shape: number[] }) => n + t.shape.reduce((a, b) => a * b, 1), 0);
    expect(model.parameters).toBe(sum);
    expect(stdout.length).toBeLessThan(50_000);
  });

  it("reports a decoder without encoder and a model without sliders", async () => {
    const { stderr } = await sda("info", fixture("models/tiny-decoder-only.sda"));
    expect(stderr).toContain(", decoder only");
    const other = await sda("info", fixture("models/tiny-bfloat16.sda"));
    expect(other.stderr).toContain("No sliders: the file has no analysis.");
  });

  it("reads the old container", async () => {
    const { code, stdout } = await sda("info", fixture("models/tiny-legacy.sda"), "--json");
    expect(code).toBe(0);
    expect(JSON.parse(stdout).tensors).toHaveLength(57);
  });
});

describe("sda model import", () => {
  it("makes a model of a checkpoint, named after its file unless told otherwise", async () => {
    const checkpoint = fixture("checkpoints/tiny.pt");
    const first = await sda("import", checkpoint);
    expect(first).toMatchObject({ code: 0, stdout: "" });
    expect(first.stderr).toContain(join(folder, "tiny.sda"));
    const more = ["--name", "Kitchen", "--tag", "a", "--tag", "b", "--description", "d", "--json"];
    const second = JSON.parse((await sda("import", checkpoint, ...more)).stdout);
    expect(second.path).toBe(join(folder, "kitchen.sda"));
    expect(second.metadata).toMatchObject({ name: "Kitchen", tags: ["a", "b"], description: "d" });
    expect(await namesIn()).toEqual(["Kitchen", "tiny"]);
  });

  it("makes the folder", async () => {
    folder = join(folder, "new", "one");
    expect((await sda("import", fixture("checkpoints/tiny.pt"))).code).toBe(0);
    expect(await namesIn()).toEqual(["tiny"]);
  });

  it("adds a model file under its own name, or another", async () => {
    const file = fixture("models/tiny.sda");
    expect((await sda("import", file)).code).toBe(0);
    expect((await sda("import", file, "--name", "Other")).code).toBe(0);
    expect(await namesIn()).toEqual(["Other", "Tiny"]);
  });

  it("leaves nothing behind when the checkpoint is damaged", async () => {
    const damaged = join(temporaryFolder(), "damaged.pt");
    copyFileSync(fixture("checkpoints/tiny.pt"), damaged);
    truncateSync(damaged, 10_000);
    expect((await sda("import", damaged)).code).toBe(1);
    expect(existsSync(folder) ? readdirSync(folder) : []).toEqual([]);
  });
});

describe("sda model edit", () => {
  const entryOf = async (id: string) => (await ModelLibrary.open(folder)).get(id);

  it("changes the given fields in the file and in the library", async () => {
    const [id = ""] = await library("Alpha");
    const options = ["--name", "Beta", "--description", "of wood", "--tag", "b", "--tag", "a"];
    const { code, stdout, stderr } = await sda(
      "edit",
      "alph",
      ...options,
      "--label",
      "1:Attack: soft",
    );
    expect(code).toBe(0);
    expect(stdout).toBe("");
    expect(stderr).toBe(`Updated Beta (${id}).\n`);
    const expected = { name: "Beta", description: "of wood", tags: ["b", "a"] };
    const entry = await entryOf(id);
    expect(entry).toMatchObject({ ...expected, filePath: "alpha.sda" });
    const path = join(folder, "alpha.sda");
    expect(await readMetadata(path)).toMatchObject(expected);
    const { sliders } = await describeModel(path);
    expect(sliders[1]?.label).toBe("Attack: soft");
    const [original] = (
      await describeModel(
        await saveModelFromCheckpoint(fixture("checkpoints/tiny.pt"), {}, temporaryFolder()),
      )
    ).sliders;
    expect(sliders[0]?.label).toBe(original?.label);
  });

  it("removes tags and text, and gives the entry as JSON", async () => {
    const [id = ""] = await library("Alpha");
    await sda("edit", id, "--tag", "a", "--description", "x");
    const { code, stdout, stderr } = await sda(
      "edit",
      id,
      "--no-tags",
      "--description",
      "",
      "--json",
    );
    expect([code, stderr]).toEqual([0, ""]);
    const { updated } = JSON.parse(stdout);
    expect(updated).toMatchObject({ name: "Alpha", tags: [], description: "" });
    expect(await entryOf(id)).toMatchObject({ tags: [], description: "" });
  });

  it.each([
    [[], "nothing to change"],
    [["--name", " "], "name must be not blank"],
    [["--name", "x".repeat(201)], "at most 200 characters"],
    [["--tag", "a", "--no-tags"], "cannot be used with option"],
    [["--label", "Attack"], "Expected INDEX:TEXT"],
    [["--label", "-1:x"], "Expected INDEX:TEXT"],
    [["--label", "3:x", "--name", "Beta"], "there is no slider 3: the model has sliders 0 to 2"],
  ])("refuses %j with 2, and changes nothing", async (args, message) => {
    const [id = ""] = await library("Alpha");
    const before = await entryOf(id);
    const { code, stderr } = await sda("edit", id, ...args);
    expect(code).toBe(2);
    expect(stderr).toContain(message);
    expect(await entryOf(id)).toEqual(before);
  });

  it("exits with 2 for a model that isn't there", async () => {
    const { code, stderr } = await sda("edit", "nobody", "--name", "x");
    expect(code).toBe(2);
    expect(stderr).toContain("ERR_SDA_NOT_FOUND");
  });
});

describe("sda model delete", () => {
  it("deletes file and entry with --force", async () => {
    const [id] = await library("Alpha", "Beta");
    const { code, stderr } = await sda("delete", "alpha", "--force");
    expect(code).toBe(0);
    expect(stderr).toMatch(/^Deleted Alpha \(.*\)\.\n$/);
    expect(await namesIn()).toEqual(["Beta"]);
    expect(readdirSync(folder).filter((name) => name.endsWith(".sda"))).toEqual(["beta.sda"]);
    const again = await sda("delete", id as string, "--force", "--json");
    expect(again).toMatchObject({ code: 2, stdout: "" });
    const json = await sda("delete", "Beta", "-f", "--json");
    expect(JSON.parse(json.stdout).deleted).toMatchObject({ name: "Beta", filePath: "beta.sda" });
  });

  it("refuses without --force where there is no terminal", async () => {
    await library("Alpha");
    const { code, stderr } = await sda("delete", "alpha");
    expect(code).toBe(2);
    expect(stderr).toContain("no terminal to ask on; use --force to delete without asking");
    expect(await namesIn()).toEqual(["Alpha"]);
  });

  it("deletes no file that is not the library's", async () => {
    await library("Alpha");
    const other = join(temporaryFolder(), "other.sda");
    copyFileSync(fixture("models/tiny.sda"), other);
    expect((await sda("delete", other, "--force")).code).toBe(2);
    expect(existsSync(other)).toBe(true);
    expect((await sda("delete", join(folder, "alpha.sda"), "--force")).code).toBe(0);
    expect(await namesIn()).toEqual([]);
  });
});

describe("sda model repair", () => {
  it("adds files, drops entries, and fails when a file can't be read", async () => {
    await library("Alpha", "Beta");
    rmSync(join(folder, "beta.sda"));
    copyFileSync(fixture("models/tiny.sda"), join(folder, "found.sda"));
    const { code, stderr } = await sda("repair");
    expect(stderr).toBe(`1 model added, 1 removed, 0 updated; ${folder} has 2 models.\n`);
    expect(code).toBe(0);
    writeFileSync(join(folder, "bad.sda"), "<html>");
    const bad = await sda("repair", "--json");
    expect(bad.code).toBe(1);
    expect(JSON.parse(bad.stdout)).toEqual({
      added: 0,
      removed: 0,
      updated: 0,
      unreadable: ["bad.sda"],
      count: 2,
    });
    expect(bad.stderr).toBe("error: 1 file can't be read: bad.sda\n");
  });

  it("says how many entries it has updated", async () => {
    await writeGan(join(folder, "wires.distillgan"));
    await sda("repair");
    await writeGan(join(folder, "wires.distillgan"), VOCODER);
    const { stderr } = await sda("repair");
    expect(stderr).toBe(`0 models added, 0 removed, 1 updated; ${folder} has 1 model.\n`);
  });
});

describe("sda model verify", () => {
  it("checks the whole library, including files without entry and entries without file", async () => {
    await library("Alpha", "Beta", "Gone");
    rmSync(join(folder, "gone.sda"));
    copyFileSync(fixture("models/tiny.sda"), join(folder, "found.sda"));
    truncateSync(join(folder, "beta.sda"), 10_000);
    const { code, stdout } = await sda("verify", "--json");
    expect(code).toBe(1);
    const found = JSON.parse(stdout).map((f: { path: string; ok: boolean }) => [f.path, f.ok]);
    expect(Object.fromEntries(found)).toEqual({
      [join(folder, "alpha.sda")]: true,
      [join(folder, "beta.sda")]: false,
      [join(folder, "gone.sda")]: false,
      [join(folder, "found.sda")]: true,
    });
    const text = await sda("verify");
    expect(text.stdout).toBe("");
    expect(text.stderr).toContain(`damaged ${join(folder, "beta.sda")}\n  `);
    expect(text.stderr).toMatch(/4 files, .*: 2 damaged\n$/);
  });

  it("checks one, by name or by path, model or not", async () => {
    await library("Alpha");
    expect((await sda("verify", "alpha")).stderr).toMatch(/^ok .*alpha\.sda: \d+ records, /);
    expect((await sda("verify", fixture("checkpoints/tiny.pt"))).code).toBe(0);
    expect((await sda("verify", "nothing")).code).toBe(2);
    const page = join(temporaryFolder(), "page.pt");
    writeFileSync(page, "<html>");
    const { code, stderr } = await sda("verify", page);
    expect(code).toBe(1);
    expect(stderr).toContain(`damaged ${page}`);
  });

  it("reads nothing that an entry names outside of the folder", async () => {
    await library("Alpha");
    const outside = join(folder, "..", `${basename(folder)}.sda`);
    copyFileSync(fixture("models/tiny.sda"), outside);
    try {
      const index = join(folder, "model_library.json");
      const text = readFileSync(index, "utf8").replace('"alpha.sda"', `"../${basename(outside)}"`);
      writeFileSync(index, text);
      const { code, stdout } = await sda("verify", "--json");
      expect(code).toBe(1);
      const found = JSON.parse(stdout);
      expect(found.map((f: { ok: boolean }) => f.ok)).toEqual([false, true]);
      expect(found[0]).toMatchObject({ bytes: 0, problems: [expect.stringMatching(/leads out/)] });
    } finally {
      rmSync(outside);
    }
  });

  it("reports one missing file like many", async () => {
    await library("Alpha");
    rmSync(join(folder, "alpha.sda"));
    const { code, stdout } = await sda("verify", "--json");
    expect(code).toBe(1);
    expect(JSON.parse(stdout)).toMatchObject([{ ok: false }]);
    folder = temporaryFolder();
    expect(await sda("verify")).toMatchObject({ code: 0, stderr: "There are no model files.\n" });
  });
});

describe("names that could deceive a terminal or a person", () => {
  it("are shown escaped in errors, reports and warnings", async () => {
    const name = "\u001b[31mred\u0007.sda";
    writeFileSync(join(folder, name), "<html>");
    const { code, stderr } = await sda("verify");
    expect(code).toBe(1);
    expect(stderr).toContain("\\u001b[31mred\\u0007.sda");
    const one = await sda("info", join(folder, name));
    for (const text of [stderr, one.stderr]) expect(text).not.toMatch(/[^\P{Cc}\n]/u);
  });

  it("prefer the library's id of a copied file to the one in the file", async () => {
    await library("Alpha");
    copyFileSync(join(folder, "alpha.sda"), join(folder, "copy.sda"));
    await sda("repair");
    const entries = (await ModelLibrary.open(folder)).listAll();
    for (const { modelId, filePath } of entries) {
      const model = JSON.parse((await sda("info", modelId, "--json")).stdout);
      expect(model).toMatchObject({ modelId, path: join(folder, filePath) });
    }
    const texts = await Promise.all(entries.map(({ modelId }) => sda("info", modelId)));
    expect(texts.filter(({ stderr }) => stderr.includes("(in the file: "))).toHaveLength(1);
  });

  it("of a library behind a link reach its files", async () => {
    await library("Alpha");
    const link = join(temporaryFolder(), "link");
    symlinkSync(folder, link);
    expect((await sda("delete", join(link, "alpha.sda"), "--force")).code).toBe(0);
    expect(await namesIn()).toEqual([]);
  });

  it("are not empty", async () => {
    expect((await sda("import", fixture("checkpoints/tiny.pt"), "--name", " ")).code).toBe(2);
    expect((await sda("list", "--models-dir", "")).code).toBe(2);
  });
});
