import { setImmediate as nextTurn } from "node:timers/promises";
import { writeFileAtomically } from "../atomic-file.js";
import { badArgument, checkInteger, checkOneOf, checkSignal, toFilePath } from "../check.js";
import { SdaError } from "../errors.js";
import type { GenerationResult } from "./generation.js";

export const BIT_DEPTHS = [16, 24, 32] as const;
export type BitDepth = (typeof BIT_DEPTHS)[number];

export interface WriteWavOptions {
  /** 16 and 24 are integer PCM, 32 is float. Default 24 */
  bitDepth?: BitDepth;
  /** Aborting rejects with the signal's reason and leaves no file */
  signal?: AbortSignal;
}

/** The header's fields have 16 and 32 bits. */
const MAX_UINT16 = 0xffff;
const MAX_UINT32 = 0xffff_ffff;
const FORMAT_PCM = 1;
const FORMAT_IEEE_FLOAT = 3;
/** Encoded between two turns of the event loop: about a millisecond of work. */
const SLICE_SAMPLES = 64 * 1024;

/**
 * Writes sound as a WAV file. The file appears under its name only when it is complete: a kill half-way leaves what was
 * there before.
 *
 * Integer formats: `round(x · 2^(bits-1))`, clipped to the format's range, so that 1.0 becomes its largest value and
 * readers that divide by 2^(bits-1) get x back to half a step; no dither. 32 bits: the samples themselves, unclipped.
 *
 * @throws SdaError ERR_SDA_ARGUMENT (also for samples that are not finite), ERR_SDA_NOT_FOUND (no such folder), ERR_SDA_IO
 */
export async function writeWav(
  path: string | URL,
  result: Pick<GenerationResult, "audio" | "sampleRate">,
  options: WriteWavOptions = {},
): Promise<void> {
  const file = toFilePath(path);
  const { bitDepth = 24, signal } = options;
  checkOneOf("bitDepth", bitDepth, BIT_DEPTHS);
  checkSignal(signal);
  checkAudio(result);
  const { audio, sampleRate } = result;
  const frames = (audio[0] as Float32Array).length;
  const header = wavHeader(audio.length, frames, sampleRate, bitDepth);
  const sliceFrames = Math.max(1, Math.floor(SLICE_SAMPLES / audio.length));

  await writeFileAtomically(file, async (handle) => {
    await handle.writeFile(header);
    for (let start = 0; start < frames; start += sliceFrames) {
      signal?.throwIfAborted();
      const end = Math.min(frames, start + sliceFrames);
      await handle.writeFile(encode(audio, start, end, bitDepth));
      await nextTurn();
    }
    signal?.throwIfAborted();
    const dataBytes = frames * audio.length * (bitDepth / 8);
    if (dataBytes % 2 === 1) await handle.writeFile(new Uint8Array(1));
  });
}

function checkAudio(result: Pick<GenerationResult, "audio" | "sampleRate">): void {
  const audio: unknown = result?.audio;
  if (!Array.isArray(audio) || audio.length === 0) {
    throw badArgument("audio", "an array of channels", audio);
  }
  if (!audio.every((c) => c instanceof Float32Array && c.length === audio[0].length)) {
    throw badArgument("audio", "Float32Arrays of one length, one a channel", audio);
  }
  checkInteger("sampleRate", result.sampleRate, 1, MAX_UINT32);
}

/** Everything in front of the samples: RIFF, fmt, for float also fact, and the head of data. */
function wavHeader(channels: number, frames: number, sampleRate: number, bits: BitDepth): Buffer {
  const frameBytes = channels * (bits / 8);
  const dataBytes = frames * frameBytes;
  const isFloat = bits === 32;
  const header = Buffer.alloc(isFloat ? 58 : 44);
  const riffBytes = header.length - 8 + dataBytes + (dataBytes % 2);
  const byteRate = sampleRate * frameBytes;
  if (riffBytes > MAX_UINT32 || byteRate > MAX_UINT32 || frameBytes > MAX_UINT16) {
    const size = `${channels} channels, ${frames} samples each, at ${sampleRate} Hz`;
    throw new SdaError("ERR_SDA_ARGUMENT", `too much for a WAV file (4 GiB): ${size}`, {
      option: "audio",
      bytes: riffBytes,
    });
  }
  const fmtBytes = isFloat ? 18 : 16;
  let at = header.write("RIFF", 0, "latin1");
  at = header.writeUInt32LE(riffBytes, at);
  at += header.write("WAVEfmt ", at, "latin1");
  at = header.writeUInt32LE(fmtBytes, at);
  at = header.writeUInt16LE(isFloat ? FORMAT_IEEE_FLOAT : FORMAT_PCM, at);
  at = header.writeUInt16LE(channels, at);
  at = header.writeUInt32LE(sampleRate, at);
  at = header.writeUInt32LE(byteRate, at);
  at = header.writeUInt16LE(frameBytes, at);
  at = header.writeUInt16LE(bits, at);
  if (isFloat) {
    at = header.writeUInt16LE(0, at); // no extension of fmt
    at += header.write("fact", at, "latin1");
    at = header.writeUInt32LE(4, at);
    at = header.writeUInt32LE(frames, at);
  }
  at += header.write("data", at, "latin1");
  header.writeUInt32LE(dataBytes, at);
  return header;
}

/** Frames start … end, interleaved, little-endian. */
function encode(audio: Float32Array[], start: number, end: number, bits: BitDepth): Uint8Array {
  const bytes = new Uint8Array((end - start) * audio.length * (bits / 8));
  const view = new DataView(bytes.buffer);
  const scale = 2 ** (bits - 1);
  let at = 0;
  for (let frame = start; frame < end; frame++) {
    for (const channel of audio) {
      const x = channel[frame] as number;
      if (!Number.isFinite(x)) {
        throw badArgument("audio", `finite at sample ${frame}`, x);
      }
      if (bits === 32) {
        view.setFloat32(at, x, true);
        at += 4;
        continue;
      }
      const level = Math.max(-scale, Math.min(scale - 1, Math.round(x * scale)));
      if (bits === 24) view.setUint8(at, level & 0xff);
      view.setInt16(at + bits / 8 - 2, level >> (bits - 16), true);
      at += bits / 8;
    }
  }
  return bytes;
}
