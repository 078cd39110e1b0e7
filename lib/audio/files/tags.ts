/** The tags of a sound file, and their names in each format: those of the Python program. */
import { badArgument, checkOptions, checkText, optionNames } from "../../base/check.js";

/** Texts of a sound file that players show. Each has at most 1000 characters, none of control. */
export interface SoundTags {
  /** Default: the model's name and the seed */
  title?: string;
  /** Default "Small DataSet Audio" */
  artist?: string;
  /** Default: the model's name */
  album?: string;
  /** Name of the preset that the sound was made with */
  preset?: string;
}

/** What the tags of one file say. */
export interface Tagging extends SoundTags {
  seed?: string;
  model?: string;
  recipe?: string;
}

export type Field = readonly [name: string, value: string];

/** The tag of the recipe in Vorbis comments, and the description of its TXXX frame in ID3. */
export const RECIPE_TAG = "SDA_RECIPE";
/**
 * The recipe's chunk in the INFO list of a WAV file, "source form": ffmpeg keeps it, and people do
 * not edit it, as they do with a comment.
 */
export const RECIPE_CHUNK = "ISRF";

const TAGS = optionNames<SoundTags>({ title: true, artist: true, album: true, preset: true });
const MOST_CHARACTERS = 1000;
const CONTROL = /\p{Cc}/u;

/** @throws SdaError ERR_SDA_ARGUMENT with `details.option`, such as "tags.title" */
export function checkTags(tags: unknown): SoundTags {
  if (tags === undefined) return {};
  checkOptions("tags", tags, TAGS);
  const found: Record<string, string> = {};
  for (const [name, value] of Object.entries(tags as SoundTags)) {
    if (value === undefined) continue;
    const text = checkText(`tags.${name}`, value, MOST_CHARACTERS);
    if (CONTROL.test(text)) throw badArgument(`tags.${name}`, "without control characters", text);
    found[name] = text;
  }
  return found;
}

/** Makes a tag's text of a name that a file may hold. */
export function tagText(text: string): string {
  return text.replace(/\p{Cc}|\p{Surrogate}/gu, " ").slice(0, MOST_CHARACTERS);
}

const VORBIS = {
  artist: "artist",
  album: "album",
  title: "title",
  seed: "sda_seed",
  model: "sda_model",
  preset: "sda_preset",
  recipe: RECIPE_TAG,
} as const;

const ID3 = {
  artist: "TPE1",
  album: "TALB",
  title: "TIT2",
  seed: "TXXX:SDA_SEED",
  model: "TXXX:SDA_MODEL",
  preset: "TXXX:SDA_PRESET",
  recipe: `TXXX:${RECIPE_TAG}`,
} as const;

/** The INFO list has no chunks for the others. */
const RIFF = { artist: "IART", album: "IPRD", title: "INAM", recipe: RECIPE_CHUNK } as const;

function fieldsOf(names: Partial<Record<keyof Tagging, string>>, tagging: Tagging): Field[] {
  return Object.entries(names).flatMap(([key, name]): Field[] => {
    const value = tagging[key as keyof Tagging];
    return value === undefined || value === "" ? [] : [[name, value]];
  });
}

export const vorbisFields = (tagging: Tagging) => fieldsOf(VORBIS, tagging);
export const id3Fields = (tagging: Tagging) => fieldsOf(ID3, tagging);
export const riffFields = (tagging: Tagging) => fieldsOf(RIFF, tagging);
