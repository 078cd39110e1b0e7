/** The JSON files beside sounds, field by field. */
import { CONCAT_MODES, JOINTS, LOUDNESSES, SPATIAL_MODES } from "../audio/options.js";
import type { QualityReport } from "../audio/quality.js";
import { QUALITY } from "../audio/quality-json.js";
import type { BitDepth } from "../audio/wav-format.js";
import type { PyDict, PyValue } from "../base/python-json.js";
import {
  type Fields,
  FLOAT,
  FLOATS,
  field,
  INT,
  type Kind,
  NUMBERS,
  object,
  oneOf,
  orNull,
  TEXT,
} from "../base/python-record.js";
import { isMap } from "../base/realm.js";

interface Spatial {
  mode: (typeof SPATIAL_MODES)[number];
  width: number;
  depth: number;
}

const SPATIAL = object<Spatial>({
  mode: field("mode", oneOf(SPATIAL_MODES)),
  width: field("width", FLOAT),
  depth: field("depth", FLOAT),
});

/** The names that the Python program gives to bit depths. */
const BIT_DEPTH_NAMES: Record<BitDepth, string> = {
  16: "16-bit",
  24: "24-bit",
  32: "32-bit float",
};

const BIT_DEPTH: Kind<BitDepth> = {
  expected: `one of ${Object.values(BIT_DEPTH_NAMES).join(", ")}`,
  read: (value) => {
    const found = Object.entries(BIT_DEPTH_NAMES).find(([, name]) => name === value);
    return found && (Number(found[0]) as BitDepth);
  },
  write: (value) => BIT_DEPTH_NAMES[value],
};

/** The settings of the Python program that a sound was made with. */
export interface Generation {
  durationS: number;
  maxDurationS: number;
  seed: number | null;
  chunkDurationS: number;
  concatMode: (typeof CONCAT_MODES)[number];
  stereoMode: string;
  stereoWidth: number;
  spatial: Spatial | null;
  exportFormat: string;
  sampleRate: number;
  bitDepth: BitDepth;
  stepsBetween: number;
  overlapSamples: number;
  /** Only programs after version 1.0 have it */
  evolution: number | null;
  latentVector: number[] | null;
}

const GENERATION: Fields<Generation> = {
  durationS: field("duration_s", FLOAT),
  maxDurationS: field("max_duration_s", FLOAT, 60),
  seed: field("seed", orNull(INT), null),
  chunkDurationS: field("chunk_duration_s", FLOAT, 1),
  concatMode: field("concat_mode", oneOf(CONCAT_MODES)),
  stereoMode: field("stereo_mode", TEXT, "mono"),
  stereoWidth: field("stereo_width", FLOAT, 0.7),
  spatial: field("spatial", orNull(SPATIAL), null),
  exportFormat: field("export_format", TEXT, "wav"),
  sampleRate: field("sample_rate", INT),
  bitDepth: field("bit_depth", BIT_DEPTH),
  stepsBetween: field("steps_between", INT),
  overlapSamples: field("overlap_samples", INT),
  evolution: field("evolution_amount", orNull(FLOAT), null),
  latentVector: field("latent_vector", orNull(FLOATS), null),
};

/** What a sidecar says of the sound file. */
export interface SidecarAudio {
  /** The file's name, without its folder */
  file: string;
  /** "WAV", whatever the file's format is */
  format: string;
  /** Hz */
  sampleRate: number;
  bitDepth: BitDepth;
  channels: number;
  /** Seconds */
  durationS: number;
}

const AUDIO: Fields<SidecarAudio> = {
  file: field("file", TEXT),
  format: field("format", TEXT, "WAV"),
  sampleRate: field("sample_rate", INT),
  bitDepth: field("bit_depth", BIT_DEPTH),
  channels: field("channels", INT),
  durationS: field("duration_s", FLOAT),
};

/** What this package adds to the Python program's form. */
export interface Additions {
  modelId: string | null;
  joint: (typeof JOINTS)[number];
  loudness: (typeof LOUDNESSES)[number];
  sliders: number[] | null;
  /** "other": that of another model */
  vocoder: string;
  temperature: number | null;
  topK: number | null;
  topP: number | null;
}

const ADDITIONS: Fields<Additions> = {
  modelId: field("model_id", orNull(TEXT), null),
  joint: field("joint", oneOf(JOINTS), "python"),
  loudness: field("loudness", oneOf(LOUDNESSES), "peak"),
  sliders: field("sliders", orNull(NUMBERS), null),
  vocoder: field("vocoder", TEXT, "auto"),
  temperature: field("temperature", orNull(FLOAT), null),
  topK: field("top_k", orNull(INT), null),
  topP: field("top_p", orNull(FLOAT), null),
};

export interface SidecarContent {
  version: number;
  timestamp: string;
  modelName: string;
  seed: number;
  generation: Generation;
  /** null: the program measured none */
  quality: QualityReport | null;
  audio: SidecarAudio;
  sda: Additions;
}

export const SIDECAR: Fields<SidecarContent> = {
  version: field("version", INT, 1),
  timestamp: field("timestamp", TEXT, ""),
  modelName: field("model_name", TEXT),
  seed: field("seed", INT),
  generation: field("generation", object(GENERATION)),
  quality: field("quality", orNull(QUALITY)),
  audio: field("audio", object(AUDIO)),
  sda: field("sda", object(ADDITIONS), {
    modelId: null,
    joint: "python",
    loudness: "peak",
    sliders: null,
    vocoder: "auto",
    temperature: null,
    topK: null,
    topP: null,
  }),
};

/** Settings of a model of codes: the program has them in `generation`, other sidecars in `sda`. */
const OF_CODES = ["temperature", "top_k", "top_p"] as const;
const MODEL_TYPE = "vqvae";

/**
 * Turns a sidecar into the form that the Python program writes for a model of codes: few settings,
 * and an empty quality report. The measured one goes to the object `sda`.
 */
export function toCodesForm(value: PyDict): PyDict {
  const [generation, sda] = ["generation", "sda"].map((key) => value.get(key) as PyDict);
  return new Map(value)
    .set(
      "generation",
      dict({
        ...Object.fromEntries(OF_CODES.map((key) => [key, sda?.get(key)])),
        duration_s: generation?.get("duration_s"),
        overlap_samples: generation?.get("overlap_samples"),
        model_type: MODEL_TYPE,
      }),
    )
    .set("quality", new Map())
    .set(
      "sda",
      new Map([...without(sda ?? new Map(), OF_CODES), ["quality", value.get("quality") ?? null]]),
    );
}

/** Turns a sidecar of a model of codes into the form of the others. */
export function fromCodesForm(value: PyDict): PyDict {
  const [generation, audio] = ["generation", "audio"].map((key) => value.get(key));
  if (!isMap(generation) || !generation.has("model_type") || !isMap(audio)) return value;
  const given = value.get("sda");
  const sda: PyDict = isMap(given) ? given : new Map();
  return new Map(value)
    .set(
      "generation",
      dict({
        concat_mode: CONCAT_MODES[0],
        steps_between: 0n,
        sample_rate: audio.get("sample_rate"),
        bit_depth: audio.get("bit_depth"),
        duration_s: generation.get("duration_s"),
        overlap_samples: generation.get("overlap_samples"),
      }),
    )
    .set("quality", sda.get("quality") ?? null)
    .set(
      "sda",
      dict({
        ...Object.fromEntries(sda),
        ...Object.fromEntries(OF_CODES.map((key) => [key, generation.get(key)])),
      }),
    );
}

/**
 * Turns a sidecar of version 0.1 of this package, which had keys of its own, into the present form.
 *
 * @returns null: it is none
 */
export function fromFirstForm(value: PyDict): PyDict | null {
  const [model, config, audio, quality] = ["model", "config", "audio", "quality"].map((key) =>
    value.get(key),
  );
  if (!isMap(model) || !isMap(config) || !isMap(audio) || !isMap(quality)) return null;
  const bitDepth = BIT_DEPTH_NAMES[Number(config.get("bit_depth")) as BitDepth] ?? null;
  const spatial = config.get("spatial");
  const isMono = isMap(spatial) && spatial.get("mode") === "mono";
  const snr = quality.get("snr_db");
  return dict({
    model_name: model.get("name"),
    seed: value.get("seed"),
    generation: new Map([
      ...without(config, ["joint", "loudness", "sliders"]),
      ["bit_depth", bitDepth],
      ["spatial", isMono ? null : (spatial ?? null)],
    ]),
    // JSON has no infinities, so they were null.
    quality: new Map(quality).set(
      "snr_db",
      snr === null ? Number.POSITIVE_INFINITY : (snr ?? null),
    ),
    audio: new Map(audio).set("file", value.get("file") ?? null).set("bit_depth", bitDepth),
    sda: dict({
      model_id: model.get("model_id"),
      joint: config.get("joint"),
      loudness: config.get("loudness"),
      sliders: config.get("sliders"),
    }),
  });
}

function dict(members: Record<string, PyValue | undefined>): PyDict {
  return new Map(Object.entries(members).flatMap(([k, v]) => (v === undefined ? [] : [[k, v]])));
}

function without(record: PyDict, keys: readonly string[]): PyDict {
  return new Map([...record].filter(([key]) => !keys.includes(key)));
}
