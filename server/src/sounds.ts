import { createHash } from "node:crypto";
import { LRUCache } from "lru-cache";
import {
  type BitDepth,
  GENERATION_DEFAULTS,
  type GenerateOptions,
  type GenerationName,
  type GenerationResult,
  wavBytes,
  wavStream,
} from "small-dataset-audio";
import { interleaved } from "./samples.js";

/** A finished sound with its peaks and its mel picture. */
export interface Sound extends GenerationResult {
  id: string;
  /** For each channel: minimum and maximum of each of 1000 spans, as [min, max, min, max, …] */
  peaks: number[][];
  mel: { width: number; height: number; png: Uint8Array };
}

export const SOUND_ID = "^[0-9a-f]{32}$";

/** A hash of the model's file and of all options that affect the sound. */
export function soundId(
  fileIdentity: string,
  options: GenerateOptions,
  generation: GenerationName,
): string {
  const { durationS = 1, seed, concatMode = "crossfade", stepsBetween = 10 } = options;
  const { overlapSamples = 2400, joint = "python", loudness = "peak" } = options;
  const { evolution = 0.5, vocoder = "auto", temperature = 1, topK = 0, topP = 0.9 } = options;
  const defaults = GENERATION_DEFAULTS[generation];
  const { sampleRate = defaults.sampleRate, spatial } = options;
  const { mode = "mono", width = defaults.width, depth = defaults.depth } = spatial ?? {};
  const point = options.latent ? Array.from(options.latent) : (options.sliders ?? null);
  const all = [durationS, seed, concatMode, stepsBetween, overlapSamples, joint, loudness];
  const text = JSON.stringify([
    fileIdentity,
    ...all,
    sampleRate,
    [evolution, vocoder, temperature, topK, topP],
    [mode, mode === "stereo" ? width : 0, mode === "stereo" ? depth : 0],
    [options.latent ? "latent" : "sliders", point],
  ]);
  return createHash("sha256").update(text).digest("hex").slice(0, 32);
}

/** The most recently used sounds and their WAV files, up to a number of bytes. */
export class SoundMemory {
  readonly #kept: LRUCache<string, Sound | Buffer>;

  constructor(maxBytes: number) {
    this.#kept = new LRUCache({
      // LRUCache does not accept 0, so 1 stands for no memory.
      maxSize: Math.max(1, Math.floor(maxBytes)),
      sizeCalculation: bytesOf,
    });
  }

  get bytes(): number {
    return this.#kept.calculatedSize;
  }

  add(sound: Sound): void {
    this.#kept.set(sound.id, sound);
  }

  get(id: string): Sound | undefined {
    const kept = this.#kept.get(id);
    return Buffer.isBuffer(kept) ? undefined : kept;
  }

  /** The sound as a WAV file. It is kept in memory, because players request it in ranges. */
  async wav(sound: Sound, bitDepth: BitDepth): Promise<Buffer> {
    const key = `${sound.id}:${bitDepth}`;
    const known = this.#kept.get(key) as Buffer | undefined;
    if (known) return known;
    const made = await wavOf(sound, bitDepth);
    this.#kept.set(key, made);
    return made;
  }
}

async function wavOf(sound: GenerationResult, bitDepth: BitDepth): Promise<Buffer> {
  const format = {
    sampleRate: sound.sampleRate,
    channels: sound.channels,
    frames: sound.audio[0]?.length ?? 0,
    bitDepth,
  };
  const wav = Buffer.allocUnsafe(wavBytes(format));
  let at = 0;
  for await (const bytes of wavStream(pieces(sound), format)) {
    wav.set(bytes, at);
    at += bytes.length;
  }
  return wav;
}

async function* pieces(sound: GenerationResult): AsyncGenerator<Float32Array> {
  yield interleaved(sound.audio);
}

function bytesOf(kept: Sound | Buffer): number {
  if (Buffer.isBuffer(kept)) return kept.length;
  const samples = kept.audio.reduce((sum, channel) => sum + channel.byteLength, 0);
  const peaks = kept.peaks.reduce((sum, channel) => sum + 8 * channel.length, 0);
  return samples + peaks + kept.mel.png.length + 1024;
}
