/** WAV files from anybody: their frame is read and checked here, their samples by the wavefile library. */
import wavefile from "wavefile";
import { Problem } from "./problem.js";
import { mixedToMono } from "./samples.js";

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

/** More is no sound, but an attempt to keep the reader busy. */
const MAX_CHUNKS = 1000;
const PCM = 1;
const IEEE_FLOAT = 3;
const EXTENSIBLE = 0xfffe;
/** Bits a sample, by format. */
const BITS: Record<number, readonly number[]> = {
  [PCM]: [8, 16, 24, 32],
  [IEEE_FLOAT]: [32, 64],
};

interface Format {
  kind: number;
  channels: number;
  sampleRate: number;
  bits: number;
}

/**
 * A WAV file's sound, channels mixed. Integer samples become value / 2^(bits-1), as `writeWav` writes them.
 *
 * @throws Problem 415: it is no WAV file, or of a kind that isn't read; 400: damaged, or beyond the limits
 */
export function readWav(bytes: Buffer, limits: WavLimits = WAV_LIMITS): MonoSound {
  const { fmt, data } = findChunks(bytes);
  const format = readFormat(fmt);
  checkFormat(format, limits);
  const { channels, sampleRate, bits } = format;
  const frameBytes = channels * (bits / 8);
  const frames = Math.floor(data.length / frameBytes);
  if (frames === 0) throw damaged("has no sound in it");
  if (frames > limits.maxSeconds * sampleRate) {
    throw refused(`is longer than ${limits.maxSeconds} seconds`);
  }
  const wav = new wavefile.WaveFile(wavOf(format, data.subarray(0, frames * frameBytes)));
  const found = wav.getSamples(false, Float64Array) as unknown as Float64Array | Float64Array[];
  const read = channels === 1 ? [found as Float64Array] : (found as Float64Array[]);
  const samples = mixedToMono(read);
  const isInteger = format.kind === PCM;
  const scale = isInteger ? 2 ** (bits - 1) : 1;
  const middle = isInteger && bits === 8 ? 128 : 0; // 8 bits have no sign
  for (let i = 0; i < samples.length; i++) {
    const sample = ((samples[i] as number) - middle) / scale;
    if (!Number.isFinite(sample)) throw damaged("has samples that are not finite");
    samples[i] = sample;
  }
  return { samples, sampleRate };
}

function findChunks(bytes: Buffer): { fmt: Buffer; data: Buffer } {
  if (bytes.toString("latin1", 0, 4) !== "RIFF" || bytes.toString("latin1", 8, 12) !== "WAVE") {
    throw new Problem(415, "ERR_SDA_FORMAT", "This is not a WAV file.");
  }
  let fmt: Buffer | undefined;
  let at = 12;
  for (let count = 0; at + 8 <= bytes.length; count++) {
    if (count === MAX_CHUNKS) throw damaged("is in too many pieces");
    const id = bytes.toString("latin1", at, at + 4);
    const size = bytes.readUInt32LE(at + 4);
    const chunk = bytes.subarray(at + 8, at + 8 + size);
    // What was written as it was made has no size in its head: its sound goes up to the end, as does one that was cut off.
    if (id === "data" && fmt) return { fmt, data: chunk };
    if (id === "fmt ") fmt = chunk;
    at += 8 + size + (size % 2);
  }
  throw damaged(fmt ? "has no sound in it" : "does not say what is in it");
}

function readFormat(fmt: Buffer): Format {
  if (fmt.length < 16) throw damaged("does not say what is in it");
  const tag = fmt.readUInt16LE(0);
  // An extended head has its kind further on, at the beginning of a GUID.
  const kind = tag === EXTENSIBLE && fmt.length >= 26 ? fmt.readUInt16LE(24) : tag;
  return {
    kind,
    channels: fmt.readUInt16LE(2),
    sampleRate: fmt.readUInt32LE(4),
    bits: fmt.readUInt16LE(14),
  };
}

function checkFormat({ kind, channels, sampleRate, bits }: Format, limits: WavLimits): void {
  if (!BITS[kind]?.includes(bits)) {
    const detail = "This kind of WAV file isn't read: it must be PCM of 8 to 32 bits, or float.";
    throw new Problem(415, "ERR_SDA_FORMAT", detail);
  }
  const { maxChannels, minSampleRate, maxSampleRate } = limits;
  if (channels < 1 || channels > maxChannels) {
    throw refused(`must have 1 to ${maxChannels} channels`);
  }
  if (sampleRate < minSampleRate || sampleRate > maxSampleRate) {
    throw refused(`must have ${minSampleRate} to ${maxSampleRate} samples a second`);
  }
}

/** A file of just these samples, whatever else was in the one that came. */
function wavOf({ kind, channels, sampleRate, bits }: Format, data: Buffer): Buffer {
  const header = Buffer.alloc(44);
  const frameBytes = channels * (bits / 8);
  header.write("RIFF", 0, "latin1");
  header.writeUInt32LE(36 + data.length, 4);
  header.write("WAVEfmt ", 8, "latin1");
  header.writeUInt32LE(16, 16);
  header.writeUInt16LE(kind, 20);
  header.writeUInt16LE(channels, 22);
  header.writeUInt32LE(sampleRate, 24);
  header.writeUInt32LE(sampleRate * frameBytes, 28);
  header.writeUInt16LE(frameBytes, 32);
  header.writeUInt16LE(bits, 34);
  header.write("data", 36, "latin1");
  header.writeUInt32LE(data.length, 40);
  return Buffer.concat([header, data]);
}

function damaged(what: string): Problem {
  return new Problem(400, "ERR_SDA_CORRUPT", `The WAV file ${what}.`);
}

function refused(what: string): Problem {
  return new Problem(400, "ERR_SDA_LIMIT", `The WAV file ${what}.`);
}
