/** The parts of a WAV file: its header and its encoded samples. */
import { badArgument, checkInteger, checkOneOf } from "../base/check.js";
import { SdaError } from "../base/errors.js";
import type { Bytes } from "../values/arrays.js";

export const BIT_DEPTHS = [16, 24, 32] as const;
/** Bits per sample: 16 and 24 are integer PCM, 32 is float. */
export type BitDepth = (typeof BIT_DEPTHS)[number];
export const DEFAULT_BIT_DEPTH: BitDepth = 24;

/** Largest values of the header's 16-bit and 32-bit fields. */
const MAX_UINT16 = 0xffff;
const MAX_UINT32 = 0xffff_ffff;
/** Stands in the header for a size that the writer did not know. */
const UNKNOWN_SIZE = MAX_UINT32;
const FORMAT_PCM = 1;
const FORMAT_IEEE_FLOAT = 3;
/** Samples encoded between two turns of the event loop: about a millisecond of work. */
export const SLICE_SAMPLES = 64 * 1024;

export interface WavShape {
  /** Hz */
  sampleRate: number;
  channels: number;
  /** Samples per channel; undefined when unknown */
  frames: number | undefined;
  bits: BitDepth;
}

/** Sizes in bytes. */
export interface WavSize {
  /** Everything before the samples */
  header: number;
  /** The samples */
  data: number;
  /** 1 after samples of an odd length, otherwise 0 */
  pad: number;
  /** Chunks after the samples; default 0 */
  after?: number;
}

/**
 * Checks each field by itself. `wavSize` checks whether a WAV file can be that large.
 *
 * @throws SdaError ERR_SDA_ARGUMENT naming the field
 */
export function checkShape({ sampleRate, channels, frames, bits }: WavShape): WavShape {
  const count = (name: string, value: number, min: number) =>
    checkInteger(name, value, min, Number.MAX_SAFE_INTEGER);
  return {
    sampleRate: checkInteger("sampleRate", sampleRate, 1, MAX_UINT32),
    channels: count("channels", channels, 1),
    frames: frames === undefined ? undefined : count("frames", frames, 0),
    bits: checkOneOf("bitDepth", bits, BIT_DEPTHS),
  };
}

/**
 * The sizes of the file's parts. Unknown frames count as none.
 *
 * @param after bytes of chunks after the samples
 * @throws SdaError ERR_SDA_ARGUMENT naming `option` when a value does not fit its header field
 */
export function wavSize(shape: WavShape, option: string, after = 0): WavSize {
  const { sampleRate, channels, frames = 0, bits } = shape;
  const frameBytes = channels * (bits / 8);
  const header = bits === 32 ? 58 : 44;
  const data = frames * frameBytes;
  const pad = data % 2;
  const riff = riffSize({ header, data, pad, after });
  if (riff > MAX_UINT32 || sampleRate * frameBytes > MAX_UINT32 || frameBytes > MAX_UINT16) {
    const size = `${channels} channels, ${frames} samples each, at ${sampleRate} Hz`;
    throw new SdaError("ERR_SDA_ARGUMENT", `too much for a WAV file (4 GiB): ${size}`, {
      option,
      bytes: riff,
    });
  }
  return { header, data, pad, after };
}

function riffSize({ header, data, pad, after = 0 }: WavSize): number {
  return header - 8 + data + pad + after;
}

/**
 * Everything before the samples: RIFF, fmt, for float also fact, and the head of the data chunk.
 */
export function wavHeader(shape: WavShape, size: WavSize): Bytes {
  const { sampleRate, channels, frames, bits } = shape;
  const known = frames !== undefined;
  const frameBytes = channels * (bits / 8);
  const isFloat = bits === 32;
  const bytes = new Uint8Array(size.header);
  const header = Buffer.from(bytes.buffer);
  let at = header.write("RIFF", 0, "latin1");
  at = header.writeUInt32LE(known ? riffSize(size) : UNKNOWN_SIZE, at);
  at += header.write("WAVEfmt ", at, "latin1");
  at = header.writeUInt32LE(isFloat ? 18 : 16, at);
  at = header.writeUInt16LE(isFloat ? FORMAT_IEEE_FLOAT : FORMAT_PCM, at);
  at = header.writeUInt16LE(channels, at);
  at = header.writeUInt32LE(sampleRate, at);
  at = header.writeUInt32LE(sampleRate * frameBytes, at);
  at = header.writeUInt16LE(frameBytes, at);
  at = header.writeUInt16LE(bits, at);
  if (isFloat) {
    at = header.writeUInt16LE(0, at); // size of the fmt extension
    at += header.write("fact", at, "latin1");
    at = header.writeUInt32LE(4, at);
    at = header.writeUInt32LE(frames ?? UNKNOWN_SIZE, at);
  }
  at += header.write("data", at, "latin1");
  header.writeUInt32LE(known ? size.data : UNKNOWN_SIZE, at);
  return bytes;
}

/**
 * Encodes interleaved samples for the file, little-endian.
 *
 * @param first how many samples, of all channels, precede these: for the error message
 * @throws SdaError ERR_SDA_ARGUMENT naming `option` when a sample is not finite
 */
export function encodeSamples(
  samples: Float32Array,
  { bits, channels }: WavShape,
  option: string,
  first: number,
): Bytes {
  checkFinite(samples, channels, option, first);
  return ENCODERS[bits](samples);
}

/** @throws SdaError as `encodeSamples` */
export function checkFinite(
  samples: Float32Array,
  channels: number,
  option: string,
  first: number,
): void {
  if (allFinite(samples)) return;
  const i = samples.findIndex((value) => !Number.isFinite(value));
  const sample = Math.floor((first + i) / channels);
  throw badArgument(option, `finite at sample ${sample}`, samples[i]);
}

/** x - x is 0 for a finite x and NaN otherwise. */
function allFinite(samples: Float32Array): boolean {
  let sum = 0;
  for (let i = 0; i < samples.length; i++) sum += (samples[i] as number) - (samples[i] as number);
  return sum === 0;
}

const TOP_24 = 2 ** 24 - 1;

/**
 * One loop per bit depth. The loops write whole machine words, which are little-endian on every
 * platform that this package supports. A level is counted from the lowest one, so that `| 0`
 * rounds; flipping the top bit then makes it a signed number.
 */
const ENCODERS: Record<BitDepth, (samples: Float32Array) => Bytes> = {
  16(samples) {
    const words = new Uint16Array(samples.length);
    for (let i = 0; i < samples.length; i++) {
      const level = (samples[i] as number) * 0x8000 + 0x8000 + 0.5;
      words[i] = (level >= 0xffff ? 0xffff : level <= 0 ? 0 : level | 0) ^ 0x8000;
    }
    return new Uint8Array(words.buffer);
  },
  24(samples) {
    const bytes = new Uint8Array(samples.length * 3);
    const fours = samples.length >> 2;
    const words = new Uint32Array(bytes.buffer, 0, fours * 3);
    for (let i = 0, at = 0; i < fours * 4; i += 4, at += 3) {
      const a = level24(samples[i] as number);
      const b = level24(samples[i + 1] as number);
      const c = level24(samples[i + 2] as number);
      const d = level24(samples[i + 3] as number);
      words[at] = (a | (b << 24)) ^ 0x800000;
      words[at + 1] = ((b >> 8) | (c << 16)) ^ 0x8000;
      words[at + 2] = ((c >> 16) | (d << 8)) ^ 0x80000080;
    }
    for (let i = fours * 4; i < samples.length; i++) {
      const level = level24(samples[i] as number) ^ 0x800000;
      bytes.set([level, level >> 8, level >> 16], i * 3);
    }
    return bytes;
  },
  32(samples) {
    return new Uint8Array(new Float32Array(samples).buffer);
  },
};

/**
 * The nearest level; the upper one of two equally near levels. The arithmetic is exact for every
 * value half-way between two levels.
 */
function level24(sample: number): number {
  const level = sample * 0x800000 + 0x800000 + 0.5;
  return level >= TOP_24 ? TOP_24 : level <= 0 ? 0 : level | 0;
}
