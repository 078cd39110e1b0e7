import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { beforeAll, describe, expect, it, vi } from "vitest";
import { run } from "../../lib/cli/program.js";
import { importModel, loadModel, updateModel, writeSound } from "../../lib/index.js";
import { fixture } from "../support/fixtures.js";
import { temporaryFolder } from "../support/folder.js";
import { keepingIo } from "../support/io.js";
import { engineBuilt } from "../support/native.js";

const demo = fileURLToPath(new URL("../../assets/models/synthetic-plucks.sda", import.meta.url));
const tiny = fixture("models/tiny.sda");

async function sda(...args: string[]) {
  const { io, kept } = keepingIo();
  return { code: await run(args, io), ...kept };
}

describe.skipIf(!engineBuilt)("sda reproduce", () => {
  let folder: string;
  let sound: string;
  beforeAll(async () => {
    folder = temporaryFolder();
    const args = ["-s", "5", "-d", "0.5", "--format", "flac", "--device", "cpu", "-o", folder];
    expect((await sda("generate", demo, ...args)).code).toBe(0);
    sound = join(folder, "synthetic_plucks_5.flac");
  });

  const reproduce = (file: string, ...args: string[]) =>
    sda("reproduce", file, "--device", "cpu", ...args);

  it("makes the sound of a model's file again", async () => {
    const { code, stdout, stderr } = await reproduce(sound, "--model", demo);
    expect([code, stdout]).toEqual([0, ""]);
    expect(stderr).toBe(`${sound}: the same sound, bit for bit\n`);
  });

  it("finds the model in the library, also after another name, and reports as JSON", async () => {
    const library = temporaryFolder();
    const entry = await importModel(demo, library);
    await updateModel(entry.modelId, { name: "Renamed" }, library);
    const { code, stdout } = await reproduce(sound, "--models-dir", library, "--json");
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({
      path: sound,
      model: { modelId: entry.modelId, name: "Synthetic Plucks" },
      ...{ same: true, sameSamples: true, sameFile: true, differences: [] },
      sound: { seed: 5 },
    });
  });

  it("finds a model that has another id by its name and content", async () => {
    const library = temporaryFolder();
    const { modelId } = await importModel(tiny, library);
    await updateModel(modelId, { name: "Synthetic Plucks" }, library);
    const right = await importModel(demo, library);
    // An entry under another id, as the Python program makes it when it saves a model again.
    const index = join(library, "model_library.json");
    const text = readFileSync(index, "utf8").replaceAll(right.modelId, "another-id");
    writeFileSync(index, text);
    const { code, stdout, stderr } = await reproduce(sound, "--models-dir", library, "--json");
    expect([code, stderr]).toEqual([0, `${sound}: the same sound, bit for bit\n`]);
    expect(JSON.parse(stdout).model.path).toContain(right.filePath);
  });

  it("finds the other models of a blend and of a vocoder in the library", async () => {
    const library = temporaryFolder();
    for (const name of ["tiny.distillgan", "tiny-vocoder.distillgan"])
      await importModel(fixture(`models/${name}`), library);
    const common = ["-d", "1", "-s", "3", "--device", "cpu", "-o", library, "--format", "flac"];
    const made = await sda(
      ...["generate", "Tiny Vocoder", "--blend", "Tiny Early:20", ...common],
      ...["--models-dir", library],
    );
    expect(made.code).toBe(2); // not in the library yet
    await importModel(fixture("models/tiny-early.distill"), library);
    const blends = [
      ["tiny_vocoder_3.flac", "Tiny Vocoder", "--blend", "Tiny Early:20", "--blend-mode", "audio"],
      ["tiny_3.flac", "00000000-0000-4000-8002-000000000003", "--vocoder", "Tiny Vocoder"],
    ] as const;
    for (const [file, name, ...args] of blends) {
      const { code } = await sda(
        ...["generate", name, ...args, ...common, "--models-dir", library],
      );
      expect(code).toBe(0);
      const again = await reproduce(join(library, file), "--models-dir", library);
      expect([again.code, again.stderr]).toEqual([
        0,
        `${join(library, file)}: the same sound, bit for bit\n`,
      ]);
    }
    const { code, stderr } = await reproduce(sound, "--models-dir", library);
    expect([code, stderr.includes('lacks the model "Synthetic Plucks"')]).toEqual([2, true]);
  });

  it("exits with 1 for another model, and says what differs", async () => {
    const { code, stderr } = await reproduce(sound, "--model", tiny);
    expect(code).toBe(1);
    expect(stderr).toContain(`${sound}: another sound\n`);
    expect(stderr).toMatch(/ {2}model id .*, not /);
    expect(stderr).toMatch(/ {2}model hash [0-9a-f]{64}, not [0-9a-f]{64}/);
  });

  it("exits with 1 for a file whose sound was changed", async () => {
    const path = join(temporaryFolder(), "a.wav");
    await using model = await loadModel(demo, { device: "cpu" });
    await writeSound(path, await model.generate({ durationS: 0.5, seed: 1 }));
    const bytes = readFileSync(path);
    bytes[9000] = (bytes[9000] as number) ^ 1;
    writeFileSync(path, bytes);
    const { code, stderr } = await reproduce(path, "--model", demo);
    expect(code).toBe(1);
    expect(stderr).toContain("the file holds another sound: it was changed");
  });

  it("exits with 2 where there is no recipe", async () => {
    const path = join(temporaryFolder(), "a.wav");
    await writeSound(path, { audio: [new Float32Array(9)], sampleRate: 48000 });
    const { code, stderr } = await reproduce(path, "--model", demo);
    expect([code, stderr]).toEqual([2, `error: ${path} has no recipe (ERR_SDA_NOT_FOUND)\n`]);
  });

  it.each([
    ["no sound file", "hello"],
    ["a damaged recipe", null],
  ])("exits with 2 for %s", async (_, content) => {
    const path = join(temporaryFolder(), "a.flac");
    const bytes = readFileSync(sound).toString("latin1").replace('"seed":5', '"seed":x');
    writeFileSync(path, Buffer.from(content ?? bytes, "latin1"));
    const { code, stderr } = await reproduce(path, "--model", demo);
    expect(code).toBe(2);
    expect(stderr).toMatch(/^error: .*ERR_SDA_(FORMAT|SCHEMA)\)\n$/);
  });

  it("exits with 2 where there is no model", async () => {
    const library = temporaryFolder();
    await importModel(tiny, library);
    const missing = await reproduce(sound, "--models-dir", library);
    expect(missing.code).toBe(2);
    expect(missing.stderr).toContain('lacks the model "Synthetic Plucks"');
    const nowhere = await reproduce(sound, "--models-dir", join(library, "nowhere"));
    expect(nowhere.code).toBe(2);
    expect(nowhere.stderr).toContain("name its file with --model");
    expect((await reproduce(sound, "--model", "nowhere.sda")).code).toBe(2);
    expect((await reproduce("nowhere.flac", "--model", demo)).code).toBe(2);
  });

  it("prints no control characters of a recipe", async () => {
    const path = join(temporaryFolder(), "a.flac");
    const bytes = readFileSync(sound).toString("latin1");
    const from = '"name":"Synthetic Plucks"';
    const to = '"name":"\\u001b[2J\\u001b["';
    expect(bytes).toContain(from);
    expect(to).toHaveLength(from.length);
    const hostile = bytes.replace(from, to);
    writeFileSync(path, Buffer.from(hostile, "latin1"));
    const { code, stderr } = await reproduce(path, "--models-dir", temporaryFolder());
    expect(code).toBe(2);
    expect(stderr).toContain("lacks the model");
    expect(stderr).not.toContain("\u001b");
  });
});

describe.skipIf(!engineBuilt)("the encoders of MP3 and Vorbis", () => {
  it("are not loaded for a WAV or a FLAC", async () => {
    vi.doMock("wasm-media-encoders", () => {
      throw new Error("loaded");
    });
    const folder = temporaryFolder();
    const make = (format: string) =>
      sda("generate", demo, "-d", "0.2", "-s", "1", "-o", folder, "--format", format);
    expect((await make("wav")).code).toBe(0);
    expect((await make("flac")).code).toBe(0);
    expect((await make("mp3")).code).toBe(1);
    expect(readdirSync(folder).sort()).toEqual([
      "synthetic_plucks_1.flac",
      "synthetic_plucks_1.json",
      "synthetic_plucks_1.wav",
    ]);
    vi.doUnmock("wasm-media-encoders");
  });
});
