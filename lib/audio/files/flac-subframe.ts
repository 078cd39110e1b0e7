/**
 * The coding of one channel of a FLAC frame: a predictor, and Rice codes of what it misses
 * (RFC 9639, sections 9.2.5 to 9.2.7).
 */
import type { BitWriter } from "./bit-writer.js";

/** The highest order of linear prediction; FLAC's subset allows 12 up to 48 kHz. */
const MOST_LPC_ORDER = 12;
/** Bits of a coefficient. */
const PRECISION = 14;
const MOST_SHIFT = 15;
const MOST_PARTITION_ORDER = 6;
/** Rice parameters up to this have 4 bits; 5 bits otherwise. */
const MOST_SHORT_PARAMETER = 14;
const MOST_PARAMETER = 30;
/** Residuals stay below this, so that their Rice codes fit 32 bits. */
const RESIDUAL_LIMIT = 2 ** 30;
/** The header of a subframe. */
const HEADER_BITS = 8;

interface Prediction {
  order: number;
  /** Undefined: a fixed predictor */
  lpc?: { coefficients: Int32Array; shift: number };
  residual: Int32Array;
  rice: Rice;
  /** Of the whole subframe */
  bits: number;
}

interface Rice {
  partitionOrder: number;
  parameters: number[];
  bits: number;
}

/** @param bps bits per sample; a side channel has one more than the sound */
export function writeSubframe(out: BitWriter, samples: Int32Array, bps: number): void {
  const first = samples[0] as number;
  if (samples.every((value) => value === first)) {
    writeHeader(out, 0b000000);
    out.write(first, bps);
    return;
  }
  const fixed = fixedPrediction(samples, bps);
  const linear = linearPrediction(samples, bps);
  const best = linear && (!fixed || linear.bits < fixed.bits) ? linear : fixed;
  if (!best || best.bits >= HEADER_BITS + samples.length * bps) {
    writeHeader(out, 0b000001);
    for (const sample of samples) out.write(sample, bps);
    return;
  }
  const { order, lpc } = best;
  writeHeader(out, lpc ? 0b100000 | (order - 1) : 0b001000 | order);
  for (let i = 0; i < order; i++) out.write(samples[i] as number, bps);
  if (lpc) {
    out.write(PRECISION - 1, 4);
    out.write(lpc.shift, 5);
    for (const coefficient of lpc.coefficients) out.write(coefficient, PRECISION);
  }
  writeResidual(out, best);
}

function writeHeader(out: BitWriter, type: number): void {
  out.write(type << 1, HEADER_BITS); // a zero before it, and no wasted bits after it
}

function writeResidual(out: BitWriter, { residual, order, rice }: Prediction): void {
  const isLong = rice.parameters.some((parameter) => parameter > MOST_SHORT_PARAMETER);
  out.write(isLong ? 1 : 0, 2);
  out.write(rice.partitionOrder, 4);
  const length = residual.length >> rice.partitionOrder;
  rice.parameters.forEach((parameter, partition) => {
    out.write(parameter, isLong ? 5 : 4);
    const end = (partition + 1) * length;
    for (let i = Math.max(order, partition * length); i < end; i++) {
      const folded = fold(residual[i] as number);
      out.writeUnary(folded >>> parameter);
      out.write(folded, parameter);
    }
  });
}

/** 0, -1, 1, -2, 2, … become 0, 1, 2, 3, 4, … */
function fold(residual: number): number {
  return ((residual << 1) ^ (residual >> 31)) >>> 0;
}

/** The best of the five fixed predictors, which are differences of order 0 to 4. */
function fixedPrediction(samples: Int32Array, bps: number): Prediction | undefined {
  const n = samples.length;
  let best: { order: number; residual: Float64Array; sum: number } | undefined;
  let residual = Float64Array.from(samples);
  for (let order = 0; order <= 4 && order < n; order++) {
    if (order > 0) {
      const next = new Float64Array(n);
      for (let i = order; i < n; i++) {
        next[i] = (residual[i] as number) - (residual[i - 1] as number);
      }
      residual = next;
    }
    let sum = 0;
    let largest = 0;
    for (let i = order; i < n; i++) {
      const size = Math.abs(residual[i] as number);
      sum += size;
      if (size > largest) largest = size;
    }
    if (largest >= RESIDUAL_LIMIT) break;
    if (!best || sum < best.sum) best = { order, residual, sum };
  }
  if (!best) return undefined;
  return predicted(best.order, Int32Array.from(best.residual), best.order * bps);
}

function predicted(order: number, residual: Int32Array, headBits: number): Prediction {
  const rice = riceOf(residual, order);
  return { order, residual, rice, bits: HEADER_BITS + headBits + rice.bits };
}

/** Linear prediction: Levinson-Durbin recursion on the windowed samples' autocorrelation. */
function linearPrediction(samples: Int32Array, bps: number): Prediction | undefined {
  const n = samples.length;
  const most = Math.min(MOST_LPC_ORDER, n - 1);
  if (most < 1) return undefined;
  const model = bestModel(autocorrelation(samples, most), n, bps);
  const quantized = model && quantize(model);
  if (!quantized) return undefined;
  const residual = residualOf(samples, quantized);
  if (!residual) return undefined;
  const order = quantized.coefficients.length;
  const headBits = order * (bps + PRECISION) + 4 + 5;
  return { ...predicted(order, residual, headBits), lpc: quantized };
}

const windows = new Map<number, Float64Array>();
/** Lengths of blocks to remember the windows of: whole blocks, and some last blocks. */
const MOST_WINDOWS = 4;

/** Welch's window, which falls to 0 at both ends. */
function windowOf(n: number): Float64Array {
  const known = windows.get(n);
  if (known) return known;
  const half = (n + 1) / 2;
  const made = Float64Array.from({ length: n }, (_, i) => 1 - ((i + 1 - half) / half) ** 2);
  if (windows.size >= MOST_WINDOWS) windows.clear();
  windows.set(n, made);
  return made;
}

function autocorrelation(samples: Int32Array, most: number): Float64Array {
  const n = samples.length;
  const window = windowOf(n);
  const windowed = new Float64Array(n);
  for (let i = 0; i < n; i++) windowed[i] = (samples[i] as number) * (window[i] as number);
  return Float64Array.from({ length: most + 1 }, (_, lag) => {
    let sum = 0;
    for (let i = lag; i < n; i++) sum += (windowed[i] as number) * (windowed[i - lag] as number);
    return sum;
  });
}

/** The coefficients of the order that seems to need the fewest bits. */
function bestModel(correlation: Float64Array, n: number, bps: number): number[] | undefined {
  let error = correlation[0] as number;
  let coefficients: number[] = [];
  let best: { coefficients: number[]; bits: number } | undefined;
  for (let order = 1; order < correlation.length && error > 0; order++) {
    let sum = correlation[order] as number;
    coefficients.forEach((c, j) => {
      sum -= c * (correlation[order - 1 - j] as number);
    });
    const reflection = sum / error;
    const before = coefficients;
    coefficients = before.map((c, j) => c - reflection * (before[order - 2 - j] as number));
    coefficients.push(reflection);
    error *= 1 - reflection * reflection;
    const perSample = Math.max(0, 0.5 * Math.log2(Math.max(error, Number.MIN_VALUE) / n));
    const bits = perSample * (n - order) + order * (bps + PRECISION);
    if (Number.isFinite(bits) && (!best || bits < best.bits)) best = { coefficients, bits };
  }
  return best?.coefficients;
}

/** Rounds the coefficients; each rounding error goes into the next coefficient. */
function quantize(model: readonly number[]) {
  const largest = Math.max(...model.map(Math.abs));
  const top = 2 ** (PRECISION - 1) - 1;
  const shift = Math.min(MOST_SHIFT, Math.floor(Math.log2(top / largest)));
  if (!(largest > 0) || shift < 0) return undefined;
  let error = 0;
  const coefficients = Int32Array.from(model, (value) => {
    const exact = value * 2 ** shift + error;
    const rounded = Math.min(top, Math.max(-top - 1, Math.round(exact)));
    error = exact - rounded;
    return rounded;
  });
  return { coefficients, shift };
}

/** The sums stay below 2^53, where the arithmetic of doubles is exact, as a decoder's is. */
function residualOf(
  samples: Int32Array,
  { coefficients, shift }: { coefficients: Int32Array; shift: number },
): Int32Array | undefined {
  const order = coefficients.length;
  const scale = 2 ** -shift;
  const residual = new Int32Array(samples.length);
  for (let i = order; i < samples.length; i++) {
    let sum = 0;
    for (let j = 0; j < order; j++) {
      sum += (coefficients[j] as number) * (samples[i - 1 - j] as number);
    }
    const missed = (samples[i] as number) - Math.floor(sum * scale);
    if (Math.abs(missed) >= RESIDUAL_LIMIT) return undefined;
    residual[i] = missed;
  }
  return residual;
}

/** The division into partitions, each with a Rice parameter, that needs the fewest bits. */
function riceOf(residual: Int32Array, order: number): Rice {
  const n = residual.length;
  let partitionOrder = 0;
  while (
    partitionOrder < MOST_PARTITION_ORDER &&
    n % 2 ** (partitionOrder + 1) === 0 &&
    n >> (partitionOrder + 1) > order
  ) {
    partitionOrder++;
  }
  let sums = foldedSums(residual, order, partitionOrder);
  let best = riceFor(sums, n, order);
  while (sums.length > 1) {
    sums = pairs(sums);
    const found = riceFor(sums, n, order);
    if (found.bits < best.bits) best = found;
  }
  return best;
}

function foldedSums(residual: Int32Array, order: number, partitionOrder: number): number[] {
  const length = residual.length >> partitionOrder;
  return Array.from({ length: 2 ** partitionOrder }, (_, partition) => {
    let sum = 0;
    const end = (partition + 1) * length;
    for (let i = Math.max(order, partition * length); i < end; i++) {
      sum += fold(residual[i] as number);
    }
    return sum;
  });
}

function pairs(sums: readonly number[]): number[] {
  return Array.from(
    { length: sums.length / 2 },
    (_, i) => (sums[2 * i] as number) + (sums[2 * i + 1] as number),
  );
}

/** @param sums of the folded residuals of each partition */
function riceFor(sums: readonly number[], n: number, order: number): Rice {
  const length = n / sums.length;
  let bits = 2 + 4;
  const parameters = sums.map((sum, partition) => {
    const count = partition === 0 ? length - order : length;
    const near = Math.floor(Math.log2(Math.max(1, sum / Math.max(1, count))));
    let best = { parameter: 0, bits: Number.POSITIVE_INFINITY };
    for (let k = Math.max(0, near - 1); k <= Math.min(MOST_PARAMETER, near + 1); k++) {
      const needed = count * (k + 1) + sum / 2 ** k;
      if (needed < best.bits) best = { parameter: k, bits: needed };
    }
    bits += best.bits + 5;
    return best.parameter;
  });
  return { partitionOrder: Math.log2(sums.length), parameters, bits };
}
