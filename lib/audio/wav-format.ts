/** What is in a WAV file: its header and its samples. */
import { badArgument, checkInteger, checkOneOf } from "../base/check.js";
import { SdaError } from "../base/errors.js";

export const BIT_DEPTHS = [16, 24, 32] as const;
/** Bits a sample: 16 and 24 are integer PCM, 32 is float. */
export type BitDepth = (typeof BIT_DEPTHS)[number];
export const DEFAULT_BIT_DEPTH: BitDepth = 24;

/** The header's fields have 16 and 32 bits. */
const MAX_UINT16 = 0xffff;
const MAX_UINT32 = 0xffff_ffff;
/** What stands for a size that the writer did not know. */
const UNKNOWN_SIZE = MAX_UINT32;
const FORMAT_PCM = 1;
const FORMAT_IEEE_FLOAT = 3;
/** Encoded between two turns of the event loop: about a millisecond of work. */
export const SLICE_SAMPLES = 64 * 1024;

export interface WavShape {
  /** Hz */
  sampleRate: number;
  channels: number;
  /** Samples a channel; undefined: not known */
  frames: number | undefined;
  bits: BitDepth;
}

/** In bytes: everything in front of the samples, the samples, and what makes their length even. */
export interface WavSize {
  header: number;
  data: number;
  pad: number;
}

/** @throws SdaError ERR_SDA_ARGUMENT naming the field; whether a file can be that large is `wavSize`'s to say */
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
 * Of the file, as far as it is known.
 *
 * @throws SdaError ERR_SDA_ARGUMENT naming `option` when the header's fields can't hold it
 */
export function wavSize(shape: WavShape, option: string): WavSize {
  const { sampleRate, channels, frames = 0, bits } = shape;
  const frameBytes = channels * (bits / 8);
  const header = bits === 32 ? 58 : 44;
  const data = frames * frameBytes;
  const pad = data % 2;
  const riff = header - 8 + data + pad;
  if (riff > MAX_UINT32 || sampleRate * frameBytes > MAX_UINT32 || frameBytes > MAX_UINT16) {
    const size = `${channels} channels, ${frames} samples each, at ${sampleRate} Hz`;
    throw new SdaError("ERR_SDA_ARGUMENT", `too much for a WAV file (4 GiB): ${size}`, {
      option,
      bytes: riff,
    });
  }
  return { header, data, pad };
}

/** Everything in front of the samples: RIFF, fmt, for float also fact, and the head of data. */
export function wavHeader(shape: WavShape, size: WavSize): Uint8Array {
  const { sampleRate, channels, frames, bits } = shape;
  const known = frames !== undefined;
  const frameBytes = channels * (bits / 8);
  const isFloat = bits === 32;
  const header = Buffer.alloc(size.header);
  let at = header.write("RIFF", 0, "latin1");
  at = header.writeUInt32LE(known ? size.header - 8 + size.data + size.pad : UNKNOWN_SIZE, at);
  at += header.write("WAVEfmt ", at, "latin1");
  at = header.writeUInt32LE(isFloat ? 18 : 16, at);
  at = header.writeUInt16LE(isFloat ? FORMAT_IEEE_FLOAT : FORMAT_PCM, at);
  at = header.writeUInt16LE(channels, at);
  at = header.writeUInt32LE(sampleRate, at);
  at = header.writeUInt32LE(sampleRate * frameBytes, at);
  at = header.writeUInt16LE(frameBytes, at);
  at = header.writeUInt16LE(bits, at);
  if (isFloat) {
    at = header.writeUInt16LE(0, at); // no extension of fmt
    at += header.write("fact", at, "latin1");
    at = header.writeUInt32LE(4, at);
    at = header.writeUInt32LE(frames ?? UNKNOWN_SIZE, at);
  }
  at += header.write("data", at, "latin1");
  header.writeUInt32LE(known ? size.data : UNKNOWN_SIZE, at);
  return header;
}

/**
 * Interleaved samples as the file has them, little-endian; `first` of all channels' were before them.
 *
 * @throws SdaError ERR_SDA_ARGUMENT naming `option` when one is not finite
 */
export function encodeSamples(
  samples: Float32Array,
  { bits, channels }: WavShape,
  option: string,
  first: number,
): Uint8Array {
  if (!allFinite(samples)) {
    const i = samples.findIndex((value) => !Number.isFinite(value));
    const sample = Math.floor((first + i) / channels);
    throw badArgument(option, `finite at sample ${sample}`, samples[i]);
  }
  return ENCODERS[bits](samples);
}

/** The difference is 0 for what is finite, and NaN for the rest. */
function allFinite(samples: Float32Array): boolean {
  let sum = 0;
  for (let i = 0; i < samples.length; i++) sum += (samples[i] as number) - (samples[i] as number);
  return sum === 0;
}

const TOP_24 = 2 ** 24 - 1;

/**
 * A loop for each, in words as the machine has them: little-endian, as everywhere that this package runs. Levels are counted from
 * the lowest, so that cutting off the fraction rounds, and get their sign, the uppermost bit, in the end.
 */
const ENCODERS: Record<BitDepth, (samples: Float32Array) => Uint8Array> = {
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
    return new Uint8Array(samples.slice().buffer);
  },
};

/** The nearest level, of two the upper. A float times a power of two is exact, and so are the sums with what lies half-way. */
function level24(sample: number): number {
  const level = sample * 0x800000 + 0x800000 + 0.5;
  return level >= TOP_24 ? TOP_24 : level <= 0 ? 0 : level | 0;
}
