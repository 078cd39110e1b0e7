import { createHash } from "node:crypto";
import { extname } from "node:path";
import { setImmediate as nextTurn } from "node:timers/promises";
import {
  checkBoolean,
  checkInteger,
  checkOptions,
  optionNames,
  toFilePath,
} from "../base/check.js";
import { SdaError } from "../base/errors.js";
import { writeOutput } from "../base/output-file.js";
import type { Bytes } from "../values/arrays.js";
import { makeEncoder } from "./files/encoder.js";
import { joined } from "./files/flac.js";
import {
  checkEncoder,
  checkSound,
  type EncoderOptions,
  type EncoderSettings,
  SOUND_FORMATS,
  type SoundFormat,
} from "./files/settings.js";
import type { Digests, FileShape, TaggingOf } from "./files/sound-encoder.js";
import { checkTags, type SoundTags, tagText } from "./files/tags.js";
import type { Sound } from "./generation.js";
import { recipeOf, type SoundRecipe, writeRecipe } from "./recipe.js";
import { checkAudio, interleaved } from "./wav.js";
import { encodeSamples, SLICE_SAMPLES } from "./wav-format.js";

/** Options of all writers of sound files. */
export interface SoundFileOptions extends EncoderOptions {
  tags?: SoundTags;
  /** false: the file gets no recipe, and no tags but those of `tags`; default true */
  recipe?: boolean;
}

/** Options of `encodeSound`. */
export interface EncodeSoundOptions extends SoundFileOptions {
  /** "ogg" is Ogg Vorbis */
  format: SoundFormat;
}

/** Options of `writeSound`. */
export interface WriteSoundOptions extends SoundFileOptions {
  /** Default: as the path's suffix says, `.wav`, `.flac`, `.mp3` or `.ogg` */
  format?: SoundFormat;
  /** Aborting rejects with the signal's reason and leaves no file */
  signal?: AbortSignal;
  /** false: an existing file is refused with ERR_SDA_IO (`details.errno` "EEXIST"); default true */
  overwrite?: boolean;
}

const FILE_OPTIONS = {
  bitDepth: true,
  kbps: true,
  quality: true,
  tags: true,
  recipe: true,
  format: true,
} as const;
const ENCODE_OPTIONS = optionNames<EncodeSoundOptions>(FILE_OPTIONS);
const WRITE_OPTIONS = optionNames<WriteSoundOptions>({
  ...FILE_OPTIONS,
  signal: true,
  overwrite: true,
});
const DEFAULT_ARTIST = "Small DataSet Audio";

/**
 * Encodes sound as a file in memory: WAV, FLAC (lossless), MP3 or Ogg Vorbis. The same sound and
 * options give the same bytes.
 *
 * WAV and FLAC have the samples that `toWav` writes. The encoders of MP3 and Vorbis clip samples
 * at full scale. An MP3 begins with about 25 ms of silence, as the encoder makes it.
 *
 * The result of `LoadedModel.generate` brings its recipe along, which the file carries in a tag:
 * the model, every option, the seed, and a digest of the samples. `readRecipe` reads it, and
 * `sda reproduce` makes the sound again. A copy of the result, such as `{ ...result }`, has no
 * recipe. The artist, album and title tags then have no defaults.
 *
 * @throws SdaError ERR_SDA_ARGUMENT with `details.option`: also for samples that are not finite,
 *   for a sample rate or a number of channels that the format does not have (MP3: 32000, 44100 and
 *   48000 Hz; MP3 and Vorbis: at most two channels), for sound without samples (but in WAV), and
 *   for tags of more than 1000 characters or with control characters
 * @example
 * ```js
 * const model = await loadModel("data/models/pads.sda");
 * const sound = await model.generate({ durationS: 2, seed: 42 });
 * const flac = await encodeSound(sound, { format: "flac", tags: { title: "Morning" } });
 * console.log(Buffer.from(flac.subarray(0, 4)).toString()); // fLaC
 * model.dispose();
 * ```
 */
export async function encodeSound(sound: Sound, options: EncodeSoundOptions): Promise<Bytes> {
  checkOptions("options", options, ENCODE_OPTIONS);
  const parts: Bytes[] = [];
  for await (const part of fileParts(sound, settingsOf(options?.format, options ?? {}))) {
    parts.push(part);
  }
  return joined(parts);
}

/**
 * Writes sound as a file, encoded as `encodeSound` does it, recipe included. The file appears under
 * its name only when it is complete, as with `writeWav`.
 *
 * @throws SdaError as `encodeSound`; ERR_SDA_ARGUMENT for a suffix that names no format;
 *   ERR_SDA_NOT_FOUND (no such folder), ERR_SDA_IO
 * @example
 * ```js
 * const model = await loadModel("data/models/pads.sda");
 * const sound = await model.generate({ durationS: 2, seed: 42 });
 * await writeSound("pads.flac", sound);
 * await writeSound("pads.mp3", sound, { kbps: 256, tags: { album: "Pads" } });
 * model.dispose();
 * ```
 */
export async function writeSound(
  path: string | URL,
  sound: Sound,
  options: WriteSoundOptions = {},
): Promise<void> {
  const file = toFilePath(path);
  checkOptions("options", options, WRITE_OPTIONS);
  const { signal, overwrite = true, format = formatOf(file) } = options;
  checkBoolean("overwrite", overwrite);
  const parts = fileParts(sound, settingsOf(format, options));
  await writeOutput(
    file,
    async (append) => {
      for await (const part of parts) {
        signal?.throwIfAborted();
        await append(part);
      }
      signal?.throwIfAborted();
    },
    { signal, overwrite },
  );
}

/** @throws SdaError ERR_SDA_ARGUMENT: the suffix names no format */
function formatOf(path: string): SoundFormat {
  const suffix = extname(path).slice(1).toLowerCase();
  const found = SOUND_FORMATS.find((format) => format === suffix);
  if (found) return found;
  const suffixes = SOUND_FORMATS.map((format) => `.${format}`).join(", ");
  const problem = `${path} has none of the suffixes ${suffixes}: name the format`;
  throw new SdaError("ERR_SDA_ARGUMENT", problem, { option: "format", path });
}

/** The checked options of a file. */
export interface FileSettings {
  encoder: EncoderSettings;
  tags: SoundTags;
  hasRecipe: boolean;
}

/** @throws SdaError ERR_SDA_ARGUMENT with `details.option` */
export function settingsOf(format: unknown, options: SoundFileOptions): FileSettings {
  const { recipe: hasRecipe = true } = options;
  checkBoolean("recipe", hasRecipe);
  return { encoder: checkEncoder(format, options), tags: checkTags(options.tags), hasRecipe };
}

/** @throws SdaError ERR_SDA_ARGUMENT: no format holds such sound, or this one does not */
export function checkFileShape(encoder: EncoderSettings, shape: FileShape): void {
  checkInteger("sampleRate", shape.sampleRate, 1, 0xffff_ffff);
  checkInteger("channels", shape.channels, 1, Number.MAX_SAFE_INTEGER);
  checkSound(encoder, shape);
}

/** How the tags of a file come about from its recipe, if it is to have one and it is known. */
export async function taggingOf(
  sound: object,
  { encoder, tags, hasRecipe }: FileSettings,
): Promise<{ tagging: TaggingOf; recipe: SoundRecipe | undefined }> {
  const recipe = hasRecipe ? await recipeOf(sound)?.() : undefined;
  if (!recipe) return { tagging: () => tags, recipe };
  const model = tagText(recipe.model.name);
  const seed = String(recipe.options.seed);
  const title = tagText(`${recipe.model.name} ${seed}`);
  const known = { title, artist: DEFAULT_ARTIST, album: model, ...tags, model, seed };
  const { format: file, ...settings } = encoder;
  return {
    recipe,
    tagging: (samples) => ({
      ...known,
      recipe: writeRecipe({ ...recipe, file: { format: file, ...settings }, samples }),
    }),
  };
}

async function* fileParts(
  sound: Sound,
  settings: FileSettings,
): AsyncGenerator<Bytes, void, undefined> {
  const audio = checkAudio(sound?.audio);
  const { encoder: kind } = settings;
  const shape = {
    sampleRate: sound.sampleRate,
    channels: audio.length,
    frames: audio[0].length,
  };
  checkFileShape(kind, shape);
  const { tagging, recipe } = await taggingOf(sound, settings);
  const encoder = await makeEncoder(kind, shape, tagging, "audio");
  const digests = recipe || kind.format === "flac" ? await digestsOf(audio, kind) : null;
  yield encoder.begin(digests);
  for (const { samples, first } of slicesOf(audio)) {
    yield encoder.encode(samples, first);
    await nextTurn();
  }
  yield encoder.end(digests);
}

interface Slice {
  samples: Float32Array;
  /** Samples of all channels before it */
  first: number;
}

/** The interleaved samples in slices of about a millisecond of work. */
function* slicesOf(audio: readonly Float32Array[]): Generator<Slice, void, undefined> {
  const channels = audio.length;
  const frames = audio[0]?.length ?? 0;
  const length = Math.max(1, Math.floor(SLICE_SAMPLES / channels));
  for (let start = 0; start < frames; start += length) {
    const samples = interleaved(audio, start, Math.min(frames, start + length));
    yield { samples, first: start * channels };
  }
}

/** A FLAC has the digest of its PCM samples at its beginning, a recipe that of the samples. */
async function digestsOf(
  audio: readonly Float32Array[],
  settings: EncoderSettings,
): Promise<Digests> {
  const sha = createHash("sha256");
  const md5 = settings.format === "flac" ? createHash("md5") : undefined;
  const channels = audio.length;
  for (const { samples, first } of slicesOf(audio)) {
    sha.update(samples);
    if (md5 && settings.format === "flac") {
      const shape = { sampleRate: 1, channels, frames: undefined, bits: settings.bitDepth };
      md5.update(encodeSamples(samples, shape, "audio", first));
    }
    await nextTurn();
  }
  return { samples: sha.digest("hex"), ...(md5 && { md5: md5.digest() }) };
}

/** SHA-256 in hex of the samples, as a recipe has it. */
export async function samplesDigest(audio: readonly Float32Array[]): Promise<string> {
  return (await digestsOf(audio, { format: "wav", bitDepth: 32 })).samples;
}
