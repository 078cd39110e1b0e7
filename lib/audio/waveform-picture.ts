import { encode } from "fast-png";
import { badArgument, checkInteger } from "../base/check.js";
import type { Bytes } from "../values/arrays.js";
import type { Sound } from "./generation.js";

/** The size in pixels and the colour of the Python program's thumbnails. */
const WIDTH = 310;
const HEIGHT = 46;
const COLOR = [74, 144, 217] as const;
const ALPHA = 179;
/** Rows of the line that silence shows. */
const LINE = 2;
const MOST_PIXELS = 4096;

/**
 * Draws a sound's waveform on a transparent ground, as the Python program draws the thumbnails of
 * its history. A column shows the range of its samples; the picture's height is the range from -1
 * to 1. Only the first channel is drawn.
 *
 * @returns a PNG with an alpha channel
 * @throws SdaError ERR_SDA_ARGUMENT
 */
export function waveformPicture(
  { audio }: Pick<Sound, "audio">,
  { width = WIDTH, height = HEIGHT }: { width?: number; height?: number } = {},
): Bytes {
  checkInteger("width", width, 1, MOST_PIXELS);
  checkInteger("height", height, LINE, MOST_PIXELS);
  const [samples] = audio;
  if (samples === undefined) throw badArgument("audio", "an array of channels", audio);
  const data = new Uint8Array(width * height * 4).fill(255);
  for (let x = 0; x < width; x++) {
    const from = Math.floor((x * samples.length) / width);
    const to = Math.max(from + 1, Math.floor(((x + 1) * samples.length) / width));
    const [lowest, highest] = range(samples, from, Math.min(to, samples.length));
    const top = Math.min(rowOf(highest, height), (height - LINE) / 2);
    const bottom = Math.max(rowOf(lowest, height), (height + LINE) / 2);
    for (let y = 0; y < height; y++) {
      const coverage = Math.max(0, Math.min(bottom, y + 1) - Math.max(top, y));
      const at = (y * width + x) * 4;
      if (coverage > 0) data.set(COLOR, at);
      data[at + 3] = Math.round(ALPHA * coverage);
    }
  }
  return new Uint8Array(encode({ width, height, data, channels: 4 }));
}

/** The lowest and the highest of some samples; silence where there are none. */
function range(samples: Float32Array, from: number, to: number): [number, number] {
  let [lowest, highest] = [0, 0];
  for (let i = from; i < to; i++) {
    const sample = samples[i] as number;
    if (i === from || sample < lowest) lowest = sample;
    if (i === from || sample > highest) highest = sample;
  }
  return [lowest, highest];
}

/** The distance of a sample from the picture's top, in rows. */
function rowOf(sample: number, height: number): number {
  return Math.max(0, Math.min(1, (1 - sample) / 2)) * height;
}
