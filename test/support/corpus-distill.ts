/**
 * Files of every version of the program with values computed from them: real files with the
 * program's own values, and small ones in test/fixtures with PyTorch's, in the same layout.
 */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect } from "vitest";
import type { GenerateOptions } from "../../lib/index.js";
import { Tensor } from "../../lib/index.js";
import { fixture } from "./fixtures.js";
import { needs } from "./needs.js";

const standard = fileURLToPath(new URL("../../../shared/corpus-distill", import.meta.url));
const place = process.env["SDA_CORPUS_DISTILL"] ?? standard;

/** The folder; null if there is none. */
export const distill: string | null = existsSync(join(place, "golden")) ? place : null;

needs(distill !== null, "no corpus of the later versions' files (SDA_CORPUS_DISTILL)");

/** What tests compare with, and its folder; the folder is null if there is none. */
export const goldenFolders: [string, string | null][] = [
  ["fixtures", fixture("")],
  ["the program's files", distill],
];

export function distillFile(...parts: string[]): string {
  return join(distill ?? place, ...parts);
}

/** Values of a file, and what the program did to compute them. */
export interface Values {
  shape: number[];
  floats: Float32Array;
  /** Where each stretch of samples begins; undefined: the values are whole */
  starts?: number[];
  seed?: number;
  /** Of a sound: facts about all of its samples */
  wave?: { channels: number; samples: number; peak: number; sum: number[] };
  /** What a change of 1e-7 in the mel does to a sound */
  sensitivity?: { snr_db: number };
}

/** One folder of golden values. Without a folder it has no values and no cases. */
export class Golden {
  // biome-ignore lint/suspicious/noExplicitAny: the corpus's README describes the files
  readonly json: any;
  readonly #root: string;
  readonly #name: string;

  /** @param root the folder that holds `models/` and `golden/` */
  constructor(name: string, root: string | null) {
    this.#root = root ?? "";
    this.#name = name;
    this.json =
      root === null
        ? { files: {}, cases: [], spectrogram_config: {} }
        : JSON.parse(readFileSync(this.#path("golden.json"), "utf8"));
  }

  get modelPath(): string {
    return this.file(this.json.model);
  }

  /** The shape of one decoded mel: bands and frames. */
  get melShape(): [number, number] {
    const { n_mels, sample_rate, hop_length } = this.json.spectrogram_config;
    return [n_mels, Math.floor(sample_rate / hop_length) + 1];
  }

  /** A file of the root folder. */
  file(path: string): string {
    return join(this.#root, path);
  }

  has(file: string): boolean {
    return Object.hasOwn(this.json.files, file);
  }

  values(file: string): Values {
    const facts = this.json.files[file];
    return { ...facts, floats: new Float32Array(this.#bytes(file)), starts: facts.stretch_starts };
  }

  codes(file: string): Int32Array {
    return new Int32Array(this.#bytes(file));
  }

  #path(file: string): string {
    return this.file(join("golden", this.#name, file));
  }

  #bytes(file: string): ArrayBuffer {
    const bytes = readFileSync(this.#path(file));
    return bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length) as ArrayBuffer;
  }

  tensor(file: string, shape?: number[]): Tensor {
    const { floats, shape: own } = this.values(file);
    return new Tensor("float32", shape ?? own, floats);
  }
}

interface ProgramConfig {
  duration_s: number;
  seed: number;
  sample_rate?: 44100 | 48000 | 96000;
  concat_mode?: GenerateOptions["concatMode"];
  steps_between?: number;
  overlap_samples?: number;
  latent_vector?: number[];
  evolution_amount?: number;
  spatial?: GenerateOptions["spatial"];
  stereo_mode?: "mono" | "mid_side" | "dual_seed";
  stereo_width?: number;
  temperature?: number;
  top_k?: number;
  top_p?: number;
}

/** The program's settings as options. `stereo_mode` is its older name of `spatial`. */
export function optionsOf(config: ProgramConfig): GenerateOptions {
  const options: GenerateOptions = { durationS: config.duration_s, seed: config.seed };
  if (config.sample_rate) options.sampleRate = config.sample_rate;
  if (config.concat_mode) options.concatMode = config.concat_mode;
  if (config.steps_between) options.stepsBetween = config.steps_between;
  if (config.overlap_samples) options.overlapSamples = config.overlap_samples;
  if (config.latent_vector) options.latent = Float32Array.from(config.latent_vector);
  if (config.evolution_amount !== undefined) options.evolution = config.evolution_amount;
  if (config.temperature !== undefined) options.temperature = config.temperature;
  if (config.top_k !== undefined) options.topK = config.top_k;
  if (config.top_p !== undefined) options.topP = config.top_p;
  if (config.spatial) options.spatial = config.spatial;
  if (config.stereo_mode === "mid_side")
    options.spatial = { mode: "stereo", width: config.stereo_width ?? 0.7, depth: 0.3 };
  if (config.stereo_mode === "dual_seed") options.spatial = { mode: "dual_seed" };
  return options;
}

/** The largest difference, absolute or relative to the expected value, whichever is smaller. */
export function difference(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  expect(actual.length).toBe(expected.length);
  let most = 0;
  for (let i = 0; i < expected.length; i++) {
    const [a, b] = [actual[i] as number, expected[i] as number];
    const found = Math.abs(a - b) / Math.max(1, Math.abs(b));
    if (!(found <= most)) most = found;
  }
  return most;
}

/** Signal to difference of two sounds, in dB. */
export function signalToDifference(actual: Float32Array, expected: Float32Array): number {
  expect(actual.length).toBe(expected.length);
  let [signal, noise] = [0, 0];
  expected.forEach((b, i) => {
    signal += b * b;
    noise += ((actual[i] as number) - b) ** 2;
  });
  return noise === 0 ? Number.POSITIVE_INFINITY : 10 * Math.log10(signal / noise);
}

/** The worst stretch of a sound, in dB; a sound without stretches counts as one. */
export function worstStretch(audio: Float32Array[], { floats, starts, shape }: Values): number {
  if (starts === undefined) {
    const length = floats.length / audio.length;
    return Math.min(
      ...audio.map((channel, c) =>
        signalToDifference(channel, floats.subarray(c * length, (c + 1) * length)),
      ),
    );
  }
  const size = shape.at(-1) as number;
  let worst = Number.POSITIVE_INFINITY;
  starts.forEach((start, s) => {
    audio.forEach((channel, c) => {
      const at = (s * audio.length + c) * size;
      const expected = floats.subarray(at, at + size);
      const found = signalToDifference(channel.subarray(start, start + size), expected);
      worst = Math.min(worst, found);
    });
  });
  return worst;
}

/** Length exactly, peak within 2 %, and the worst stretch at least `least` dB. */
export function expectSound(audio: Float32Array[], values: Values, least: number): void {
  const wave = values.wave as NonNullable<Values["wave"]>;
  expect(audio).toHaveLength(wave.channels);
  expect(audio[0]).toHaveLength(wave.samples);
  const peak = Math.max(
    ...audio.map((channel) => channel.reduce((p, v) => Math.max(p, Math.abs(v)), 0)),
  );
  expect(Math.abs(peak / wave.peak - 1)).toBeLessThan(0.02);
  expect(worstStretch(audio, values)).toBeGreaterThanOrEqual(least);
}

/** What a sound by Griffin-Lim must reach, in dB: the iteration magnifies rounding. */
export function griffinLimLeast({ sensitivity }: Values): number {
  return sensitivity ? Math.min(40, Math.max(12, sensitivity.snr_db - 25)) : 22;
}
