import { LIMITS } from "../../audio/limits.js";
import { badArgument, checkFilledText, checkInteger, checkText } from "../../base/check.js";
import { type Fields, field, INT, NUMBERS, orNull, TEXT } from "../../base/python-record.js";

/** Slider positions that a person has given a name. */
export interface Preset {
  /** A UUID, unless another program chose the id */
  presetId: string;
  name: string;
  /** The name of the preset's folder; "": none */
  folder: string;
  /** As for `slidersToLatent` */
  sliderPositions: number[];
  /** The number of the model's sliders when the preset was saved */
  nComponents: number;
  /** null: a new sound each time */
  seed: number | null;
  /** ISO 8601 in UTC, or "" when unknown */
  created: string;
  /** ISO 8601 in UTC, or "" when unknown */
  modified: string;
  description: string;
}

/** A new preset. */
export interface NewPreset {
  /** Not blank */
  name: string;
  /** Finite, one a slider, at least one */
  sliderPositions: number[];
  /** 0 to 2^53 - 1; default null: a new sound each time */
  seed?: number | null;
  /** Default "": no folder. The folder need not have been created. */
  folder?: string;
  /** Default "" */
  description?: string;
}

/** Changes of a preset. An absent field stays as it is. */
export type PresetChanges = Partial<NewPreset>;

/** The fields by their name in the file. */
export const PRESET_FIELDS: Fields<Preset> = {
  presetId: field("preset_id", TEXT),
  name: field("name", TEXT),
  folder: field("folder", TEXT, ""),
  sliderPositions: field("slider_positions", NUMBERS),
  nComponents: field("n_components", INT),
  seed: field("seed", orNull(INT), null),
  created: field("created", TEXT, ""),
  modified: field("modified", TEXT, ""),
  description: field("description", TEXT, ""),
};

/**
 * The limits of presets: lengths of texts in UTF-16 code units, and the number of sliders. Files
 * from elsewhere may exceed them.
 */
const MOST = { name: 200, folder: 200, description: 10_000, sliders: 4096 } as const;

const CHECKS: { readonly [K in keyof Required<NewPreset>]: (value: unknown) => unknown } = {
  name: (value) => checkFilledText("name", value, MOST.name),
  folder: (value) => checkText("folder", value, MOST.folder),
  description: (value) => checkText("description", value, MOST.description),
  seed: (value) =>
    value === null ? null : checkInteger("seed", value, LIMITS.seed.min, LIMITS.seed.max),
  sliderPositions: checkPositions,
};

/** @throws SdaError ERR_SDA_ARGUMENT (`details.option`) */
export function checkNewPreset(given: unknown): NewPreset {
  const checked = checkPresetChanges(given, "preset");
  const name = checked.name ?? checkFilledText("name", undefined, MOST.name);
  const sliderPositions = checked.sliderPositions ?? checkPositions(undefined);
  return { ...checked, name, sliderPositions };
}

/** @throws SdaError ERR_SDA_ARGUMENT (`details.option`) */
export function checkPresetChanges(given: unknown, what = "changes"): PresetChanges {
  if (typeof given !== "object" || given === null || Array.isArray(given)) {
    throw badArgument(what, "an object", given);
  }
  const checked: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(given)) {
    if (!Object.hasOwn(CHECKS, key)) {
      const known = Object.keys(CHECKS).join(", ");
      throw badArgument(key, `absent (a preset has only ${known})`, value);
    }
    if (value !== undefined) checked[key] = CHECKS[key as keyof NewPreset](value);
  }
  return checked;
}

/** @throws SdaError ERR_SDA_ARGUMENT */
export function checkFolderName(option: string, value: unknown): string {
  return checkFilledText(option, value, MOST.folder);
}

function checkPositions(value: unknown): number[] {
  const positions: unknown[] = Array.isArray(value) ? Array.from(value) : [];
  const { length } = positions;
  if (length === 0 || length > MOST.sliders || !positions.every(Number.isFinite)) {
    const expected = `an array of 1 to ${MOST.sliders} finite numbers`;
    throw badArgument("sliderPositions", expected, value);
  }
  return positions.map((position) => Number(position) + 0); // -0 becomes 0
}
