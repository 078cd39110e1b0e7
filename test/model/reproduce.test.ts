import { copyFileSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it, vi } from "vitest";
import {
  blend,
  encodeSound,
  type GenerateOptions,
  loadModel,
  ModelCache,
  ModelLibrary,
  type Recipe,
  type RecipeModel,
  readRecipe,
  reproduceSound,
  soundFileStream,
  type Tensor,
  updateModel,
  writeSound,
} from "../../lib/index.js";
import { weightsHash } from "../../lib/model/weights-hash.js";
import { load as loadTorch, save as saveTorch } from "../../lib/torch/index.js";
import { gather } from "../support/bytes.js";
import { distill, distillFile, Golden } from "../support/corpus-distill.js";
import { sdaError } from "../support/errors.js";
import { fixture } from "../support/fixtures.js";
import { temporaryFolder } from "../support/folder.js";
import { engineBuilt } from "../support/native.js";
import { ffmpeg, isThere, tool } from "../support/tools.js";

const FORMATS = ["wav", "flac", "mp3", "ogg"] as const;
const tiny = fixture("models/tiny.sda");
const demo = fileURLToPath(new URL("../../assets/models/synthetic-plucks.sda", import.meta.url));
const hasFfmpeg = isThere("ffmpeg");
const hasTools = isThere("flac", "metaflac", "vorbiscomment");

describe("the digest of a model", () => {
  const library = async () => {
    const folder = temporaryFolder();
    const opened = await ModelLibrary.open(folder);
    const { modelId } = await opened.import(tiny);
    return { folder, modelId, path: (await opened.pathOf(modelId)) as string };
  };

  it("is the same in a library, and after an edit of its metadata", async () => {
    const { folder, modelId, path } = await library();
    const before = readFileSync(path);
    expect(await weightsHash(path)).toBe(await weightsHash(tiny));
    await updateModel(modelId, { name: "Another", tags: ["a"], description: "b" }, folder);
    expect(readFileSync(path).equals(before)).toBe(false);
    expect(await weightsHash(path)).toBe(await weightsHash(tiny));
  });

  it("is another one for another weight or spectrogram", async () => {
    const hashes = [
      "models/tiny.sda",
      "models/tiny-bfloat16.sda",
      "models/tiny-decoder-only.sda",
    ].map((name) => weightsHash(fixture(name)));
    expect(new Set(await Promise.all(hashes)).size).toBe(3);
  });
});

describe.skipIf(!engineBuilt)("sound of a model", () => {
  const options: GenerateOptions = {
    durationS: 1.3,
    seed: 7,
    spatial: { mode: "stereo", width: 1.1, depth: 0.4 },
    overlapSamples: 1200,
    joint: "equal-power",
    sampleRate: 44100,
  };

  it.each(FORMATS)("%s: is made again, bit for bit", async (format) => {
    const path = join(temporaryFolder(), `a.${format}`);
    await using model = await loadModel(tiny, { device: "cpu" });
    await writeSound(path, await model.generate(options));
    expect(await reproduceSound(path, model)).toMatchObject({
      same: true,
      sameSamples: true,
      sameFile: true,
      differences: [],
      sound: { seed: 7, sampleRate: 44100, channels: 2 },
    });
  });

  it.each(FORMATS)("%s: a stream's file is made again", async (format) => {
    const path = join(temporaryFolder(), `a.${format}`);
    await using model = await loadModel(tiny, { device: "cpu" });
    const stream = model.stream({ durationS: 2.1, seed: 3 });
    writeFileSync(path, await gather(soundFileStream(stream, { format })));
    expect((await readRecipe(path))?.options.loudness).toBe("running");
    const found = await reproduceSound(path, model);
    expect(found).toMatchObject({ same: true, sameFile: true });
    expect(found.sameSamples).toBe(format === "wav" ? true : null);
  });

  it("a stream of a cache has a recipe, too", async () => {
    const path = join(temporaryFolder(), "a.flac");
    await using cache = new ModelCache({ device: "cpu" });
    const stream = await cache.stream(tiny, { durationS: 1, seed: 3 });
    writeFileSync(path, await gather(soundFileStream(stream, { format: "flac" })));
    expect(await cache.use(tiny, (model) => reproduceSound(path, model))).toMatchObject({
      same: true,
    });
  });

  describe("of several models", () => {
    const open = (name: string) => loadModel(fixture(`models/${name}`), { device: "cpu" });

    it("is made again with another model's vocoder, which the recipe names", async () => {
      const path = join(temporaryFolder(), "a.flac");
      await using model = await open("tiny.distillgan");
      await using player = await open("tiny-vocoder.distillgan");
      await writeSound(path, await model.generate({ ...options, vocoder: player }));
      const { vocoder } = (await readRecipe(path)) as Recipe;
      const { id, name } = vocoder as RecipeModel;
      expect([id, name]).toEqual([player.metadata.modelId, player.metadata.name]);
      expect(await reproduceSound(path, model, { others: [model, player] })).toMatchObject({
        same: true,
        differences: [],
      });
      const error = await sdaError(() => reproduceSound(path, model));
      expect([error.code, error.details]).toEqual(["ERR_SDA_ARGUMENT", { option: "others" }]);
      expect(error.message).toContain(`"Tiny Vocoder" (${id})`);
    });

    it("its own vocoder is no other model's", async () => {
      const path = join(temporaryFolder(), "a.wav");
      await using player = await open("tiny-vocoder.distillgan");
      await writeSound(path, await player.generate({ ...options, vocoder: player }));
      expect((await readRecipe(path))?.vocoder).toBe(null);
      expect((await reproduceSound(path, player)).same).toBe(true);
    });

    it("is made again as a blend of sounds, of models with other options", async () => {
      const path = join(temporaryFolder(), "a.flac");
      await using first = await open("tiny-vocoder.distillgan");
      await using second = await open("tiny.distill");
      await using third = await loadModel(tiny, { device: "cpu" });
      const parts = [
        { model: first, weight: 50 },
        { model: second, weight: 30 },
        { model: third, weight: 20 },
      ];
      const sound = await blend(parts, { durationS: 1, seed: 4, sliders: [2], domain: "audio" });
      await writeSound(path, sound);
      const recipe = (await readRecipe(path)) as Recipe;
      expect([recipe.share, ...recipe.blended.map(({ share }) => share)]).toEqual([0.5, 0.3, 0.2]);
      const progress = vi.fn();
      const others = [third, second];
      const found = await reproduceSound(path, first, { others, onProgress: progress });
      expect(found).toMatchObject({ same: true, sameSamples: true, differences: [] });
      expect(progress).toHaveBeenCalled();
      const [done, total] = progress.mock.calls.at(-1) as [number, number];
      expect(done).toBe(total);
      expect((await sdaError(() => reproduceSound(path, first, { others: [third] }))).code).toBe(
        "ERR_SDA_ARGUMENT",
      );
    });

    it("is made again as a blend of latents, with the first model alone", async () => {
      const path = join(temporaryFolder(), "a.wav");
      await using first = await open("tiny.distillgan");
      await using second = await open("tiny-vocoder.distillgan");
      const parts = [{ model: first }, { model: second }];
      await writeSound(path, await blend(parts, { durationS: 1, seed: 4, sliders: [2] }));
      expect((await readRecipe(path))?.blended).toEqual([]);
      expect((await reproduceSound(path, first)).same).toBe(true);
    });

    it("tells which of the models has changed", async () => {
      const folder = temporaryFolder();
      const path = join(folder, "a.wav");
      await using first = await open("tiny.distillgan");
      await using second = await open("tiny.distill");
      const parts = [{ model: first }, { model: second }];
      await writeSound(path, await blend(parts, { durationS: 1, seed: 4, domain: "audio" }));
      // Another model with the second one's id.
      const changed = join(folder, "changed.distill");
      const content = (await loadTorch(fixture("models/tiny.distill"))) as Map<string, unknown>;
      const weights = content.get("model_state_dict") as Map<string, Tensor>;
      const bias = weights.get("decoder.fc.bias")?.data as Float32Array;
      bias.set(bias.map((value) => value + 1));
      await saveTorch(content, changed);
      await using other = await loadModel(changed, { device: "cpu" });
      const found = await reproduceSound(path, first, { others: [other] });
      expect(found.same).toBe(false);
      expect(found.differences).toEqual([
        expect.stringMatching(/^model "Tiny" hash [0-9a-f]{64}, not [0-9a-f]{64}$/),
      ]);
    });
  });

  it("of sliders is told by positions and latent", async () => {
    const path = join(temporaryFolder(), "a.wav");
    await using model = await loadModel(tiny, { device: "cpu" });
    const sliders = model.sliders().map((_, i) => i - 1);
    const given = [...sliders];
    const sound = await model.generate({ durationS: 1, seed: 1, sliders: given });
    given.fill(5); // the recipe has the positions of the call
    await writeSound(path, sound);
    const recipe = (await readRecipe(path)) as Recipe;
    expect(recipe.sliders).toEqual(sliders);
    expect(recipe.options.latent).toEqual(model.slidersToLatent(sliders));
    expect((await reproduceSound(path, model)).same).toBe(true);
  });

  it("keeps its recipe when the model is disposed of before the sound is written", async () => {
    const path = join(temporaryFolder(), "a.flac");
    const model = await loadModel(tiny, { device: "cpu" });
    const sound = await model.generate({ durationS: 1, seed: 1 });
    await model.disposeAsync();
    await writeSound(path, sound);
    expect((await readRecipe(path))?.model.hash).toBe(await weightsHash(tiny));
  });

  it("has no digest of a file that is not the loaded one any more", async () => {
    const folder = temporaryFolder();
    const path = join(folder, "model.sda");
    for (const change of ["replaced", "deleted"]) {
      copyFileSync(tiny, path);
      await using model = await loadModel(path, { device: "cpu" });
      const sound = await model.generate({ durationS: 1, seed: 1 });
      if (change === "deleted") rmSync(path);
      else copyFileSync(fixture("models/tiny-bfloat16.sda"), path);
      await writeSound(join(folder, "a.wav"), sound);
      expect((await readRecipe(join(folder, "a.wav")))?.model.hash, change).toBe(null);
    }
  });

  it("is another sound with another model, and the report says what differs", async () => {
    const path = join(temporaryFolder(), "a.flac");
    {
      await using model = await loadModel(tiny, { device: "cpu" });
      await writeSound(path, await model.generate(options));
    }
    await using other = await loadModel(demo, { device: "cpu" });
    const found = await reproduceSound(path, other);
    expect(found).toMatchObject({ same: false, sameSamples: false, sameFile: false });
    expect(found.differences.join()).toContain("model hash");
  });

  it.each(FORMATS)("%s: a changed sound is found though the recipe stayed", async (format) => {
    const path = join(temporaryFolder(), `a.${format}`);
    await using model = await loadModel(tiny, { device: "cpu" });
    await writeSound(path, await model.generate(options));
    const bytes = readFileSync(path);
    const at = format === "wav" ? 20_001 : bytes.length - 100;
    bytes[at] = (bytes[at] as number) ^ 0xff;
    // The MD5 of the samples would say that another encoder has made the file.
    if (format === "flac") bytes.fill(0, 26, 42);
    writeFileSync(path, bytes);
    const found = await reproduceSound(path, model);
    expect(found).toMatchObject({ same: false, sameSamples: true, sameFile: false });
  });

  it.skipIf(!hasFfmpeg).each(FORMATS)("%s: is the same after ffmpeg -c copy", async (format) => {
    const folder = temporaryFolder();
    const [path, copy] = [join(folder, `a.${format}`), join(folder, `b.${format}`)];
    await using model = await loadModel(tiny, { device: "cpu" });
    await writeSound(path, await model.generate(options));
    ffmpeg("-i", path, "-c", "copy", "-metadata", "title=another", copy);
    expect(await reproduceSound(copy, model)).toMatchObject({ same: true, sameFile: true });
  });

  it.skipIf(!hasTools)("is the same after metaflac, flac and vorbiscomment", async () => {
    const folder = temporaryFolder();
    const at = (name: string) => join(folder, name);
    await using model = await loadModel(tiny, { device: "cpu" });
    const sound = await model.generate(options);
    await writeSound(at("a.flac"), sound);
    await writeSound(at("a.ogg"), sound);
    tool("metaflac", "--set-tag=MOOD=calm", at("a.flac"));
    tool("vorbiscomment", "-a", "-t", "mood=calm", at("a.ogg"));
    tool("flac", "--best", "--silent", at("a.flac"), "-o", at("b.flac"));
    for (const name of ["a.flac", "a.ogg", "b.flac"]) {
      expect((await reproduceSound(at(name), model)).same, name).toBe(true);
    }
  });

  it("refuses a file without a recipe, and options that generate refuses", async () => {
    const path = join(temporaryFolder(), "a.wav");
    await using model = await loadModel(tiny, { device: "cpu" });
    const sound = await model.generate({ durationS: 1.3, seed: 1 });
    await writeSound(path, sound, { recipe: false });
    expect((await sdaError(() => reproduceSound(path, model))).code).toBe("ERR_SDA_FORMAT");
    const wav = Buffer.from(await encodeSound(sound, { format: "wav" })).toString("latin1");
    for (const [option, from, to] of [
      ["durationS", '"durationS":1.3', '"durationS":9e9'],
      ["joint", '"joint":"python"', '"joint":"Python"'],
    ] as const) {
      expect(wav).toContain(from);
      writeFileSync(path, Buffer.from(wav.replace(from, to), "latin1"));
      const error = await sdaError(() => reproduceSound(path, model));
      expect(error).toMatchObject({ code: "ERR_SDA_ARGUMENT", details: { option } });
    }
  });

  it("stops when the signal aborts", async () => {
    const path = join(temporaryFolder(), "a.wav");
    await using model = await loadModel(tiny, { device: "cpu" });
    await writeSound(path, await model.generate({ durationS: 1, seed: 1 }));
    const signal = AbortSignal.abort(new Error("stop"));
    await expect(reproduceSound(path, model, { signal })).rejects.toThrow("stop");
  });
});

const GENERATIONS = ["rename", "main", "gan", "voc", "cs", "vq_prior"];
describe.skipIf(distill === null || !engineBuilt)("later versions of the program", () => {
  it.each(GENERATIONS)(
    "golden/%s: is made again, and its digest stays",
    async (name) => {
      const { modelPath } = new Golden(name, distill);
      const path = join(temporaryFolder(), "a.flac");
      await using model = await loadModel(modelPath, { device: "cpu" });
      await writeSound(path, await model.generate({ durationS: 0.5, seed: 11 }));
      const found = await reproduceSound(path, model);
      expect(found).toMatchObject({ same: true, sameSamples: true, differences: [] });
      expect(found.recipe.model.hash).toBe(await weightsHash(modelPath));
    },
    120_000,
  );
});

it.skipIf(distill === null).each(["v1.1_stereo_flac.flac", "v1.1_stereo.wav"])(
  "the Python program's %s has no recipe",
  async (name) => {
    expect(await readRecipe(distillFile("exported", name))).toBe(null);
  },
);
