/** What the server's API sends: the library's own types, and what HTTP adds to them. */
import type {
  GenerateOptions,
  ModelEntry,
  QualityReport,
  SliderInfo,
  SpectrogramConfig,
} from "small-dataset-audio";

export type { ModelEntry, SliderInfo };
export type BitDepth = 16 | 24 | 32;

export interface ModelPage {
  models: ModelEntry[];
  total: number;
  page: number;
  pageSize: number;
}

export interface TagCount {
  tag: string;
  count: number;
}

export interface ModelDetail extends ModelEntry {
  /** Hz */
  sampleRate: number;
  latentDim: number;
  hasEncoder: boolean;
  parameters: number;
  /** How many */
  tensors: number;
  bytes: number;
  spectrogramConfig: SpectrogramConfig;
  trainingConfig: Record<string, unknown>;
  componentLabels: string[];
}

export interface ModelChange {
  name?: string;
  description?: string;
  tags?: string[];
  componentLabels?: string[];
}

export interface Sliders {
  modelId: string;
  half: number;
  sliders: SliderInfo[];
}

/** JSON has no Infinity: the signal-to-noise ratio of a sound without a silent frame is null. */
export type Quality = Omit<QualityReport, "snrDb"> & { snrDb: number | null };

export interface SoundResult {
  soundId: string;
  url: string;
  sampleRate: number;
  channels: number;
  frames: number;
  durationS: number;
  seed: number;
  quality: Quality;
  /** Per channel: min, max, min, max… */
  peaks: number[][];
  mel: { width: number; height: number; url: string };
}

export type GenerateBody = Omit<GenerateOptions, "latent" | "signal" | "onProgress">;

export interface Encoded {
  sampleRate: number;
  chunks: { startS: number; positions: number[] | null }[];
  positions: number[] | null;
}

export interface Session {
  writable: boolean;
  tokenRequired: boolean;
  maxUploadBytes: number;
  maxDurationS: number;
  version: string;
}

export interface LibraryChange {
  added: string[];
  removed: string[];
  changed: string[];
  total: number;
}

export interface Progress {
  requestId: string;
  done: number;
  total: number;
}
