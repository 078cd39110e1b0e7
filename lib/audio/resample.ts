import { badArgument, checkInteger, checkSignal } from "../base/check.js";
import { SdaError } from "../base/errors.js";
import { callNative } from "../native/call.js";
import { engineAddon } from "../native/load.js";

/** Hz; as that of a model may be */
const MAX_RATE = 768_000;
/** 4 GiB of samples */
const MAX_SAMPLES = 2 ** 30;

/**
 * The same sound at another sample rate: windowed-sinc interpolation as `torchaudio.functional.resample` does it by default
 * (Hann window, six zero crossings a side, cutoff at 0.99 of the lower Nyquist frequency; Smith, "Digital Audio Resampling
 * Home Page"), on the engine's threads. `AudioSpectrogram.waveformToMel` wants sound at the model's rate.
 *
 * @param waveform one channel; copied before the call returns
 * @param fromRate Hz, a whole number from 1 to 768,000
 * @param toRate as `fromRate`
 * @returns ⌈samples · toRate / fromRate⌉ samples, an array of its own
 * @throws SdaError ERR_SDA_ARGUMENT (`details.option`); ERR_SDA_LIMIT: more than 2^30 samples, or the engine has too many
 *   requests; ERR_SDA_LIBTORCH or ERR_SDA_NATIVE where there is no engine; `signal.reason`
 */
export async function resample(
  waveform: Float32Array,
  fromRate: number,
  toRate: number,
  options: { signal?: AbortSignal } = {},
): Promise<Float32Array> {
  if (!(waveform instanceof Float32Array))
    throw badArgument("waveform", "a Float32Array", waveform);
  const from = checkInteger("fromRate", fromRate, 1, MAX_RATE);
  const to = checkInteger("toRate", toRate, 1, MAX_RATE);
  const { signal } = options;
  checkSignal(signal);
  const samples = Math.ceil((waveform.length * to) / from);
  if (samples > MAX_SAMPLES) {
    const problem = `resampling from ${from} to ${to} Hz would give ${samples} samples, more than ${MAX_SAMPLES}`;
    throw new SdaError("ERR_SDA_LIMIT", problem, { samples, limit: MAX_SAMPLES });
  }
  const addon = engineAddon();
  const tensor = { shape: [waveform.length], data: waveform };
  const { data } = await callNative(addon, signal, (cancel) =>
    addon.resample(tensor, from, to, cancel),
  );
  return data;
}
