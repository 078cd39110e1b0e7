/** The mel spectrograms that BigVGAN takes, from those of the Python program's models. */
import { badArgument } from "../base/check.js";
import { Tensor } from "../values/values.js";

const BANDS = 128;
const N_FFT = 2048;
const BINS = N_FFT / 2 + 1;
/** Hz: of the models, and of BigVGAN (nvidia/bigvgan_v2_44khz_128band_512x) */
const MODEL_RATE = 48000;
const BIGVGAN_RATE = 44100;
/** Added to the Gram matrix's diagonal, so that its inverse stays small. */
const RIDGE = 1e-4;
const SMALLEST = 1e-5;

let transfer: Float64Array | undefined;

/**
 * Converts a model's log mel spectrogram to the one that BigVGAN takes: another filter bank
 * (Slaney's, normalised by area, for 44100 Hz, in place of HTK's for 48000 Hz), another number of
 * frames, and a natural logarithm. Version 1.1 of the Python program plays models without a vocoder
 * of their own with BigVGAN, whose network (489 MB) this package does not have.
 *
 * The steps: powers e^x - 1, where x is the mel clamped at 0; the new bank times the old bank's
 * inverse H·(HᵀH + 10⁻⁴·I)⁻¹; linear interpolation over time, with the centres of the frames half a
 * frame from the ends, to round(time · 48000 / 44100) frames; ln(max(y, 10⁻⁵)).
 *
 * @param mel [1, 1, 128, time], float32, as `ConvVae.decode` gives it
 * @returns [1, 128, round(time · 48000 / 44100)], float32; halves are rounded to even
 * @throws SdaError ERR_SDA_ARGUMENT (`details.option`) for another shape, dtype, or a value that is
 *   not finite
 * @example
 * ```js
 * const mel = new Tensor("float32", [1, 1, 128, 94], new Float32Array(128 * 94).fill(0.5));
 * console.log(bigvganMel(mel).shape); // [ 1, 128, 102 ]
 * ```
 */
export function bigvganMel(mel: Tensor): Tensor {
  const frames = mel?.shape?.[3] ?? 0;
  const isMel =
    mel?.dtype === "float32" && frames > 0 && mel.shape.join() === `1,1,${BANDS},${frames}`;
  if (!isMel) throw badArgument("mel", `a float32 tensor of [1, 1, ${BANDS}, time]`, mel?.shape);
  const values = mel.data as Float32Array;
  if (!values.every(Number.isFinite)) throw badArgument("mel", "finite", "NaN or infinity");

  const power = Float64Array.from(values, (x) => Math.expm1(Math.max(0, x)));
  transfer ??= transferMatrix();
  const moved = product(transfer, power, BANDS, BANDS, frames);
  const length = roundToEven((frames * MODEL_RATE) / BIGVGAN_RATE);
  const result = new Float32Array(BANDS * length);
  for (let t = 0; t < length; t++) {
    const at = Math.min(Math.max(((t + 0.5) * frames) / length - 0.5, 0), frames - 1);
    const before = Math.floor(at);
    const after = Math.min(before + 1, frames - 1);
    for (let band = 0; band < BANDS; band++) {
      const [a, b] = [moved[band * frames + before], moved[band * frames + after]] as number[];
      const y = (a as number) + ((b as number) - (a as number)) * (at - before);
      result[band * length + t] = Math.log(Math.max(y, SMALLEST));
    }
  }
  return new Tensor("float32", [1, BANDS, length], result);
}

function roundToEven(x: number): number {
  const low = Math.floor(x);
  if (x - low !== 0.5) return Math.round(x);
  return low % 2 === 0 ? low : low + 1;
}

/**
 * [Slaney's bands, HTK's bands]. The matrix to invert is so ill-conditioned (5·10⁴) that the
 * program's float32 roundings show in the result, so they are made here: LAPACK's sgetrf and
 * sgetrs.
 */
function transferMatrix(): Float64Array {
  const htk = htkBank();
  const gram = new Float32Array(BANDS * BANDS);
  for (let i = 0; i < BANDS; i++) {
    for (let j = 0; j < BANDS; j++) {
      const sum = Math.fround(overlap(htk, i, htk, j));
      gram[i * BANDS + j] = i === j ? sum + Math.fround(RIDGE) : sum;
    }
  }
  const inverse = Float64Array.from(inverted(gram));
  const slaney = slaneyBank();
  const both = new Float64Array(BANDS * BANDS);
  for (let i = 0; i < BANDS; i++)
    for (let j = 0; j < BANDS; j++) both[i * BANDS + j] = overlap(slaney, i, htk, j);
  return product(both, inverse, BANDS, BANDS, BANDS);
}

/** The scalar product of two filters. */
function overlap(a: Float32Array, i: number, b: Float32Array, j: number): number {
  let sum = 0;
  for (let k = 0; k < BINS; k++) {
    const weight = a[i * BINS + k] as number;
    if (weight !== 0) sum += weight * (b[j * BINS + k] as number);
  }
  return sum;
}

/** The inverse by an LU decomposition with partial pivoting; each operation rounds to float32. */
function inverted(matrix: Float32Array): Float32Array {
  const { fround } = Math;
  const a = matrix.slice();
  const at = (i: number, j: number) => i * BANDS + j;
  const x = new Float32Array(BANDS * BANDS);
  for (let i = 0; i < BANDS; i++) x[at(i, i)] = 1;
  const swap = (rows: Float32Array, i: number, j: number) => {
    const row = rows.slice(at(i, 0), at(i + 1, 0));
    rows.copyWithin(at(i, 0), at(j, 0), at(j + 1, 0));
    rows.set(row, at(j, 0));
  };
  /** rows[i] -= factor · from[k], from column `first` on */
  const subtract = (rows: Float32Array, i: number, factor: number, k: number, first: number) => {
    if (factor === 0) return;
    for (let j = first; j < BANDS; j++) {
      const to = at(i, j);
      rows[to] = (rows[to] as number) - fround(factor * (rows[at(k, j)] as number));
    }
  };
  for (let k = 0; k < BANDS; k++) {
    let pivot = k;
    for (let i = k + 1; i < BANDS; i++)
      if (Math.abs(a[at(i, k)] as number) > Math.abs(a[at(pivot, k)] as number)) pivot = i;
    if (pivot !== k) {
      swap(a, k, pivot);
      swap(x, k, pivot);
    }
    const reciprocal = fround(1 / (a[at(k, k)] as number));
    for (let i = k + 1; i < BANDS; i++) {
      a[at(i, k)] = (a[at(i, k)] as number) * reciprocal;
      subtract(a, i, a[at(i, k)] as number, k, k + 1);
    }
  }
  for (let i = 0; i < BANDS; i++)
    for (let k = 0; k < i; k++) subtract(x, i, a[at(i, k)] as number, k, 0);
  for (let i = BANDS - 1; i >= 0; i--) {
    for (let k = BANDS - 1; k > i; k--) subtract(x, i, a[at(i, k)] as number, k, 0);
    const reciprocal = fround(1 / (a[at(i, i)] as number));
    for (let j = 0; j < BANDS; j++) x[at(i, j)] = (x[at(i, j)] as number) * reciprocal;
  }
  return x;
}

function product(a: Float64Array, b: Float64Array, rows: number, inner: number, columns: number) {
  const result = new Float64Array(rows * columns);
  for (let i = 0; i < rows; i++)
    for (let k = 0; k < inner; k++) {
      const weight = a[i * inner + k] as number;
      for (let j = 0; j < columns; j++) {
        const to = i * columns + j;
        result[to] = (result[to] as number) + weight * (b[k * columns + j] as number);
      }
    }
  return result;
}

/**
 * HTK's bank: 2595·log10(1 + f/700) (O'Shaughnessy 1987), not normalised by area, with the float32
 * roundings of the engine's (native/engine/spectrum/mel_scale.cc): [bands, bins]
 */
function htkBank(): Float32Array {
  const { fround } = Math;
  const last = fround(2595 * Math.log10(1 + MODEL_RATE / 2 / 700));
  const step = fround(last / (BANDS + 1));
  const corners = Array.from({ length: BANDS + 2 }, (_, i) => {
    const isLow = i < (BANDS + 2) / 2;
    const mel = fround(isLow ? step * i : last - step * (BANDS + 1 - i));
    return fround(700 * fround(powerOfTen(fround(mel / 2595)) - 1));
  });
  const bank = new Float32Array(BANDS * BINS);
  for (let band = 0; band < BANDS; band++) {
    const [low, middle, high] = corners.slice(band, band + 3) as [number, number, number];
    for (let k = 0; k < BINS; k++) {
      const hz = (k * MODEL_RATE) / N_FFT;
      const up = fround(fround(hz - low) / fround(middle - low));
      const down = fround(fround(high - hz) / fround(high - middle));
      bank[band * BINS + k] = Math.max(0, Math.min(up, down));
    }
  }
  return bank;
}

/** 10^x with the roundings of torch.pow; see the engine's function of this name. */
function powerOfTen(x: number): number {
  const { fround } = Math;
  const exponent = 2.302585092995234 * x;
  const q = Math.round(fround(fround(exponent) * fround(Math.LOG2E)));
  const s = exponent - q * 0.693145751953125 - q * fround(1.428606765330187e-6);
  const series = [
    0.0013632464688271284, 0.00836596917361021, 0.04167108237743378, 0.16666552424430847,
    0.49999985098838806,
  ].map(fround);
  const sum = series.reduce((total, term) => fround(total * fround(s) + term));
  return fround(1 + (s + s * s * sum)) * 2 ** q;
}

/**
 * Slaney's bank: linear up to 1000 Hz, logarithmic above (Slaney 1998, "Auditory Toolbox"),
 * normalised by area: [bands, bins]
 */
function slaneyBank(): Float32Array {
  const PER_MEL = 200 / 3;
  const BREAK = 1000;
  const STEP = Math.log(6.4) / 27;
  const breakMel = BREAK / PER_MEL;
  const last = breakMel + Math.log(BIGVGAN_RATE / 2 / BREAK) / STEP;
  const corners = Array.from({ length: BANDS + 2 }, (_, i) => {
    const mel = (last * i) / (BANDS + 1);
    return mel < breakMel ? mel * PER_MEL : BREAK * Math.exp(STEP * (mel - breakMel));
  });
  const bank = new Float32Array(BANDS * BINS);
  for (let band = 0; band < BANDS; band++) {
    const [low, middle, high] = corners.slice(band, band + 3) as [number, number, number];
    for (let k = 0; k < BINS; k++) {
      const hz = (k * BIGVGAN_RATE) / N_FFT;
      const weight = Math.min((hz - low) / (middle - low), (high - hz) / (high - middle));
      bank[band * BINS + k] = (Math.max(0, weight) * 2) / (high - low);
    }
  }
  return bank;
}
