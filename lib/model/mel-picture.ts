import { encode } from "fast-png";
import type { Sound } from "../audio/generation.js";
import { checkInteger, checkOptions } from "../base/check.js";
import type { Bytes } from "../values/arrays.js";
import { Tensor } from "../values/values.js";
import type { LoadedModel } from "./loaded-model.js";

/** Options of `melPicture`. */
export interface MelPictureOptions {
  /** Largest width in pixels, 1 to 4096; default 4096. One pixel shows one frame or more. */
  maxWidth?: number;
  /** Aborting rejects with the signal's reason */
  signal?: AbortSignal;
}

/** A PNG image and its size in pixels. */
export interface MelPicture {
  width: number;
  height: number;
  png: Bytes;
}

const MAX_WIDTH = 4096;
/** Energies this far below the loudest, or further, are black. */
const DYNAMIC_RANGE_DB = 80;
/** Smallest reference for the loudest energy, so that silence is black. */
const SILENCE = 1e-10;
/** Dark to light, with evenly rising lightness, so that the picture also works in grey. */
const COLOR_STOPS = [
  [0, 0, 4],
  [40, 11, 84],
  [101, 21, 110],
  [159, 42, 99],
  [212, 72, 66],
  [245, 125, 21],
  [250, 193, 39],
  [252, 255, 164],
] as const;

/**
 * Draws a sound's mel spectrogram with the model's settings. A row is a band, low frequencies at
 * the bottom; a column is a frame or more. Colours show decibels below the loudest energy, from 0
 * (light) to -80 (dark). The channels are mixed.
 *
 * The filter bank assumes the model's sample rate. For a sound at another rate, all frequencies
 * scale by the model's rate divided by the sound's rate.
 *
 * @param sound its first two channels, as `LoadedModel.generate` returns them
 * @returns an RGB PNG with nMels rows
 * @throws SdaError as `AudioSpectrogram.waveformToMel`
 * @example
 * ```js
 * const { writeFile } = await import("node:fs/promises");
 * const model = await loadModel("data/models/pads.sda");
 * const sound = await model.generate({ seed: 42 });
 * const { png } = await melPicture(sound, model, { maxWidth: 800 });
 * await writeFile("pads.png", png);
 * model.dispose();
 * ```
 */
export async function melPicture(
  sound: Pick<Sound, "audio">,
  model: LoadedModel,
  options: MelPictureOptions = {},
): Promise<MelPicture> {
  checkOptions("options", options, ["maxWidth", "signal"]);
  const { maxWidth = MAX_WIDTH, signal } = options;
  checkInteger("maxWidth", maxWidth, 1, MAX_WIDTH);
  const samples = mono(sound);
  const { nFft, hopLength } = model.spectrogram.config;
  const padded = new Float32Array(Math.max(samples.length, nFft)); // the STFT needs a whole window
  padded.set(samples);
  const waveform = new Tensor("float32", [1, 1, padded.length], padded);
  const mel = await model.spectrogram.loudness(waveform, signal && { signal });
  const [bands = 0, stride = 0] = mel.shape.slice(2);
  const frames = Math.min(stride, 1 + Math.floor(samples.length / hopLength));
  const columns = Math.min(frames, maxWidth);
  const energies = new Float32Array(bands * columns);
  let loudest = SILENCE;
  for (let band = 0; band < bands; band++) {
    for (let column = 0; column < columns; column++) {
      const from = Math.floor((column * frames) / columns);
      const to = Math.max(from + 1, Math.floor(((column + 1) * frames) / columns));
      let peak = 0;
      for (let t = from; t < to; t++) {
        peak = Math.max(peak, Math.expm1(mel.data[band * stride + t] as number));
      }
      energies[band * columns + column] = peak;
      loudest = Math.max(loudest, peak);
    }
  }
  // Energies are amplitudes to the power `power`, and 20·log10 of an amplitude is decibels.
  const perDecade = 20 / model.spectrogram.config.power;
  const data = new Uint8Array(bands * columns * 3);
  for (let row = 0; row < bands; row++) {
    for (let column = 0; column < columns; column++) {
      const energy = energies[(bands - 1 - row) * columns + column] as number;
      const decibels = perDecade * Math.log10(Math.max(energy, Number.MIN_VALUE) / loudest);
      data.set(color(1 + decibels / DYNAMIC_RANGE_DB), (row * columns + column) * 3);
    }
  }
  const png = new Uint8Array(encode({ width: columns, height: bands, data, channels: 3 }));
  return { width: columns, height: bands, png };
}

/** RGB of a level from 0 (black) to 1. */
function color(level: number): [number, number, number] {
  const place = Math.max(0, Math.min(1, level)) * (COLOR_STOPS.length - 1);
  const below = Math.min(Math.floor(place), COLOR_STOPS.length - 2);
  const [from, to] = [COLOR_STOPS[below], COLOR_STOPS[below + 1]];
  const mix = (i: 0 | 1 | 2) =>
    Math.round((from?.[i] ?? 0) + ((to?.[i] ?? 0) - (from?.[i] ?? 0)) * (place - below));
  return [mix(0), mix(1), mix(2)];
}

function mono({ audio }: Pick<Sound, "audio">): Float32Array {
  const [first, second] = audio;
  if (!first) return new Float32Array();
  return second ? first.map((sample, i) => (sample + (second[i] ?? 0)) / 2) : first;
}
