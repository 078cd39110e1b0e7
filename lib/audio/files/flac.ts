/**
 * An encoder for FLAC (RFC 9639) in TypeScript. The packages with libFLAC do not fit: `libflacjs`
 * is a script with global state that is rarely maintained, and `@mediabunny/flac-encoder` works
 * only within its media framework and in a worker. FLAC is lossless, so a decoder proves each file
 * right.
 */
import type { Bytes } from "../../values/arrays.js";
import { BitWriter } from "./bit-writer.js";
import { crc8, crc16 } from "./crc.js";
import { writeSubframe } from "./flac-subframe.js";

/** Samples per channel of a block. */
const BLOCK = 4096;
const STREAMINFO_BYTES = 34;
const VORBIS_COMMENT = 4;
const IS_LAST = 0x80;
const MOST_BLOCK_BYTES = 2 ** 24 - 1;
/** Codes of rates in a frame's header; others stand in STREAMINFO only. */
const RATE_CODES: Record<number, number> = {
  88200: 1,
  176400: 2,
  192000: 3,
  8000: 4,
  16000: 5,
  22050: 6,
  24000: 7,
  32000: 8,
  44100: 9,
  48000: 10,
  96000: 11,
};
const LEFT_SIDE = 8;
const SIDE_RIGHT = 9;
const MID_SIDE = 10;

export interface FlacShape {
  sampleRate: number;
  channels: number;
  bits: 16 | 24;
  /** Samples per channel; undefined when unknown */
  frames: number | undefined;
}

/**
 * Everything before the sound.
 *
 * @param comment a Vorbis comment without a framing bit
 * @param md5 of the PCM samples; undefined when unknown
 */
export function flacHead(
  { sampleRate, channels, bits, frames = 0 }: FlacShape,
  comment: Uint8Array,
  md5: Uint8Array | undefined,
): Bytes {
  if (comment.length > MOST_BLOCK_BYTES) throw new RangeError("the tags of a FLAC are too long");
  const head = new Uint8Array(4 + 4 + STREAMINFO_BYTES + 4 + comment.length);
  const view = Buffer.from(head.buffer);
  view.write("fLaC", 0, "latin1");
  view.writeUInt32BE(STREAMINFO_BYTES, 4); // of type 0
  view.writeUInt16BE(BLOCK, 8);
  view.writeUInt16BE(BLOCK, 10);
  // The sizes of the frames, 3 bytes each, stay 0: unknown.
  const low = BigInt(frames) | (BigInt(bits - 1) << 36n) | (BigInt(channels - 1) << 41n);
  view.writeBigUInt64BE(low | (BigInt(sampleRate) << 44n), 18);
  if (md5) head.set(md5, 26);
  view.writeUInt32BE(comment.length, 42);
  head[42] = VORBIS_COMMENT | IS_LAST;
  head.set(comment, 46);
  return head;
}

/** Encodes PCM samples to frames of FLAC, block by block. */
export class FlacFrames {
  readonly #shape: FlacShape;
  /** The samples of the block that is not complete yet, by channel. */
  readonly #block: Int32Array[];
  readonly #out = new BitWriter();
  #filled = 0;
  #number = 0;

  constructor(shape: FlacShape) {
    this.#shape = shape;
    this.#block = Array.from({ length: shape.channels }, () => new Int32Array(BLOCK));
  }

  /** @param pcm whole frames of interleaved samples, as WAV has them */
  encode(pcm: Uint8Array): Bytes {
    const { channels, bits } = this.#shape;
    const size = bits / 8;
    const done: Bytes[] = [];
    for (let at = 0; at < pcm.length; this.#filled++) {
      for (let c = 0; c < channels; c++, at += size) {
        const high = pcm[at + size - 1] as number;
        const middle = pcm[at + size - 2] as number;
        const low = size === 3 ? (pcm[at] as number) : 0;
        const word = ((high << 24) | (middle << 16) | (low << 8)) >> (32 - bits);
        (this.#block[c] as Int32Array)[this.#filled] = word;
      }
      if (this.#filled === BLOCK - 1) {
        done.push(this.#frame(BLOCK));
        this.#filled = -1;
      }
    }
    return joined(done);
  }

  /** The last block. */
  end(): Bytes {
    const bytes = this.#filled === 0 ? new Uint8Array(0) : this.#frame(this.#filled);
    this.#filled = 0;
    return bytes;
  }

  #frame(length: number): Bytes {
    const { sampleRate, bits } = this.#shape;
    const { assignment, channels } = decorrelated(this.#block.map((c) => c.subarray(0, length)));
    const out = this.#out;
    out.clear();
    out.write(0xfff8, 16); // sync code; blocks of a fixed length
    out.write(length === BLOCK ? 12 : 7, 4);
    out.write(RATE_CODES[sampleRate] ?? 0, 4);
    out.write(assignment, 4);
    out.write(bits === 16 ? 4 : 6, 3);
    out.write(0, 1);
    writeCoded(out, this.#number++);
    if (length !== BLOCK) out.write(length - 1, 16);
    out.write(crc8(out.bytes()), 8);
    for (const { samples, isSide } of channels) {
      writeSubframe(out, samples, isSide ? bits + 1 : bits);
    }
    out.align();
    out.write(crc16(out.bytes()), 16);
    return new Uint8Array(out.bytes());
  }
}

export function joined(parts: readonly Uint8Array[]): Bytes {
  const all = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

/** Writes a number as UTF-8 writes a code point, extended to 36 bits. */
function writeCoded(out: BitWriter, number: number): void {
  if (number < 0x80) {
    out.write(number, 8);
    return;
  }
  let more = 1;
  while (number >= 2 ** (5 * more + 6)) more++;
  out.write((0xff << (7 - more)) | Math.floor(number / 2 ** (6 * more)), 8);
  for (let i = more - 1; i >= 0; i--) {
    out.write(0x80 | (Math.floor(number / 2 ** (6 * i)) & 0x3f), 8);
  }
}

/** Two channels become the pair that a predictor of the second order misses least. */
function decorrelated(block: Int32Array[]) {
  const [left, right] = block;
  const plain = block.map((samples) => ({ samples, isSide: false }));
  if (block.length !== 2 || !left || !right) {
    return { assignment: block.length - 1, channels: plain };
  }
  const mid = left.map((value, i) => (value + (right[i] as number)) >> 1);
  const side = left.map((value, i) => value - (right[i] as number));
  const [l, r, m, s] = [left, right, mid, side].map(roughness) as [number, number, number, number];
  const sideOnly = { samples: side, isSide: true };
  const [leftOnly, rightOnly] = plain as [(typeof plain)[0], (typeof plain)[0]];
  const ways = [
    { assignment: 1, channels: plain, cost: l + r },
    { assignment: LEFT_SIDE, channels: [leftOnly, sideOnly], cost: l + s },
    { assignment: SIDE_RIGHT, channels: [sideOnly, rightOnly], cost: s + r },
    { assignment: MID_SIDE, channels: [{ samples: mid, isSide: false }, sideOnly], cost: m + s },
  ];
  return ways.reduce((best, way) => (way.cost < best.cost ? way : best));
}

/** The logarithm stands for the bits that a channel takes. */
function roughness(samples: Int32Array): number {
  let sum = 1;
  for (let i = 2; i < samples.length; i++) {
    sum += Math.abs(
      (samples[i] as number) - 2 * (samples[i - 1] as number) + (samples[i - 2] as number),
    );
  }
  return Math.log2(sum);
}
