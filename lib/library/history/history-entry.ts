import type { QualityReport } from "../../audio/quality.js";
import { QUALITY } from "../../audio/quality-json.js";
import {
  type Fields,
  FLOAT,
  FLOATS,
  field,
  INT,
  NUMBERS,
  orNull,
  TEXT,
} from "../../base/python-record.js";

/** One sound of the history. */
export interface HistoryEntry {
  /** A UUID, unless another program chose the id */
  entryId: string;
  /** When the sound was made: ISO 8601 in UTC */
  timestamp: string;
  modelId: string;
  modelName: string;
  /** null: the sound was made without sliders */
  sliderPositions: number[] | null;
  /** The number of the model's sliders */
  nComponents: number;
  seed: number;
  /** Seconds */
  durationS: number;
  /** Hz */
  sampleRate: number;
  /** A field of old versions of the Python program: "mono", also for stereo sound of new ones */
  stereoMode: string;
  /** "custom": the sound was made without a preset */
  presetName: string;
  /** Path of the WAV file, relative to the history's folder */
  audioFile: string;
  /** Path of the picture (PNG), relative to the history's folder */
  thumbnailFile: string;
  /** null: unknown */
  qualityScore: QualityReport | null;
  /** The first latent vector; null: random */
  latentVector: number[] | null;
}

/** The fields by their name in the file. */
export const HISTORY_FIELDS: Fields<HistoryEntry> = {
  entryId: field("entry_id", TEXT),
  timestamp: field("timestamp", TEXT, ""),
  modelId: field("model_id", TEXT, ""),
  modelName: field("model_name", TEXT, ""),
  sliderPositions: field("slider_positions", orNull(NUMBERS), null),
  nComponents: field("n_components", INT, 0),
  seed: field("seed", INT),
  durationS: field("duration_s", FLOAT),
  sampleRate: field("sample_rate", INT),
  stereoMode: field("stereo_mode", TEXT, "mono"),
  presetName: field("preset_name", TEXT, "custom"),
  audioFile: field("audio_file", TEXT),
  thumbnailFile: field("thumbnail_file", TEXT, ""),
  qualityScore: field("quality_score", orNull(QUALITY), null),
  latentVector: field("latent_vector", orNull(FLOATS), null),
};
