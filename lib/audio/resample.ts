import { badArgument, checkInteger, checkOptions } from "../base/check.js";
import { SdaError } from "../base/errors.js";
import { isFloat32Array } from "../base/realm.js";
import { callNative } from "../native/call.js";
import { engineAddon } from "../native/load-engine.js";
import type { Floats } from "../values/arrays.js";

/** Hz; the largest sample rate that a model may have */
const MAX_RATE = 768_000;
/** 4 GiB of samples */
const MAX_SAMPLES = 2 ** 30;

/**
 * Converts sound to another sample rate on the engine's threads, by windowed-sinc interpolation
 * with the defaults of `torchaudio.functional.resample` (Hann window, six zero crossings a side,
 * cutoff at 0.99 of the lower Nyquist frequency; Smith, "Digital Audio Resampling Home Page").
 * `AudioSpectrogram.waveformToMel` needs sound at the model's rate.
 *
 * @param waveform one channel; copied before the call returns
 * @param fromRate Hz, a whole number from 1 to 768,000
 * @param toRate Hz, as `fromRate`
 * @returns ⌈samples · toRate / fromRate⌉ samples, in a new array
 * @throws SdaError ERR_SDA_ARGUMENT (`details.option`); ERR_SDA_LIMIT: more than 2^30 samples, or
 *   the engine has too many requests; ERR_SDA_NATIVE without an engine. An
 *   aborted call rejects with the signal's reason.
 * @example
 * ```js
 * const tone = Float32Array.from({ length: 44_100 }, (_, i) => Math.sin(i / 10));
 * const converted = await resample(tone, 44_100, 48_000);
 * console.log(converted.length); // 48000
 * ```
 */
export async function resample(
  waveform: Float32Array,
  fromRate: number,
  toRate: number,
  options: { signal?: AbortSignal } = {},
): Promise<Floats> {
  if (!isFloat32Array(waveform)) {
    throw badArgument("waveform", "a Float32Array", waveform);
  }
  const from = checkInteger("fromRate", fromRate, 1, MAX_RATE);
  const to = checkInteger("toRate", toRate, 1, MAX_RATE);
  checkOptions("options", options, ["signal"]);
  const { signal } = options;
  const samples = Math.ceil((waveform.length * to) / from);
  if (samples > MAX_SAMPLES) {
    const rates = `resampling from ${from} to ${to} Hz`;
    const problem = `${rates} would give ${samples} samples, more than ${MAX_SAMPLES}`;
    throw new SdaError("ERR_SDA_LIMIT", problem, { samples, limit: MAX_SAMPLES });
  }
  const addon = engineAddon();
  const tensor = { shape: [waveform.length], data: waveform };
  const { data } = await callNative(addon, signal, (cancel) =>
    addon.resample(tensor, from, to, cancel),
  );
  return data;
}
