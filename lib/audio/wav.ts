import { setImmediate as nextTurn } from "node:timers/promises";
import { badArgument, checkBoolean, checkOptions, optionNames, toFilePath } from "../base/check.js";
import { writeOutput } from "../base/output-file.js";
import { isFloat32Array } from "../base/realm.js";
import type { Bytes } from "../values/arrays.js";
import type { Sound } from "./generation.js";
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

/** Options of `toWav`. */
export interface ToWavOptions {
  /** 16 and 24 are integer PCM, 32 is float. Default 24 */
  bitDepth?: BitDepth;
}

/** Options of `writeWav`. */
export interface WriteWavOptions extends ToWavOptions {
  /** Aborting rejects with the signal's reason and leaves no file */
  signal?: AbortSignal;
  /** false: an existing file is refused with ERR_SDA_IO (`details.errno` "EEXIST"); default true */
  overwrite?: boolean;
}

const TO_WAV_OPTIONS = optionNames<ToWavOptions>({ bitDepth: true });
const WRITE_OPTIONS = optionNames<WriteWavOptions>({
  bitDepth: true,
  signal: true,
  overwrite: true,
});

/**
 * Encodes sound as a WAV file in memory. The bytes are those that `writeWav` writes.
 *
 * The call blocks the thread until it has finished. `writeWav` and `wavStream` encode slice by
 * slice and let other work run in between.
 *
 * Integer formats: `round(x · 2^(bits-1))`, clipped to the format's range, so that 1.0 becomes the
 * largest value and a reader that divides by 2^(bits-1) gets x back to half a step; no dither. 32
 * bits: the samples themselves, not clipped.
 *
 * @throws SdaError ERR_SDA_ARGUMENT, also for samples that are not finite
 * @example
 * ```js
 * const model = await loadModel("data/models/pads.sda");
 * const wav = toWav(await model.generate({ durationS: 2, seed: 42 }), { bitDepth: 16 });
 * const response = new Response(wav, { headers: { "content-type": "audio/wav" } });
 * model.dispose();
 * ```
 */
export function toWav(sound: Sound, options: ToWavOptions = {}): Bytes {
  checkOptions("options", options, TO_WAV_OPTIONS);
  const wav = new WavFile(sound, options);
  const bytes = new Uint8Array(wav.byteLength);
  let at = 0;
  for (const part of wav.parts()) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

/**
 * Writes sound as a WAV file, encoded as `toWav` does it. The file appears under its name only when
 * it is complete: a process killed half-way leaves the old file, if there was one. A file that is
 * replaced keeps its mode, and a symbolic link stays and leads to the new file. A character device
 * or a pipe, such as `/dev/stdout`, gets the bytes as they come.
 *
 * @throws SdaError ERR_SDA_ARGUMENT (also for samples that are not finite), ERR_SDA_NOT_FOUND (no
 *   such folder), ERR_SDA_IO (also for a path that is a folder, a block device or a socket)
 * @example
 * ```js
 * const tone = Float32Array.from({ length: 48_000 }, (_, i) => Math.sin(i / 10));
 * await writeWav("tone.wav", { audio: [tone], sampleRate: 48_000 }, { bitDepth: 16 });
 * ```
 */
export async function writeWav(
  path: string | URL,
  sound: Sound,
  options: WriteWavOptions = {},
): Promise<void> {
  const file = toFilePath(path);
  checkOptions("options", options, WRITE_OPTIONS);
  const { signal, overwrite = true } = options;
  checkBoolean("overwrite", overwrite);
  const wav = new WavFile(sound, options);
  await writeOutput(
    file,
    async (append) => {
      for (const part of wav.parts()) {
        signal?.throwIfAborted();
        await append(part);
        await nextTurn();
      }
      signal?.throwIfAborted();
    },
    { signal, overwrite },
  );
}

/** The encoder of `toWav` and `writeWav`. */
class WavFile {
  readonly #audio: readonly Float32Array[];
  readonly #frames: number;
  readonly #shape: WavShape;
  readonly #size: WavSize;

  constructor(sound: Sound, { bitDepth = DEFAULT_BIT_DEPTH }: ToWavOptions) {
    const audio = checkAudio(sound?.audio);
    this.#audio = audio;
    this.#frames = audio[0].length;
    const { sampleRate } = sound;
    const channels = audio.length;
    this.#shape = checkShape({ sampleRate, channels, frames: this.#frames, bits: bitDepth });
    this.#size = wavSize(this.#shape, "audio");
  }

  get byteLength(): number {
    const { header, data, pad } = this.#size;
    return header + data + pad;
  }

  /** The header, then the samples in slices of about a millisecond of work. */
  *parts(): Generator<Bytes, void, undefined> {
    const { channels } = this.#shape;
    const sliceFrames = Math.max(1, Math.floor(SLICE_SAMPLES / channels));
    yield wavHeader(this.#shape, this.#size);
    for (let start = 0; start < this.#frames; start += sliceFrames) {
      const end = Math.min(this.#frames, start + sliceFrames);
      const samples = interleaved(this.#audio, start, end);
      yield encodeSamples(samples, this.#shape, "audio", start * channels);
    }
    if (this.#size.pad > 0) yield new Uint8Array(this.#size.pad);
  }
}

export type Channels = readonly [Float32Array, ...Float32Array[]];

/** @throws SdaError ERR_SDA_ARGUMENT */
export function checkAudio(audio: unknown): Channels {
  if (!Array.isArray(audio) || audio.length === 0) {
    throw badArgument("audio", "an array of channels", audio);
  }
  if (!audio.every((c) => isFloat32Array(c) && c.length === audio[0].length)) {
    throw badArgument("audio", "Float32Arrays of one length, one a channel", audio);
  }
  return audio as unknown as Channels;
}

/** Frames `start` to `end`, `end` not included. */
export function interleaved(
  audio: readonly Float32Array[],
  start: number,
  end: number,
): Float32Array {
  const channels = audio.length;
  if (channels === 1) return (audio[0] as Float32Array).subarray(start, end);
  const samples = new Float32Array((end - start) * channels);
  audio.forEach((channel, c) => {
    for (let i = start; i < end; i++) samples[(i - start) * channels + c] = channel[i] as number;
  });
  return samples;
}
