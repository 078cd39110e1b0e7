/** The settings of a sound and their form in the URL. */
import { LIMITS } from "../../../../lib/audio/limits.js";
import type { GenerateRequest } from "../types.js";

/** The shortest duration in the form. LIMITS excludes its own lower bound. */
export const MIN_DURATION_S = LIMITS.durationS.above + 0.1;

/** All settings except the slider positions. */
export interface Settings {
  seed: number;
  durationS: number;
  mode: (typeof LIMITS.concatModes)[number];
  spatial: (typeof LIMITS.spatialModes)[number];
  width: number;
  depth: number;
  sampleRate: (typeof LIMITS.sampleRates)[number];
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
    seed: parseSeed(query.get("seed")) ?? freshSeed,
    durationS:
      numberIn(query.get("duration"), MIN_DURATION_S, maxDurationS) ??
      Math.min(DEFAULTS.durationS, maxDurationS),
    mode: oneOf(query.get("mode"), LIMITS.concatModes) ?? DEFAULTS.mode,
    spatial: oneOf(query.get("stereo"), LIMITS.spatialModes) ?? DEFAULTS.spatial,
    width: numberIn(query.get("width"), LIMITS.width.min, LIMITS.width.max) ?? DEFAULTS.width,
    depth: numberIn(query.get("depth"), LIMITS.depth.min, LIMITS.depth.max) ?? DEFAULTS.depth,
    sampleRate:
      LIMITS.sampleRates.find((rate) => String(rate) === query.get("rate")) ?? DEFAULTS.sampleRate,
  };
}

/** The seed in `text`, or null. */
export function parseSeed(text: string | null): number | null {
  return integerIn(text, LIMITS.seed.min, LIMITS.seed.max);
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
