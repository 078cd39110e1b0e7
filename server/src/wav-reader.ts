/**
 * Reads untrusted WAV files. Channels are mixed while samples are read, so the result takes no more
 * memory than a mono sound.
 */
import { setImmediate as nextTurn } from "node:timers/promises";
import { Problem } from "./problem.js";

export interface WavLimits {
  maxSeconds: number;
  maxChannels: number;
  minSampleRate: number;
  maxSampleRate: number;
}

export const WAV_LIMITS: WavLimits = {
  maxSeconds: 60,
  maxChannels: 32,
  minSampleRate: 8000,
  maxSampleRate: 192_000,
};

export interface MonoSound {
  samples: Float32Array;
  /** Hz */
  sampleRate: number;
}

/** No real file has more chunks; a hostile one may, to keep the reader busy. */
const MAX_CHUNKS = 1000;
const PCM = 1;
const IEEE_FLOAT = 3;
const EXTENSIBLE = 0xfffe;
/** The 32-bit size of a chunk whose size is elsewhere, or unknown. */
const UNKNOWN_SIZE = 0xffff_ffff;
/** Samples that are read before the event loop gets a turn. */
const READ_AT_ONCE = 2 ** 16;

type ReadSample = (bytes: Buffer, at: number) => number;

/** Sample readers by format and bits. Integers are divided by 2^(bits-1); 8 bits are unsigned. */
const READERS: Record<number, Record<number, ReadSample>> = {
  [PCM]: {
    8: (bytes, at) => ((bytes[at] as number) - 0x80) / 0x80,
    16: (bytes, at) => bytes.readInt16LE(at) / 2 ** 15,
    24: (bytes, at) => bytes.readIntLE(at, 3) / 2 ** 23,
    32: (bytes, at) => bytes.readInt32LE(at) / 2 ** 31,
  },
  [IEEE_FLOAT]: {
    32: (bytes, at) => bytes.readFloatLE(at),
    64: (bytes, at) => bytes.readDoubleLE(at),
  },
};

interface Format {
  kind: number;
  channels: number;
  sampleRate: number;
  bits: number;
  /** Bytes of a frame */
  blockBytes: number;
}

/**
 * Reads a WAV file and mixes its channels.
 *
 * @throws Problem 415: not a WAV file, or an unsupported format; 400: damaged, or beyond the limits
 */
export async function readWav(bytes: Buffer, limits: WavLimits = WAV_LIMITS): Promise<MonoSound> {
  const { fmt, data } = findChunks(bytes);
  const format = readFormat(fmt);
  const read = checkFormat(format, limits);
  const { channels, sampleRate, bits } = format;
  checkBlocks(format);
  const sampleBytes = bits / 8;
  const frames = Math.floor(data.length / (channels * sampleBytes));
  if (frames === 0) throw damaged("contains no samples");
  if (frames > limits.maxSeconds * sampleRate) {
    throw refused(`is longer than ${limits.maxSeconds} seconds`);
  }
  const samples = new Float32Array(frames);
  const framesAtOnce = Math.ceil(READ_AT_ONCE / channels);
  for (let frame = 0, at = 0; frame < frames; frame++) {
    if (frame % framesAtOnce === framesAtOnce - 1) await nextTurn();
    let sum = 0;
    for (let channel = 0; channel < channels; channel++, at += sampleBytes) sum += read(data, at);
    samples[frame] = sum / channels;
    if (!Number.isFinite(samples[frame])) throw damaged("contains samples that are not finite");
  }
  return { samples, sampleRate };
}

/** @returns the format chunk, and the samples, which end with the file at the latest */
function findChunks(bytes: Buffer): { fmt: Buffer; data: Buffer } {
  const kind = bytes.toString("latin1", 0, 4);
  const isWav = (kind === "RIFF" || kind === "RF64") && bytes.toString("latin1", 8, 12) === "WAVE";
  if (!isWav) throw new Problem(415, "ERR_SDA_FORMAT", "This is not a WAV file.");
  let fmt: Buffer | undefined;
  let longDataSize: number | undefined;
  let at = 12;
  for (let count = 0; at + 8 <= bytes.length; count++) {
    if (count === MAX_CHUNKS) throw damaged("has too many chunks");
    const { id, size } = chunkAt(bytes, at);
    const chunk = bytes.subarray(at + 8, at + 8 + size);
    if (id === "data" && fmt) {
      const isLong = size === UNKNOWN_SIZE && longDataSize !== undefined;
      return { fmt, data: samplesAt(bytes, at + 8, isLong ? (longDataSize as number) : size) };
    }
    if (id === "fmt ") fmt = chunk;
    // RF64 (EBU Tech 3306) states sizes of more than 32 bits here.
    if (id === "ds64" && kind === "RF64" && chunk.length >= 16) {
      longDataSize = Number(chunk.readBigUInt64LE(8));
    }
    at += 8 + size + (size % 2);
  }
  throw damaged(fmt ? "contains no samples" : "has no valid format chunk");
}

function chunkAt(bytes: Buffer, at: number): { id: string; size: number } {
  return { id: bytes.toString("latin1", at, at + 4), size: bytes.readUInt32LE(at + 4) };
}

/** Streamed and truncated files state no valid size: their samples end with the file. */
function samplesAt(bytes: Buffer, start: number, size: number): Buffer {
  const isStreamed = size === 0 && !isChunks(bytes, start);
  return bytes.subarray(start, isStreamed ? bytes.length : start + size);
}

/** Whether all bytes from `at` on are whole chunks, so that no samples are among them. */
function isChunks(bytes: Buffer, start: number): boolean {
  let at = start;
  for (let count = 0; at + 8 <= bytes.length && count < MAX_CHUNKS; count++) {
    const { id, size } = chunkAt(bytes, at);
    if (!/^[\x20-\x7e]{4}$/.test(id)) return false;
    at += 8 + size + (size % 2);
  }
  // The last chunk may lack its padding byte.
  return at === bytes.length || at === bytes.length + 1;
}

function readFormat(fmt: Buffer): Format {
  if (fmt.length < 16) throw damaged("has no valid format chunk");
  const tag = fmt.readUInt16LE(0);
  // The extensible format has the actual format at the beginning of its GUID.
  const kind = tag === EXTENSIBLE && fmt.length >= 26 ? fmt.readUInt16LE(24) : tag;
  return {
    kind,
    channels: fmt.readUInt16LE(2),
    sampleRate: fmt.readUInt32LE(4),
    bits: fmt.readUInt16LE(14),
    blockBytes: fmt.readUInt16LE(12),
  };
}

/** 24 bits in blocks for 32, for example, could be read in two ways. 0 states nothing. */
function checkBlocks({ channels, bits, blockBytes }: Format): void {
  if (blockBytes === 0 || blockBytes === (channels * bits) / 8) return;
  throw damaged(`contradicts itself: ${channels} × ${bits} bits are not ${blockBytes} bytes`);
}

function checkFormat({ kind, channels, sampleRate, bits }: Format, limits: WavLimits): ReadSample {
  const read = READERS[kind]?.[bits];
  if (read === undefined) {
    const detail = "The WAV file has an unsupported format: send PCM of 8 to 32 bits, or float.";
    throw new Problem(415, "ERR_SDA_FORMAT", detail);
  }
  const { maxChannels, minSampleRate, maxSampleRate } = limits;
  if (channels < 1 || channels > maxChannels) {
    throw refused(`must have 1 to ${maxChannels} channels`);
  }
  if (sampleRate < minSampleRate || sampleRate > maxSampleRate) {
    throw refused(`must have ${minSampleRate} to ${maxSampleRate} samples per second`);
  }
  return read;
}

function damaged(what: string): Problem {
  return new Problem(400, "ERR_SDA_CORRUPT", `The WAV file ${what}.`);
}

function refused(what: string): Problem {
  return new Problem(400, "ERR_SDA_LIMIT", `The WAV file ${what}.`);
}
