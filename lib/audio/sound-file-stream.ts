import { createHash } from "node:crypto";
import { setImmediate as nextTurn } from "node:timers/promises";
import { badArgument, checkInteger, checkOptions, optionNames } from "../base/check.js";
import { isFloat32Array } from "../base/realm.js";
import type { Bytes } from "../values/arrays.js";
import { makeEncoder } from "./files/encoder.js";
import type { FileShape } from "./files/sound-encoder.js";
import type { AudioFormat } from "./generation.js";
import { PartStream, type SoundFileStream } from "./part-stream.js";
import {
  checkFileShape,
  type EncodeSoundOptions,
  type FileSettings,
  settingsOf,
  taggingOf,
} from "./sound-file.js";
import type { SoundStream } from "./sound-stream.js";
import { SLICE_SAMPLES } from "./wav-format.js";

/** Options of `soundFileStream` for pieces that have no `format` of their own. */
export interface SoundFileStreamOptions extends EncodeSoundOptions {
  /** Hz */
  sampleRate: number;
  channels: number;
  /** Samples per channel; omit it when it is unknown */
  frames?: number | undefined;
}

const OPTIONS = optionNames<SoundFileStreamOptions>({
  format: true,
  bitDepth: true,
  kbps: true,
  quality: true,
  tags: true,
  recipe: true,
  sampleRate: true,
  channels: true,
  frames: true,
});

/**
 * Encodes sound as a file while the sound is being made, in any format of `encodeSound`. Memory
 * stays small: the next piece is asked for when the bytes of the last one have been read. A reader
 * that leaves, also before the first part, leaves `pieces`.
 *
 * The sound is that of `encodeSound`. Two facts are unknown at the beginning, where FLAC, MP3 and
 * Vorbis have their tags: the digest of the samples in the recipe, and the MD5 of a FLAC. A WAV
 * file of unknown length has no tags. `byteLength` is undefined: use `wavStream` where a client
 * needs `Content-Length`.
 *
 * @param sound what `LoadedModel.stream` or `ModelCache.stream` returned, or any pieces with their
 *   sample rate and channels in `options`
 * @throws SdaError ERR_SDA_ARGUMENT with `details.option`: at once for bad options; while reading,
 *   for samples that are not finite, or more or fewer than `frames`. Also whatever `pieces` throws.
 * @example
 * ```js
 * import { createWriteStream } from "node:fs";
 * import { pipeline } from "node:stream/promises";
 *
 * const model = await loadModel("data/models/pads.sda");
 * const mp3 = soundFileStream(model.stream({ durationS: 4, seed: 42 }), { format: "mp3" });
 * await pipeline(mp3, createWriteStream("pads.mp3"));
 * model.dispose();
 * ```
 */
export function soundFileStream(sound: SoundStream, options: EncodeSoundOptions): SoundFileStream;
/** @param pieces interleaved samples */
export function soundFileStream(
  pieces: AsyncIterable<Float32Array>,
  options: SoundFileStreamOptions,
): SoundFileStream;
export function soundFileStream(
  pieces: AsyncIterable<Float32Array> & { format?: AudioFormat },
  options: EncodeSoundOptions | SoundFileStreamOptions,
): SoundFileStream {
  if (typeof pieces?.[Symbol.asyncIterator] !== "function") {
    throw badArgument("pieces", "an async iterable of Float32Arrays", pieces);
  }
  if (options === undefined) throw badArgument("options", "an object with a format", options);
  checkOptions("options", options, OPTIONS);
  const settings = settingsOf(options.format, options);
  const { sampleRate, channels, frames } = { ...pieces.format, ...options } as FileShape;
  if (frames !== undefined) checkInteger("frames", frames, 0, Number.MAX_SAFE_INTEGER);
  const shape = { sampleRate, channels, frames };
  checkFileShape(settings.encoder, shape);
  return new PartStream(pieces, partsOf(pieces, settings, shape), undefined);
}

async function* partsOf(
  pieces: AsyncIterable<Float32Array>,
  settings: FileSettings,
  shape: FileShape,
): AsyncGenerator<Bytes, void, undefined> {
  const { channels, frames } = shape;
  const expected = frames === undefined ? "whole frames" : `${frames} frames in all`;
  const most = frames === undefined ? Number.POSITIVE_INFINITY : frames * channels;
  const { tagging } = await taggingOf(pieces, settings);
  const encoder = await makeEncoder(settings.encoder, shape, tagging, "pieces");
  const sha = createHash("sha256");
  let samples = 0;
  for await (const piece of pieces) {
    if (!isFloat32Array(piece)) throw badArgument("pieces", "Float32Arrays", piece);
    const until = samples + piece.length;
    if (until > most || until % channels !== 0) {
      throw badArgument("pieces", expected, until / channels);
    }
    // The first part comes after the first piece: an error before it comes before any byte.
    if (samples === 0 && piece.length > 0) yield encoder.begin(null);
    const length = Math.max(1, Math.floor(SLICE_SAMPLES / channels)) * channels;
    for (let start = 0; start < piece.length; start += length) {
      const slice = piece.subarray(start, start + length);
      sha.update(slice);
      yield encoder.encode(slice, samples + start);
      await nextTurn();
    }
    samples = until;
  }
  if (frames !== undefined && samples !== most) {
    throw badArgument("pieces", expected, samples / channels);
  }
  if (samples === 0) {
    checkFileShape(settings.encoder, { ...shape, frames: 0 });
    yield encoder.begin(null);
  }
  yield encoder.end({ samples: sha.digest("hex") });
}
