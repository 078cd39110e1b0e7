import type { QualityReport } from "./quality.js";

/** Finished sound: one Float32Array per channel, all of one length, samples from -1 to 1. */
export interface GenerationResult {
  audio: Float32Array[];
  /** Hz */
  sampleRate: number;
  channels: number;
  /** Seconds: samples / sampleRate, which may be a little less than was asked for */
  durationS: number;
  /** The seed that was used; the same one gives the same sound again */
  seed: number;
  quality: QualityReport;
}

/** The shape of finished sound, known before any of it is made. */
export interface AudioFormat {
  /** Hz */
  sampleRate: number;
  channels: number;
  /** Samples a channel */
  frames: number;
}
