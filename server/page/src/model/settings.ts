/** The settings of a sound and their form in the URL. */
import type { GenerateRequest } from "../types.js";

export const MODES = ["crossfade", "latent_interpolation"] as const;
export const SPATIAL_MODES = ["mono", "stereo", "dual_seed"] as const;
export const SAMPLE_RATES = [44100, 48000, 96000] as const;
export const MAX_WIDTH = 1.5;
export const MAX_DEPTH = 1;
export const MIN_DURATION_S = 0.1;

/** All settings except the slider positions. */
export interface Settings {
  seed: number;
  durationS: number;
  mode: (typeof MODES)[number];
  spatial: (typeof SPATIAL_MODES)[number];
  width: number;
  depth: number;
  sampleRate: (typeof SAMPLE_RATES)[number];
}

export const DEFAULTS: Omit<Settings, "seed"> = {
  durationS: 4,
  mode: "crossfade",
  spatial: "mono",
  width: 0.5,
  depth: 0.3,
  sampleRate: 48000,
};

/**
 * Reads the settings from a URL's query. Missing and invalid values take their defaults; the seed
 * defaults to `freshSeed`.
 */
export function settingsOf(
  query: URLSearchParams,
  freshSeed: number,
  maxDurationS: number,
): Settings {
  return {
    seed: integerIn(query.get("seed"), 0, Number.MAX_SAFE_INTEGER) ?? freshSeed,
    durationS:
      numberIn(query.get("duration"), MIN_DURATION_S, maxDurationS) ??
      Math.min(DEFAULTS.durationS, maxDurationS),
    mode: oneOf(query.get("mode"), MODES) ?? DEFAULTS.mode,
    spatial: oneOf(query.get("stereo"), SPATIAL_MODES) ?? DEFAULTS.spatial,
    width: numberIn(query.get("width"), 0, MAX_WIDTH) ?? DEFAULTS.width,
    depth: numberIn(query.get("depth"), 0, MAX_DEPTH) ?? DEFAULTS.depth,
    sampleRate:
      SAMPLE_RATES.find((rate) => String(rate) === query.get("rate")) ?? DEFAULTS.sampleRate,
  };
}

/** Reads the slider positions from a URL's query: `count` integers in ±`half`, or else null. */
export function positionsOf(query: URLSearchParams, count: number, half: number): number[] | null {
  const text = query.get("sliders");
  if (text === null || count === 0) return null;
  const positions = text.split(",").map((part) => integerIn(part, -half, half));
  return positions.length === count && positions.every((p) => p !== null) ? positions : null;
}

/** Writes a model's URL query. Default values are left out, except the seed. */
export function queryOf(
  modelId: string,
  positions: readonly number[],
  s: Settings,
): URLSearchParams {
  const query = new URLSearchParams({ model: modelId });
  if (positions.length > 0) query.set("sliders", positions.join(","));
  query.set("seed", String(s.seed));
  const say = (name: string, value: string | number, usual: string | number) => {
    if (value !== usual) query.set(name, String(value));
  };
  say("duration", s.durationS, DEFAULTS.durationS);
  say("mode", s.mode, DEFAULTS.mode);
  say("stereo", s.spatial, DEFAULTS.spatial);
  if (s.spatial === "stereo") {
    say("width", s.width, DEFAULTS.width);
    say("depth", s.depth, DEFAULTS.depth);
  }
  say("rate", s.sampleRate, DEFAULTS.sampleRate);
  return query;
}

export type SlotName = "A" | "B";

/** The two slots to compare: which one is active, and the other one's settings. */
export interface Compared {
  active: SlotName;
  /** URL query of the inactive slot; null without a second slot */
  other: URLSearchParams | null;
}

/** Reads both slots from a URL's query. The query's own settings are those of the active slot. */
export function comparedOf(query: URLSearchParams): Compared {
  const other = query.get("other");
  return {
    active: query.get("slot") === "B" ? "B" : "A",
    other: other === null ? null : new URLSearchParams(other),
  };
}

/** Adds the inactive slot to a URL's query. */
export function comparing(query: URLSearchParams, { active, other }: Compared): URLSearchParams {
  const both = new URLSearchParams(query);
  if (other === null) return both;
  const rest = new URLSearchParams(other);
  rest.delete("model"); // both slots have the same model
  if (active === "B") both.set("slot", active);
  both.set("other", rest.toString().replaceAll("%2C", ","));
  return both;
}

/** The body of a generate request. A model without sliders is controlled by the seed alone. */
export function generateBody(
  positions: readonly number[],
  s: Settings,
  durationS = s.durationS,
): GenerateRequest {
  return {
    ...(positions.length > 0 && { sliders: [...positions] }),
    seed: s.seed,
    durationS,
    concatMode: s.mode,
    spatial:
      s.spatial === "stereo"
        ? { mode: s.spatial, width: s.width, depth: s.depth }
        : { mode: s.spatial },
    sampleRate: s.sampleRate,
    loudness: "peak",
  };
}

function numberIn(text: string | null, min: number, max: number): number | null {
  if (text === null || !/^\d+(\.\d+)?$/.test(text)) return null;
  const value = Number(text);
  return value >= min && value <= max ? value : null;
}

function integerIn(text: string | null, min: number, max: number): number | null {
  if (text === null || !/^-?\d{1,16}$/.test(text)) return null;
  const value = Number(text);
  return Number.isSafeInteger(value) && value >= min && value <= max ? value + 0 : null;
}

function oneOf<T extends string>(text: string | null, choices: readonly T[]): T | null {
  return choices.find((choice) => choice === text) ?? null;
}
