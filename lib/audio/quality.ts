import type { NativeQuality } from "../native/types.js";

/**
 * How clean a sound is: its signal-to-noise ratio over frames of 10 ms, its clipped samples
 * (|x| ≥ 0.999), and a rating derived from both.
 */
export interface QualityReport {
  /**
   * dB between frames with signal and frames without: Infinity when none is silent, 0 when all are
   */
  snrDb: number;
  clipping: {
    /** Samples with |x| ≥ 0.999, in all channels */
    clippedSamples: number;
    clippedPercentage: number;
    peakValue: number;
    /** The longest run of clipped samples */
    maxConsecutiveClipped: number;
    hasClipping: boolean;
  };
  rating: "green" | "yellow" | "red";
  /** The rating and its reasons as a sentence */
  ratingReason: string;
}

const RED_SNR_DB = 15;
const YELLOW_SNR_DB = 30;
const RED_CLIPPED_PERCENT = 0.1;

/**
 * Rates measured sound. Red: SNR below 15 dB, or more than 0.1 % of the samples clipped.
 * Yellow: SNR of at most 30 dB, or any clipping. Green otherwise.
 */
export function qualityReport(measured: NativeQuality): QualityReport {
  const { snrDb, clippedSamples, totalSamples, peakValue, maxConsecutiveClipped } = measured;
  const clippedPercentage = totalSamples === 0 ? 0 : (100 * clippedSamples) / totalSamples;
  const hasClipping = clippedSamples > 0;
  const facts = `SNR ${decibels(snrDb)} dB, ${clippingText(clippedSamples, clippedPercentage)}`;
  const [rating, verdict] =
    snrDb < RED_SNR_DB || clippedPercentage > RED_CLIPPED_PERCENT
      ? (["red", "Poor"] as const)
      : snrDb <= YELLOW_SNR_DB || hasClipping
        ? (["yellow", "Fair"] as const)
        : (["green", "Good"] as const);
  return {
    snrDb,
    clipping: { clippedSamples, clippedPercentage, peakValue, maxConsecutiveClipped, hasClipping },
    rating,
    ratingReason: `${verdict} quality (${facts})`,
  };
}

function decibels(value: number): string {
  return value === Number.POSITIVE_INFINITY ? "inf" : value.toFixed(1);
}

function clippingText(samples: number, percentage: number): string {
  if (samples === 0) return "no clipping";
  return `${samples} ${samples === 1 ? "sample" : "samples"} clipped, ${percentage.toFixed(3)} %`;
}

/** A frame with a root mean square above this is signal, any other is noise. */
const SIGNAL_RMS = 0.01;
const CLIP_LEVEL = 0.999;

/**
 * Measures and rates sound, as the engine does for the sound that it makes (see
 * native/engine/sound/quality.cc). The channels count one after the other as one signal.
 */
export function measureQuality(audio: readonly Float32Array[], sampleRate: number): QualityReport {
  const length = Math.max(1, Math.floor(sampleRate / 100));
  const signal = { power: 0, frames: 0 };
  const noise = { power: 0, frames: 0 };
  let [power, filled, clippedSamples, peakValue, maxConsecutiveClipped] = [0, 0, 0, 0, 0];
  for (const channel of audio) {
    let run = 0;
    for (const sample of channel) {
      const size = Math.abs(sample);
      peakValue = Math.max(peakValue, size);
      run = size >= Math.fround(CLIP_LEVEL) ? run + 1 : 0;
      if (run > 0) clippedSamples++;
      maxConsecutiveClipped = Math.max(maxConsecutiveClipped, run);
      power += sample * sample;
      if (++filled < length) continue;
      power /= length;
      const kind = Math.sqrt(power) > SIGNAL_RMS ? signal : noise;
      kind.power += power;
      kind.frames++;
      [power, filled] = [0, 0];
    }
  }
  return qualityReport({
    snrDb: signalToNoise(signal, noise),
    clippedSamples,
    totalSamples: audio.reduce((sum, channel) => sum + channel.length, 0),
    peakValue,
    maxConsecutiveClipped,
  });
}

type Frames = { power: number; frames: number };

function signalToNoise(signal: Frames, noise: Frames): number {
  if (signal.frames === 0) return 0;
  if (noise.frames === 0 || noise.power === 0) return Number.POSITIVE_INFINITY;
  return 10 * Math.log10(signal.power / signal.frames / (noise.power / noise.frames));
}
