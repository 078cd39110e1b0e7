import { setImmediate as nextTurn } from "node:timers/promises";
import { badArgument, checkOptions, optionNames } from "../base/check.js";
import { isFloat32Array } from "../base/realm.js";
import type { Bytes } from "../values/arrays.js";
import type { AudioFormat } from "./generation.js";
import { PartStream, type SoundFileStream } from "./part-stream.js";
import { PieceStream, type SoundStream } from "./sound-stream.js";
import type { ToWavOptions } from "./wav.js";
import {
  type BitDepth,
  checkShape,
  DEFAULT_BIT_DEPTH,
  encodeSamples,
  SLICE_SAMPLES,
  type WavShape,
  type WavSize,
  wavHeader,
  wavSize,
} from "./wav-format.js";

/** The format of a WAV file: what `LoadedModel.audioFormat` returns, and the bits per sample. */
export interface WavFormat extends Omit<AudioFormat, "frames"> {
  /** Samples per channel; omit it when it is unknown */
  frames?: number | undefined;
  /** 16 and 24 are integer PCM, 32 is float. Default 24 */
  bitDepth?: BitDepth | undefined;
}

const OPTIONS = optionNames<WavFormat>({
  sampleRate: true,
  channels: true,
  frames: true,
  bitDepth: true,
});

/** A WAV file in parts, made while it is read. Its `byteLength` needs the format's `frames`. */
export type WavStream = SoundFileStream;

/**
 * Encodes sound as a WAV file while the sound is being made.
 *
 * The bytes are those that `writeWav` writes for the same samples. When `frames` is unknown, the
 * header's sizes are 0xFFFFFFFF, which readers take for "up to the end".
 *
 * The first part comes after the first piece, so an error before the first piece comes before any
 * byte. The next piece is asked for when the bytes of the last one have been read. A reader that
 * leaves, also before the first part, leaves `pieces`.
 *
 * @param sound what `LoadedModel.stream` or `ModelCache.stream` returned, or any pieces with their
 *   `format`
 * @throws SdaError ERR_SDA_ARGUMENT with `details.option`: at once for a bad format; while reading,
 *   for samples that are not finite, or more or fewer than `frames`. Also whatever `pieces` throws.
 * @example
 * ```js
 * import { createWriteStream } from "node:fs";
 * import { pipeline } from "node:stream/promises";
 *
 * const model = await loadModel("data/models/pads.sda");
 * const wav = wavStream(model.stream({ durationS: 4, seed: 42 }));
 * await pipeline(wav, createWriteStream("pads.wav"));
 * model.dispose();
 * ```
 */
export function wavStream(sound: SoundStream, options?: ToWavOptions): WavStream;
/** @param pieces interleaved samples */
export function wavStream(pieces: AsyncIterable<Float32Array>, format: WavFormat): WavStream;
export function wavStream(
  pieces: AsyncIterable<Float32Array> & { format?: AudioFormat },
  format?: WavFormat | ToWavOptions,
): WavStream {
  if (typeof pieces?.[Symbol.asyncIterator] !== "function") {
    throw badArgument("pieces", "an async iterable of Float32Arrays", pieces);
  }
  const own = pieces.format;
  const merges = isObject(own) && (format === undefined || isObject(format));
  if (merges) checkOptions("options", format, OPTIONS);
  const shape = shapeOf(merges ? { ...own, ...format } : format);
  const size = wavSize(shape, "format");
  const length = shape.frames === undefined ? undefined : byteLength(size);
  return new PartStream(pieces, partsOf(pieces, shape, size), length);
}

/**
 * The length in bytes of the WAV file that `writeWav`, `toWav` and `wavStream` make of sound of
 * this format.
 *
 * @throws SdaError ERR_SDA_ARGUMENT with `details.option`
 * @example
 * ```js
 * const format = { sampleRate: 48_000, channels: 2, frames: 48_000 };
 * console.log(wavByteLength(format)); // 288044
 * ```
 */
export function wavByteLength(format: WavFormat & { frames: number }): number {
  const shape = shapeOf(format);
  if (shape.frames === undefined) throw badArgument("frames", "known", undefined);
  return byteLength(wavSize(shape, "format"));
}

/**
 * The old name of `wavByteLength`. It returns a length, not bytes: `toWav` returns the bytes.
 *
 * @deprecated Call `wavByteLength` for the length, `toWav` for the bytes.
 * @throws SdaError ERR_SDA_ARGUMENT with `details.option`
 * @example
 * ```js
 * const format = { sampleRate: 48_000, channels: 2, frames: 48_000, bitDepth: 16 };
 * console.log(wavBytes(format) === wavByteLength(format)); // true
 * ```
 */
export function wavBytes(format: WavFormat & { frames: number }): number {
  return wavByteLength(format);
}

function isObject(value: unknown): boolean {
  return typeof value === "object" && value !== null;
}

function shapeOf(format: unknown): WavShape {
  if (!isObject(format)) throw badArgument("format", "an object", format);
  const { sampleRate, channels, frames, bitDepth: bits = DEFAULT_BIT_DEPTH } = format as WavFormat;
  return checkShape({ sampleRate, channels, frames, bits });
}

function byteLength({ header, data, pad }: WavSize): number {
  return header + data + pad;
}

async function* partsOf(
  pieces: AsyncIterable<Float32Array>,
  shape: WavShape,
  size: WavSize,
): AsyncGenerator<Bytes, void, undefined> {
  const { channels, frames, bits } = shape;
  const expected = frames === undefined ? "whole frames" : `${frames} frames in all`;
  const most = frames === undefined ? Number.POSITIVE_INFINITY : frames * channels;
  const encoded = pieces instanceof PieceStream ? pieces.encoded(bits) : null;
  let samples = 0;
  let begun = false;
  for await (const piece of encoded ?? pieces) {
    const isSamples = isFloat32Array(piece);
    if (!isSamples && encoded === null) throw badArgument("pieces", "Float32Arrays", piece);
    const until = samples + (isSamples ? piece.length : piece.length / (bits / 8));
    if (until > most) throw badArgument("pieces", expected, until / channels);
    if (!begun) yield wavHeader(shape, size);
    begun = true;
    if (isSamples) yield* slicesOf(piece, shape, samples);
    else yield piece;
    samples = until;
  }
  const complete = frames === undefined ? samples % channels === 0 : samples === most;
  if (!complete) throw badArgument("pieces", expected, samples / channels);
  if (!begun) yield wavHeader(shape, size);
  // A file that states no size ends with its samples: a pad byte would be read as one.
  if (frames !== undefined && size.pad > 0) yield new Uint8Array(size.pad);
}

async function* slicesOf(
  piece: Float32Array,
  shape: WavShape,
  first: number,
): AsyncGenerator<Bytes, void, undefined> {
  for (let start = 0; start < piece.length; start += SLICE_SAMPLES) {
    if (start > 0) await nextTurn();
    const slice = piece.subarray(start, start + SLICE_SAMPLES);
    yield encodeSamples(slice, shape, "pieces", first + start);
  }
}
