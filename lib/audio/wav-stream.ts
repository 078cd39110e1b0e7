import { setImmediate as nextTurn } from "node:timers/promises";
import { badArgument } from "../base/check.js";
import type { AudioFormat } from "./generation.js";
import { PieceStream } from "./piece-stream.js";
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

/** What `LoadedModel.audioFormat` gives, and how many bits a sample gets. */
export interface WavFormat extends Omit<AudioFormat, "frames"> {
  /** Samples a channel; omitted: not known */
  frames?: number | undefined;
  /** 16 and 24 are integer PCM, 32 is float. Default 24 */
  bitDepth?: BitDepth | undefined;
}

/**
 * Sound as a WAV file, while it is being made: for `pieces` that `LoadedModel.stream` gives, and `frames` of its `audioFormat`,
 * the bytes are those that `writeWav` writes. Without `frames` the header's sizes are 0xFFFFFFFF, which readers take for
 * "up to the end".
 *
 * Nothing comes before the first piece has come, so that what fails at once fails before any byte. Each piece is asked for when
 * the bytes of the one before it have been taken; a reader that leaves leaves `pieces`, too.
 *
 * @param pieces interleaved samples
 * @throws SdaError ERR_SDA_ARGUMENT with `details.option`: at once for a bad format; while it is read, for pieces with samples that
 *   are not finite, or more or fewer than `frames`. What `pieces` throws.
 */
export function wavStream(
  pieces: AsyncIterable<Float32Array>,
  format: WavFormat,
): AsyncIterableIterator<Uint8Array> {
  if (typeof pieces?.[Symbol.asyncIterator] !== "function") {
    throw badArgument("pieces", "an async iterable of Float32Arrays", pieces);
  }
  const shape = shapeOf(format);
  return bytesOf(pieces, shape, wavSize(shape, "format"));
}

/**
 * How long the WAV file of such sound is, in bytes: `writeWav`'s, and `wavStream`'s.
 *
 * @throws SdaError ERR_SDA_ARGUMENT with `details.option`
 */
export function wavBytes(format: WavFormat & { frames: number }): number {
  const shape = shapeOf(format);
  if (shape.frames === undefined) throw badArgument("frames", "known", undefined);
  const { header, data, pad } = wavSize(shape, "format");
  return header + data + pad;
}

function shapeOf(format: WavFormat): WavShape {
  if (typeof format !== "object" || format === null) {
    throw badArgument("format", "an object", format);
  }
  const { sampleRate, channels, frames, bitDepth: bits = DEFAULT_BIT_DEPTH } = format;
  return checkShape({ sampleRate, channels, frames, bits });
}

async function* bytesOf(pieces: AsyncIterable<Float32Array>, shape: WavShape, size: WavSize) {
  const { channels, frames, bits } = shape;
  const expected = frames === undefined ? "whole frames" : `${frames} frames in all`;
  const most = frames === undefined ? Number.POSITIVE_INFINITY : frames * channels;
  const encoded = pieces instanceof PieceStream ? pieces.encoded(bits) : null;
  let samples = 0;
  let begun = false;
  for await (const piece of encoded ?? pieces) {
    const isSamples = piece instanceof Float32Array;
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
  // Where no size is given, the end of the bytes is the end of the data.
  if (frames !== undefined && size.pad > 0) yield new Uint8Array(size.pad);
}

async function* slicesOf(piece: Float32Array, shape: WavShape, first: number) {
  for (let start = 0; start < piece.length; start += SLICE_SAMPLES) {
    if (start > 0) await nextTurn();
    const slice = piece.subarray(start, start + SLICE_SAMPLES);
    yield encodeSamples(slice, shape, "pieces", first + start);
  }
}
