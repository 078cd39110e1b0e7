import type { Floats } from "../values/arrays.js";
import type { QualityReport } from "./quality.js";

/** Finished sound, whoever made it: one `Float32Array` per channel, all of the same length. */
export interface Sound {
  /** Samples from -1 to 1, by channel */
  audio: readonly Float32Array[];
  /** Hz */
  sampleRate: number;
}

/** The sound that `LoadedModel.generate` made, with its facts. */
export interface GenerationResult extends Sound {
  audio: Floats[];
  channels: number;
  /** Seconds: samples / sampleRate; with "crossfade" less than `durationS` asks for */
  durationS: number;
  /** The seed in use. The same seed gives the same sound again. */
  seed: number;
  quality: QualityReport;
}

/** The shape of finished sound, known before any of it is made. */
export interface AudioFormat {
  /** Hz */
  sampleRate: number;
  channels: number;
  /** Samples per channel */
  frames: number;
}
