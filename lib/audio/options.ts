import {
  badArgument,
  checkCallback,
  checkInteger,
  checkNumber,
  checkOneOf,
  checkOptions,
  optionNames,
  seedOrRandom,
} from "../base/check.js";
import { SdaError } from "../base/errors.js";
import { isFloat32Array } from "../base/realm.js";
import type { AnalysisResult } from "../latent/analysis.js";
import { slidersToLatent } from "../latent/sliders.js";
import type { ModelHandle, NativeGenerateOptions, NativeProgram } from "../native/types.js";
import { LIMITS } from "./limits.js";

export const SAMPLE_RATES = LIMITS.sampleRates;
export const CONCAT_MODES = LIMITS.concatModes;
export const SPATIAL_MODES = LIMITS.spatialModes;
export const JOINTS = LIMITS.joints;
export const LOUDNESSES = LIMITS.loudnesses;

/** How mono sound becomes stereo. */
export interface SpatialOptions {
  /**
   * - "mono": one channel
   * - "stereo": the right channel is 15 ms late; the side signal, half their difference, is scaled
   *   by `width`
   * - "dual_seed": the right channel is generated with seed + 1
   */
  mode: (typeof SPATIAL_MODES)[number];
  /**
   * Strength of the side signal, 0 to 1.5. Only "stereo" uses it. The defaults of width and depth
   * are those of the model's program: 0.5 and 0.3 up to the first Distill, 0.7 and 0.5 later.
   */
  width?: number;
  /**
   * One reflection per channel, depth · 40 ms late at depth · 0.15 of the level. 0 to 1, no
   * reflection below 0.01. "dual_seed" always uses 0.3.
   */
  depth?: number;
}

/** The property of a model in memory that holds the handle of its vocoder. */
export const VOCODER_HANDLE: unique symbol = Symbol.for("small-dataset-audio.vocoder") as never;

/** A `LoadedModel` whose file holds a vocoder. */
export interface ModelWithVocoder {
  readonly vocoder: { readonly type: string } | null;
}

/** What generation options mean for a model; see `Generation` in lib/format/generations.ts. */
export interface OptionsModel {
  latentDim: number;
  analysis: AnalysisResult | null;
  synthesis: NativeProgram["synthesis"];
  /** Whether the mels hold phases */
  isComplex: boolean;
  defaults: { readonly sampleRate: number; readonly width: number; readonly depth: number };
}

/**
 * The sound to make. Without `sliders` and `latent`, the sound is of random points in the latent
 * space.
 */
export interface GenerateOptions {
  /**
   * Seconds, above 0 and up to 60; default 1. With "crossfade", overlaps make the sound shorter:
   * 9.47 s for 10 and 56.57 s for 60 at 48 kHz. `audioFormat` tells the exact length.
   */
  durationS?: number;
  /** 0 to 2^53 - 1, used as by `torch.manual_seed`; drawn at random when omitted */
  seed?: number;
  /**
   * How one-second chunks are joined. Default "crossfade"
   *
   * - "crossfade": each chunk has its own latent; neighbours fade into each other
   * - "latent_interpolation": one anchor per second; the latents between two anchors come from
   *   spherical linear interpolation (Shoemake 1985, "Animating rotation with quaternion curves":
   *   the angle is that between the directions, the weights apply to the vectors themselves; linear
   *   where |cos| > 0.9995). The chunks' sounds follow each other without a fade.
   */
  concatMode?: (typeof CONCAT_MODES)[number];
  /** Positions as for `slidersToLatent`; needs a model with analysis. Excludes `latent`. */
  sliders?: number[];
  /**
   * [latentDim], finite: the first chunk's latent. Later chunks vary around it. Excludes `sliders`.
   */
  latent?: Float32Array;
  /**
   * Points per anchor interval of "latent_interpolation", 1 to 1000, at most 1024 chunks; default
   * 10
   */
  stepsBetween?: number;
  /** Length of a crossfade in samples at 48 kHz, 0 to 24000; default 2400 (50 ms) */
  overlapSamples?: number;
  /**
   * How chunks fade into each other. "python" (the default) fades as the Python program does, the
   * old chunk in and the new chunk out, so the same seed gives the same sound. "equal-power" avoids
   * the dip in loudness that this causes.
   */
  joint?: (typeof JOINTS)[number];
  /**
   * - "peak", the default of `generate`: the whole sound is scaled to a peak of 0.891 (-1 dBFS).
   *   Not for `stream`, which does not know the peak until the end
   * - "running", the default of `stream`: the first piece that is not silent sets the gain. Later
   *   the gain only falls: before a part that would exceed 0.891, it falls linearly over 10 ms.
   *   Equals "peak" when nothing is louder than the beginning
   * - "none": the model's own level
   */
  loudness?: (typeof LOUDNESSES)[number];
  /** Default mono */
  spatial?: SpatialOptions;
  /**
   * How far the sound moves away from `sliders` or a `latent` in the course of time, 0 to 1;
   * default 0.5. Only models since the second Distill ("distill-2", "distill-complex",
   * "distillgan")
   */
  evolution?: number;
  /**
   * What makes sound of mel spectrograms.
   *
   * - "auto" (the default): the model's own vocoder if its file has one, otherwise Griffin-Lim; for
   *   "distill-complex" the phases that the model makes
   * - "model": the model's own vocoder
   * - "griffin_lim": Griffin-Lim; not for "distill-complex"
   * - a `LoadedModel`: the vocoder of that model, which must take the same mels
   */
  vocoder?: "auto" | "model" | "griffin_lim" | ModelWithVocoder;
  /** Divides the logits that codes are drawn from, 0.01 to 100; default 1. Only "distill-vq" */
  temperature?: number;
  /** Draw from that many likeliest codes; 0 (the default): from all. Only "distill-vq" */
  topK?: number;
  /**
   * Draw from the likeliest codes whose chances add up to this, 0 to 1; default 0.9; 0 and 1: from
   * all. Only "distill-vq"
   */
  topP?: number;
  /**
   * Hz of the result. Default 48000, for "distillgan" 44100. "distill-vq" has 48000 whatever is
   * asked for, as its program
   */
  sampleRate?: (typeof SAMPLE_RATES)[number];
  /** Aborting rejects with the signal's reason */
  signal?: AbortSignal;
  /**
   * Called on the caller's thread with the number of finished chunks and of all chunks. An
   * exception that it throws stops the work, which rejects with that exception.
   */
  onProgress?: (done: number, total: number) => void;
}

const OPTIONS = optionNames<GenerateOptions>({
  durationS: true,
  seed: true,
  concatMode: true,
  sliders: true,
  latent: true,
  stepsBetween: true,
  overlapSamples: true,
  joint: true,
  loudness: true,
  spatial: true,
  sampleRate: true,
  evolution: true,
  vocoder: true,
  temperature: true,
  topK: true,
  topP: true,
  signal: true,
  onProgress: true,
});

/** Options that a model of codes cannot have: its program knows no latent space and no stereo. */
const NOT_OF_CODES = ["sliders", "latent", "concatMode", "stepsBetween", "spatial"] as const;
/** Options that only a model of codes has. */
const ONLY_OF_CODES = ["temperature", "topK", "topP"] as const;

/**
 * Checks every option and fills in the defaults.
 *
 * @throws SdaError ERR_SDA_ARGUMENT with `details.option`
 */
export function resolveGenerateOptions(
  options: GenerateOptions,
  model: OptionsModel,
  defaultLoudness: (typeof LOUDNESSES)[number] = "peak",
): NativeGenerateOptions {
  checkOptions("options", options, OPTIONS);
  refuseForeignOptions(options, model);
  const { durationS = 1, concatMode = "crossfade", stepsBetween = 10 } = options;
  const { overlapSamples = 2400, sampleRate = model.defaults.sampleRate, onProgress } = options;
  const { joint = "python", loudness = defaultLoudness } = options;
  const { above, max } = LIMITS.durationS;
  if (typeof durationS !== "number" || !(durationS > above && durationS <= max)) {
    throw badArgument("durationS", `above ${above} and at most ${max} seconds`, durationS);
  }
  checkCallback("onProgress", onProgress);
  checkInteger("stepsBetween", stepsBetween, LIMITS.stepsBetween.min, LIMITS.stepsBetween.max);
  const latent = resolveLatent(options, model);
  const chunks = (Math.ceil(durationS) - 1) * stepsBetween + 1;
  const isInterpolated = model.synthesis === "chunks" && concatMode === "latent_interpolation";
  if (isInterpolated && latent === undefined && chunks > LIMITS.chunks.max) {
    const expected = `fewer for ${durationS} s, so that the chunks are at most ${LIMITS.chunks.max}`;
    throw badArgument("stepsBetween", expected, stepsBetween);
  }
  return {
    durationS,
    seed: seedOrRandom(options.seed, LIMITS),
    concatMode: checkOneOf("concatMode", concatMode, CONCAT_MODES),
    ...(latent && { latent }),
    stepsBetween,
    overlapSamples: checkInteger(
      "overlapSamples",
      overlapSamples,
      LIMITS.overlapSamples.min,
      LIMITS.overlapSamples.max,
    ),
    joint: checkOneOf("joint", joint, JOINTS),
    loudness: checkOneOf("loudness", loudness, LOUDNESSES),
    ...resolveSpatial(options.spatial, model.defaults),
    sampleRate: checkOneOf("sampleRate", sampleRate as 48000, SAMPLE_RATES),
    evolution: inRange("evolution", options.evolution, 0.5),
    vocoder: resolveVocoder(options.vocoder),
    ...resolveSampling(options),
  };
}

/**
 * Checks the options of drawing codes and fills in the defaults.
 *
 * @throws SdaError ERR_SDA_ARGUMENT with `details.option`
 */
export function resolveSampling({
  temperature,
  topK = 0,
  topP,
}: Pick<GenerateOptions, "temperature" | "topK" | "topP">) {
  return {
    temperature: inRange("temperature", temperature, 1),
    topK: checkInteger("topK", topK, LIMITS.topK.min, LIMITS.topK.max),
    topP: inRange("topP", topP, 0.9),
  };
}

function inRange(
  name: "evolution" | "temperature" | "topP",
  value: number | undefined,
  fallback: number,
): number {
  return checkNumber(name, value ?? fallback, LIMITS[name].min, LIMITS[name].max);
}

function refuseForeignOptions(options: GenerateOptions, { synthesis, isComplex }: OptionsModel) {
  const refuse = (names: readonly (keyof GenerateOptions)[], why: string) => {
    const option = names.find((name) => options[name] !== undefined);
    if (option !== undefined) {
      throw new SdaError("ERR_SDA_ARGUMENT", `${option} is not for this model: ${why}`, { option });
    }
  };
  if (synthesis === "codes") refuse(NOT_OF_CODES, "it draws codes and makes mono sound");
  else refuse(ONLY_OF_CODES, "it draws no codes");
  if (synthesis !== "overlap-add") refuse(["evolution"], "its program makes each second by itself");
  if (isComplex && options.vocoder !== "auto")
    refuse(["vocoder"], "its mel spectrograms hold the phases");
}

function resolveVocoder(vocoder: GenerateOptions["vocoder"]): NativeGenerateOptions["vocoder"] {
  if (typeof vocoder === "object" && vocoder !== null) {
    const handle = (vocoder as { [VOCODER_HANDLE]?: ModelHandle })[VOCODER_HANDLE];
    if (handle !== undefined) return handle;
    throw badArgument("vocoder", "a LoadedModel whose file holds a vocoder", "another object");
  }
  if ((vocoder as string) === "bigvgan") {
    const problem =
      "this package does not have BigVGAN, whose weights take 489 MB: use griffin_lim, or the " +
      "vocoder of another model (bigvganMel makes its input)";
    throw new SdaError("ERR_SDA_ARGUMENT", problem, { option: "vocoder" });
  }
  return checkOneOf("vocoder", vocoder ?? "auto", ["auto", "model", "griffin_lim"] as const);
}

function resolveSpatial(spatial: unknown, defaults: OptionsModel["defaults"]) {
  if (spatial === undefined) return { spatialMode: "mono" as const, width: 0, depth: 0 };
  if (typeof spatial !== "object" || spatial === null) {
    throw badArgument("spatial", "an object with a mode", spatial);
  }
  checkOptions("spatial", spatial, ["mode", "width", "depth"]);
  const { mode, width = defaults.width, depth = defaults.depth } = spatial as SpatialOptions;
  return {
    spatialMode: checkOneOf("spatial.mode", mode, SPATIAL_MODES),
    width: checkNumber("spatial.width", width, LIMITS.width.min, LIMITS.width.max),
    depth: checkNumber("spatial.depth", depth, LIMITS.depth.min, LIMITS.depth.max),
  };
}

function resolveLatent(
  { sliders, latent }: GenerateOptions,
  model: { latentDim: number; analysis: AnalysisResult | null },
): Float32Array | undefined {
  if (sliders !== undefined && latent !== undefined) {
    throw new SdaError("ERR_SDA_ARGUMENT", "give sliders or latent, not both", {
      option: "sliders",
    });
  }
  if (sliders !== undefined) {
    if (model.analysis === null) {
      throw new SdaError("ERR_SDA_ARGUMENT", "this model has no analysis, so it has no sliders", {
        option: "sliders",
      });
    }
    return slidersToLatent(model.analysis, sliders);
  }
  if (latent !== undefined) {
    if (!isFloat32Array(latent) || latent.length !== model.latentDim) {
      throw badArgument("latent", `a Float32Array of ${model.latentDim}`, describe(latent));
    }
    if (!latent.every(Number.isFinite)) throw badArgument("latent", "finite", "NaN or infinity");
  }
  return latent;
}

function describe(latent: unknown): unknown {
  return isFloat32Array(latent) ? `a Float32Array of ${latent.length}` : latent;
}
