import { setImmediate as nextTurn } from "node:timers/promises";
import { writeFileAtomically } from "../base/atomic-file.js";
import { badArgument, checkSignal, toFilePath } from "../base/check.js";
import type { GenerationResult } from "./generation.js";
import {
  type BitDepth,
  checkShape,
  DEFAULT_BIT_DEPTH,
  encodeSamples,
  SLICE_SAMPLES,
  wavHeader,
  wavSize,
} from "./wav-format.js";

/** How a WAV file is written. */
export interface WriteWavOptions {
  /** 16 and 24 are integer PCM, 32 is float. Default 24 */
  bitDepth?: BitDepth;
  /** Aborting rejects with the signal's reason and leaves no file */
  signal?: AbortSignal;
}

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
  const { bitDepth = DEFAULT_BIT_DEPTH, signal } = options;
  checkSignal(signal);
  checkAudio(result);
  const { audio, sampleRate } = result;
  const channels = audio.length;
  const frames = (audio[0] as Float32Array).length;
  const shape = checkShape({ sampleRate, channels, frames, bits: bitDepth });
  const size = wavSize(shape, "audio");
  const sliceFrames = Math.max(1, Math.floor(SLICE_SAMPLES / channels));

  await writeFileAtomically(file, async (handle) => {
    await handle.writeFile(wavHeader(shape, size));
    for (let start = 0; start < frames; start += sliceFrames) {
      signal?.throwIfAborted();
      const samples = interleaved(audio, start, Math.min(frames, start + sliceFrames));
      await handle.writeFile(encodeSamples(samples, shape, "audio", start * channels));
      await nextTurn();
    }
    signal?.throwIfAborted();
    if (size.pad > 0) await handle.writeFile(new Uint8Array(size.pad));
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
}

/** Frames start … end. */
function interleaved(audio: Float32Array[], start: number, end: number): Float32Array {
  const channels = audio.length;
  if (channels === 1) return (audio[0] as Float32Array).subarray(start, end);
  const samples = new Float32Array((end - start) * channels);
  audio.forEach((channel, c) => {
    for (let i = start; i < end; i++) samples[(i - start) * channels + c] = channel[i] as number;
  });
  return samples;
}
