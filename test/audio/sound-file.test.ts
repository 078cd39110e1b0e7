import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { describe, expect, it } from "vitest";
import { rememberRecipe, type SoundRecipe } from "../../lib/audio/recipe.js";
import {
  encodeSound,
  type Recipe,
  readRecipe,
  type SdaError,
  type SoundFormat,
  soundFileStream,
  toWav,
  type WriteSoundOptions,
  wavStream,
  writeSound,
} from "../../lib/index.js";
import { gather } from "../support/bytes.js";
import { sdaError } from "../support/errors.js";
import { temporaryFolder } from "../support/folder.js";
import { madeSound } from "../support/made-sounds.js";
import { interleave } from "../support/sound.js";
import { ffmpeg, isThere, tool } from "../support/tools.js";

const sampleRate = 48000;
const FORMATS = ["wav", "flac", "mp3", "ogg"] as const;
const LOSSY = ["mp3", "ogg"] as const;
const hasFfmpeg = isThere("ffmpeg", "ffprobe");
const hasMetaflac = isThere("flac", "metaflac");
const hasVorbis = isThere("vorbiscomment");

const recipe: SoundRecipe = {
  version: "9.8.7",
  model: { id: "id-1", name: "Gläser \u{1f941}", generation: "sda", hash: "ab".repeat(32) },
  options: {
    seed: 42,
    durationS: 1,
    stepsBetween: 10,
    latent: Float32Array.of(0.1, -2.5),
    spatial: { mode: "stereo", width: 0.5, depth: 0.3 },
  },
  sliders: [1, -2],
  vocoder: null,
  share: 1,
  blended: [],
  engine: { backend: "sda", device: "cpu", platform: "linux-x64" },
};

/** A sound that has a recipe, as the sound of a model. */
function withRecipe(audio = madeSound("pluck", 20_000, 2), own: Partial<SoundRecipe> = {}) {
  const sound = { audio, sampleRate };
  rememberRecipe(sound, async () => ({ ...recipe, ...own }));
  return sound;
}

async function* inPieces(samples: Float32Array, length: number) {
  for (let at = 0; at < samples.length; at += length) yield samples.subarray(at, at + length);
}

/** What ffprobe says: facts of the stream, and the tags. */
function probed(path: string) {
  const text = tool(
    ...(["ffprobe", "-v", "error", "-show_format", "-show_streams", "-of", "json", path] as const),
  );
  const { format, streams } = JSON.parse(text.toString());
  const tags = Object.entries({ ...format.tags, ...streams[0].tags });
  return {
    ...streams[0],
    tags: Object.fromEntries(tags.map(([name, value]) => [name.toLowerCase(), value])),
  };
}

/** The decoded samples of the first channel. */
function decoded(path: string): Float32Array {
  const bytes = ffmpeg("-i", path, "-f", "f32le", "-ac", "1", "-");
  return new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length));
}

describe.each(FORMATS)("%s", (format) => {
  it("is the same file each time, in memory and in a folder", async () => {
    const sound = withRecipe();
    const path = join(temporaryFolder(), `a.${format}`);
    await writeSound(pathToFileURL(path), sound);
    const file = Buffer.from(await encodeSound(sound, { format }));
    expect(file.length).toBeGreaterThan(2000);
    expect(file.equals(readFileSync(path))).toBe(true);
    expect(file.equals(Buffer.from(await encodeSound(sound, { format })))).toBe(true);
  });

  it("carries its recipe", async () => {
    const path = join(temporaryFolder(), `a.${format}`);
    await writeSound(path, withRecipe());
    const settings = {
      wav: { bitDepth: 24 },
      flac: { bitDepth: 24 },
      mp3: { kbps: 192 },
      ogg: { quality: 6 },
    }[format];
    const samples = expect.stringMatching(/^[0-9a-f]{64}$/);
    const expected = { ...recipe, file: { format, ...settings }, samples };
    expect(await readRecipe(path)).toEqual(expected);
  });

  it("has no recipe where none is known or wanted", async () => {
    const path = join(temporaryFolder(), `a.${format}`);
    await writeSound(path, withRecipe(), { recipe: false });
    expect(await readRecipe(path)).toBe(null);
    await writeSound(path, { ...withRecipe() });
    expect(await readRecipe(path)).toBe(null);
  });

  it("is the same sound as a stream, however it is divided", async () => {
    const { audio } = withRecipe(madeSound("pluck", 50_000, 2));
    const options = { format, sampleRate, channels: 2, frames: 50_000 };
    const [a, b] = await Promise.all(
      [1002, 70_000].map((length) =>
        gather(soundFileStream(inPieces(interleave(audio), length), options)),
      ),
    );
    expect(a?.equals(b as Buffer)).toBe(true);
    const whole = Buffer.from(await encodeSound({ audio, sampleRate }, { format }));
    // The MD5 of a FLAC is unknown to a stream.
    const rest = format === "flac" ? 42 : 0;
    expect(a?.subarray(rest).equals(whole.subarray(rest))).toBe(true);
  });

  it("reads no more pieces than it needs, and leaves them", async () => {
    let given = 0;
    let left = false;
    async function* pieces() {
      try {
        for (; given < 1000; given++) yield new Float32Array(48_000).fill(0.1 * Math.sin(given));
      } finally {
        left = true;
      }
    }
    const stream = soundFileStream(pieces(), { format, sampleRate, channels: 1 });
    let bytes = 0;
    for await (const part of stream) {
      bytes += part.length;
      if (given >= 3) break;
    }
    expect(bytes).toBeGreaterThan(0);
    expect([given, left]).toEqual([3, true]);
  });

  it("leaves pieces that nobody read", async () => {
    let left = false;
    const pieces = {
      [Symbol.asyncIterator]: () => ({
        next: async () => ({ done: true as const, value: undefined }),
        return: async () => {
          left = true;
          return { done: true as const, value: undefined };
        },
      }),
    };
    await soundFileStream(pieces, { format, sampleRate, channels: 1 }).return();
    expect(left).toBe(true);
  });

  it.each([Number.NaN, Number.POSITIVE_INFINITY])("refuses the sample %d", async (wrong) => {
    const audio = madeSound("tone", 70_000);
    (audio[0] as Float32Array)[69_000] = wrong;
    const path = join(temporaryFolder(), `a.${format}`);
    const error = await sdaError(() => writeSound(path, { audio, sampleRate }));
    expect(error).toMatchObject({ code: "ERR_SDA_ARGUMENT", details: { option: "audio" } });
    expect(error.message).toContain("69000");
    expect(readdirSync(join(path, ".."))).toEqual([]);
    const stream = soundFileStream(inPieces(audio[0] as Float32Array, 9000), {
      ...{ format, sampleRate, channels: 1 },
    });
    expect((await sdaError(() => gather(stream))).details?.["option"]).toBe("pieces");
  });

  it("takes sound above full scale", async () => {
    const file = await encodeSound({ audio: madeSound("too loud", 5000), sampleRate }, { format });
    expect(file.length).toBeGreaterThan(500);
  });

  it.skipIf(!hasFfmpeg)("is what ffmpeg expects, with the program's tags", async () => {
    const path = join(temporaryFolder(), `a.${format}`);
    const tags = { title: "Frühe & „spät“", album: "A=B", artist: "me", preset: "Keller" };
    const sound = withRecipe();
    await writeSound(path, sound, { tags });
    const found = probed(path);
    const codec = { wav: "pcm_s24le", flac: "flac", mp3: "mp3", ogg: "vorbis" }[format];
    expect(found).toMatchObject({ codec_name: codec, sample_rate: "48000", channels: 2 });
    expect(found.tags).toMatchObject({ title: tags.title, album: "A=B", artist: "me" });
    if (format !== "wav") {
      expect(found.tags).toMatchObject({
        sda_seed: "42",
        sda_model: "Gläser \u{1f941}",
        sda_preset: "Keller",
      });
    }
    const samples = decoded(path);
    const [left, right] = sound.audio as [Float32Array, Float32Array];
    const mono = left.map((value, i) => (value + (right[i] as number)) / 2);
    expect(largestCorrelation(samples, mono)).toBeGreaterThan(format === "mp3" ? 0.98 : 0.99);
  });

  it.skipIf(!hasFfmpeg)("has tags of its own where the caller gives none", async () => {
    const path = join(temporaryFolder(), `a.${format}`);
    await writeSound(path, withRecipe());
    const name = "Gläser \u{1f941}";
    expect(probed(path).tags).toMatchObject({
      title: `${name} 42`,
      album: name,
      artist: "Small DataSet Audio",
    });
  });

  it.skipIf(!hasFfmpeg).each([
    ["copies", []],
    ["changes the title of", ["-metadata", "title=another"]],
    ["adds a comment to", ["-metadata", "comment=mine"]],
  ])("keeps its recipe when ffmpeg %s the file", async (_, args) => {
    const folder = temporaryFolder();
    const [path, copy] = [join(folder, `a.${format}`), join(folder, `b.${format}`)];
    await writeSound(path, withRecipe());
    ffmpeg("-i", path, "-c", "copy", ...args, copy);
    expect(readFileSync(copy).equals(readFileSync(path))).toBe(false);
    expect(await readRecipe(copy)).toEqual(await readRecipe(path));
  });
});

/** The delay of a lossy decoder is up to 3000 samples. */
function largestCorrelation(actual: Float32Array, expected: Float32Array): number {
  const n = 12_000;
  let best = 0;
  for (let delay = 0; delay <= 3000; delay++) {
    let [ab, aa, bb] = [0, 0, 0];
    for (let i = 0; i < n; i += 3) {
      const [a, b] = [actual[i + delay] ?? 0, expected[i] ?? 0];
      ab += a * b;
      aa += a * a;
      bb += b * b;
    }
    best = Math.max(best, ab / Math.sqrt(aa * bb));
  }
  return best;
}

it.skipIf(!hasMetaflac)("a FLAC keeps its recipe after metaflac and flac", async () => {
  const folder = temporaryFolder();
  const path = join(folder, "a.flac");
  await writeSound(path, withRecipe());
  const before = await readRecipe(path);
  tool("metaflac", "--remove-tag=title", "--set-tag=TITLE=another", path);
  expect(tool("metaflac", "--show-tag=title", path).toString()).toBe("TITLE=another\n");
  expect(await readRecipe(path)).toEqual(before);
  const picture = join(folder, "a.png");
  writeFileSync(picture, readFileSync(new URL("../../doc/page.png", import.meta.url)));
  tool("metaflac", `--import-picture-from=${picture}`, path);
  tool("metaflac", "--add-padding=100000", path);
  tool("flac", "--best", "--silent", "--force", path, "-o", join(folder, "b.flac"));
  expect(await readRecipe(join(folder, "b.flac"))).toEqual(before);
});

it.skipIf(!hasVorbis)("an Ogg file keeps its recipe after vorbiscomment", async () => {
  const folder = temporaryFolder();
  const path = join(folder, "a.ogg");
  await writeSound(path, withRecipe());
  const before = await readRecipe(path);
  tool("vorbiscomment", "--append", "--tag", `comment=${"long ".repeat(20_000)}`, path);
  expect(await readRecipe(path)).toEqual(before);
});

it.skipIf(!hasFfmpeg)("an MP3 keeps its recipe in version 2.3 of ID3", async () => {
  const folder = temporaryFolder();
  const [path, copy] = [join(folder, "a.mp3"), join(folder, "b.mp3")];
  await writeSound(path, withRecipe());
  ffmpeg("-i", path, "-c", "copy", "-id3v2_version", "3", copy);
  expect(readFileSync(copy)[3]).toBe(3);
  expect(await readRecipe(copy)).toEqual(await readRecipe(path));
});

it("a file of a long latent has its recipe in all formats", async () => {
  const latent = Float32Array.from({ length: 4096 }, (_, i) => Math.sin(i));
  const sound = withRecipe(undefined, { options: { seed: 1, latent } });
  for (const format of FORMATS) {
    const path = join(temporaryFolder(), `a.${format}`);
    await writeSound(path, sound);
    expect((await readRecipe(path))?.options.latent).toEqual(latent);
  }
});

describe("WAV", () => {
  it.each([16, 24, 32] as const)("%d bits: the samples of toWav", async (bitDepth) => {
    const sound = { audio: madeSound("too loud", 1001), sampleRate };
    const wav = await encodeSound(sound, { format: "wav", bitDepth });
    expect(Buffer.from(wav).equals(Buffer.from(toWav(sound, { bitDepth })))).toBe(true);
  });

  it("states the size of a file with tags after an odd number of bytes", async () => {
    const file = Buffer.from(
      await encodeSound(withRecipe(madeSound("tone", 1001)), { format: "wav" }),
    );
    expect(file.readUInt32LE(4)).toBe(file.length - 8);
    expect(file.toString("latin1", 44 + 3003 + 1, 44 + 3003 + 5)).toBe("LIST");
  });

  it("a stream of unknown length has no tags", async () => {
    const pieces = () => inPieces(new Float32Array(99), 10);
    const format = { sampleRate, channels: 1 };
    const tags = { title: "a" };
    const a = await gather(soundFileStream(pieces(), { ...format, format: "wav", tags }));
    expect(a.equals(await gather(wavStream(pieces(), format)))).toBe(true);
  });

  it("may be empty", async () => {
    const sound = { audio: [new Float32Array(0)], sampleRate };
    expect(await encodeSound(sound, { format: "wav" })).toHaveLength(44);
  });
});

describe("bad input", () => {
  const sound = { audio: madeSound("tone", 100), sampleRate };
  const option = (error: SdaError) => [error.code, error.details?.["option"]];
  const refused = async (format: string, more: object, name: string, own: object = sound) => {
    const options = { format: format as SoundFormat, ...more };
    const error = await sdaError(() => encodeSound(own as typeof sound, options));
    expect(option(error)).toEqual(["ERR_SDA_ARGUMENT", name]);
    return error;
  };

  it.each([
    ["opus", {}, "format"],
    ["wav", { bitDepth: 8 }, "bitDepth"],
    ["flac", { bitDepth: 32 }, "bitDepth"],
    ["mp3", { bitDepth: 16 }, "bitDepth"],
    ["ogg", { kbps: 192 }, "kbps"],
    ["mp3", { kbps: 100 }, "kbps"],
    ["mp3", { quality: 3 }, "quality"],
    ["ogg", { quality: 11 }, "quality"],
    ["ogg", { quality: Number.NaN }, "quality"],
    ["wav", { recipe: "yes" }, "recipe"],
    ["wav", { tag: {} }, "tag"],
    ["wav", { tags: { comment: "a" } }, "comment"],
    ["wav", { tags: "a" }, "tags"],
    ["flac", { tags: { title: "x".repeat(10_000_000) } }, "tags.title"],
    ["mp3", { tags: { title: "a\0b" } }, "tags.title"],
    ["ogg", { tags: { artist: "a\nSDA_RECIPE={}" } }, "tags.artist"],
    ["wav", { tags: { album: "\ud800" } }, "tags.album"],
    ["wav", { tags: { preset: 3 } }, "tags.preset"],
  ])("%s with %o", async (format, more, name) => {
    await refused(format, more, name);
  });

  it.each(LOSSY)("%s of no samples or three channels", async (format) => {
    await refused(format, {}, "audio", { audio: [new Float32Array(0)], sampleRate });
    await refused(format, {}, "channels", { audio: madeSound("tone", 9, 3), sampleRate });
  });

  it("FLAC of no samples or nine channels", async () => {
    await refused("flac", {}, "audio", { audio: [new Float32Array(0)], sampleRate });
    await refused("flac", {}, "channels", { audio: madeSound("tone", 9, 9), sampleRate });
  });

  it.each([
    ["mp3", 96000],
    ["mp3", 22050],
    ["ogg", 384_000],
    ["flac", 700_000],
    ["wav", 0],
    ["ogg", Number.NaN],
  ])("%s of %d Hz", async (format, rate) => {
    const own = { ...sound, sampleRate: rate };
    const { message } = await refused(format, {}, "sampleRate", own);
    expect(message).toContain(String(rate));
  });

  it("a format that neither suffix nor option names", async () => {
    const path = join(temporaryFolder(), "a.aiff");
    const error = await sdaError(() => writeSound(path, sound));
    expect(option(error)).toEqual(["ERR_SDA_ARGUMENT", "format"]);
    await writeSound(path, sound, { format: "flac" });
    expect(readFileSync(path).toString("latin1", 0, 4)).toBe("fLaC");
  });

  it.each<[string, WriteSoundOptions, string]>([
    ["a.flac", { overwrite: false }, "ERR_SDA_IO"],
    ["nowhere/a.flac", {}, "ERR_SDA_NOT_FOUND"],
  ])("%s, %o", async (name, options, code) => {
    const path = join(temporaryFolder(), name);
    if (name === "a.flac") writeFileSync(path, "old");
    expect((await sdaError(() => writeSound(path, sound, options))).code).toBe(code);
    if (name === "a.flac") expect(readFileSync(path, "utf8")).toBe("old");
  });

  it("an aborted write leaves no file", async () => {
    const path = join(temporaryFolder(), "a.mp3");
    const signal = AbortSignal.abort(new Error("stop"));
    await expect(writeSound(path, sound, { signal })).rejects.toThrow("stop");
    expect(readdirSync(join(path, ".."))).toEqual([]);
  });

  it.each([
    [{ format: "flac", sampleRate, channels: 1, frames: 101 }, "pieces"],
    [{ format: "ogg", sampleRate, channels: 1, frames: 99 }, "pieces"],
    [{ format: "mp3", sampleRate, channels: 2, frames: 50 }, "pieces"],
  ] as const)("a stream that is not %o", async (options, name) => {
    const pieces = inPieces(sound.audio[0] as Float32Array, 33);
    const error = await sdaError(() => gather(soundFileStream(pieces, options)));
    expect(option(error)).toEqual(["ERR_SDA_ARGUMENT", name]);
  });

  it.each([
    [undefined, "options"],
    [{ format: "flac", sampleRate }, "channels"],
    [{ format: "mp3", sampleRate: 96000, channels: 1 }, "sampleRate"],
    [{ format: "flac", sampleRate, channels: 1, frames: -1 }, "frames"],
  ])("a stream with %o fails at once", async (options, name) => {
    const pieces = inPieces(new Float32Array(9), 3);
    const error = await sdaError(() => soundFileStream(pieces, options as never));
    expect(option(error)).toEqual(["ERR_SDA_ARGUMENT", name]);
  });

  it("a name with control characters gets into the tags as spaces", async () => {
    const model = { ...recipe.model, name: "a\0b\nc" };
    const path = join(temporaryFolder(), "a.flac");
    await writeSound(path, withRecipe(undefined, { model }));
    expect(readFileSync(path).includes("sda_model=a b c")).toBe(true);
    expect(((await readRecipe(path)) as Recipe).model.name).toBe("a\0b\nc");
  });
});
