/** The recipe of a sound: what it takes to make the sound again. Sound files carry it in a tag. */
import { SdaError } from "../base/errors.js";
import type { SoundFormat } from "./files/settings.js";
import { LIMITS } from "./limits.js";
import type { GenerateOptions } from "./options.js";

/** The model of a recipe. */
export interface RecipeModel {
  /** Of the library; "" when the file has none */
  id: string;
  name: string;
  /** Which version of the program wrote the file */
  generation: string;
  /**
   * SHA-256 in hex of everything in the model's file that shapes sound, so not of its metadata: a
   * renamed model keeps it. null: the file was changed or deleted before it was read
   */
  hash: string | null;
}

/** What made the sound of a recipe. */
export interface RecipeEngine {
  /** "sda": this package's own code; "libtorch" */
  backend: string;
  /** "cpu", "cuda:0", … */
  device: string;
  /** Operating system and processor, such as "linux-x64" */
  platform: string;
}

/** The settings of the encoder of a recipe's file. */
export interface RecipeFile {
  format: SoundFormat;
  /** Of "wav" and "flac" */
  bitDepth?: 16 | 24 | 32;
  /** Of "mp3" */
  kbps?: number;
  /** Of "ogg" */
  quality?: number;
}

/** The sound of one model. */
export interface RecipePart {
  model: RecipeModel;
  /** For `LoadedModel.generate`: every option with its default filled in, and the seed */
  options: GenerateOptions;
  /** The positions that `options.latent` stands for; null: the sound was not made of sliders */
  sliders: number[] | null;
  /** The other model whose vocoder played; null: none */
  vocoder: RecipeModel | null;
  /** What the sound is multiplied by in a blend of sounds; 1: there is no other */
  share: number;
}

/** What it takes to make the sound of a file again, as `readRecipe` returns it. */
export interface Recipe extends RecipePart {
  /** Of this package, which made the sound */
  version: string;
  /** The other sounds of a blend, which are added to this one in this order */
  blended: RecipePart[];
  engine: RecipeEngine;
  file: RecipeFile;
  /**
   * SHA-256 in hex of the interleaved float32 samples before they were encoded. null: the file was
   * written while the sound was made, and its tags come before the sound
   */
  samples: string | null;
}

/** A recipe without what only the file's writer knows. */
export type SoundRecipe = Omit<Recipe, "file" | "samples">;

/** The version of the form that `writeRecipe` writes. */
const FORM = 1;
/** Characters of a recipe's text. A latent of 4096 values takes 21,848. */
const MOST_CHARACTERS = 256 * 1024;
const MOST_NAME = 1000;
const MOST_VALUES = 64 * 1024;
const MOST_BLENDED = 16;

const recipes = new WeakMap<object, () => Promise<SoundRecipe>>();

/** Remembers how a sound or a stream was made. Copies of the object have no recipe. */
export function rememberRecipe(sound: object, recipe: () => Promise<SoundRecipe>): void {
  recipes.set(sound, recipe);
}

/** How the sound or stream was made; undefined: unknown. */
export function recipeOf(sound: object): (() => Promise<SoundRecipe>) | undefined {
  return recipes.get(sound);
}

/** The models that a recipe takes besides its own. */
export function otherModels({ model, vocoder, blended }: SoundRecipe): RecipeModel[] {
  const named = [vocoder, ...blended.flatMap((part) => [part.model, part.vocoder])];
  const found: RecipeModel[] = [];
  for (const other of named) {
    if (other && ![model, ...found].some((known) => isSameModel(known, other))) found.push(other);
  }
  return found;
}

/** Whether both are one model of a library; by their names where a file has no id. */
export function isSameModel(
  a: Pick<RecipeModel, "id" | "name">,
  b: Pick<RecipeModel, "id" | "name">,
): boolean {
  return a.id === b.id && (a.id !== "" || a.name === b.name);
}

/** One line of ASCII, which every kind of tag can hold. */
export function writeRecipe(recipe: Recipe): string {
  const { version, blended, engine, file, samples } = recipe;
  const content = {
    sda_recipe: FORM,
    version,
    ...partContent(recipe),
    ...(blended.length > 0 && { blended: blended.map(partContent) }),
    engine,
    file,
    samples,
  };
  return JSON.stringify(content).replace(
    /[^ -~]/g,
    (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

function partContent({ model, options: all, sliders, vocoder, share }: RecipePart) {
  const { latent, signal: _, onProgress: __, ...options } = all;
  return {
    model: modelContent(model),
    options: { ...options, ...(latent && { latent: toBase64(latent) }) },
    ...(sliders && { sliders }),
    ...(vocoder && { vocoder: modelContent(vocoder) }),
    ...(share !== 1 && { share }),
  };
}

function modelContent(model: RecipeModel) {
  return { ...model, name: model.name.slice(0, MOST_NAME) };
}

function toBase64(latent: Float32Array): string {
  const { buffer, byteOffset, byteLength } = latent;
  return Buffer.from(buffer, byteOffset, byteLength).toString("base64");
}

/**
 * Reads a recipe's text, which may come from anywhere. `generate` checks the ranges of the options.
 *
 * @param path of the file, for errors
 * @throws SdaError ERR_SDA_SCHEMA, ERR_SDA_VERSION, ERR_SDA_LIMIT
 */
export function parseRecipe(text: string, path: string): Recipe {
  if (text.length > MOST_CHARACTERS) {
    const size = `${text.length} characters, more than ${MOST_CHARACTERS}`;
    const problem = `${path}: the recipe has ${size}`;
    throw new SdaError("ERR_SDA_LIMIT", problem, { path, limit: MOST_CHARACTERS });
  }
  const top = new Part(parseJson(text, path), path, "");
  const form = top.number("sda_recipe", 1, Number.MAX_SAFE_INTEGER);
  if (form > FORM) {
    const problem = `${path}: the recipe has version ${form}, newer than supported (${FORM})`;
    throw new SdaError("ERR_SDA_VERSION", problem, { path, version: form, supported: FORM });
  }
  const engine = top.part("engine");
  return {
    version: top.text("version"),
    ...readPart(top),
    blended: top.has("blended") ? top.parts("blended", MOST_BLENDED).map(readPart) : [],
    engine: {
      backend: engine.text("backend"),
      device: engine.text("device"),
      platform: engine.text("platform"),
    },
    file: readFile(top.part("file")),
    samples: top.hash("samples"),
  };
}

function parseJson(text: string, path: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    const problem = `${path}: the recipe is no JSON: ${(cause as Error).message}`;
    throw new SdaError("ERR_SDA_SCHEMA", problem, { path, field: "recipe" });
  }
}

function readPart(part: Part): RecipePart {
  return {
    model: readModel(part.part("model")),
    options: readOptions(part.part("options")),
    sliders: part.has("sliders") ? part.numbers("sliders") : null,
    vocoder: part.has("vocoder") ? readModel(part.part("vocoder")) : null,
    share: part.has("share") ? part.number("share", 0, 1) : 1,
  };
}

function readModel(model: Part): RecipeModel {
  return {
    id: model.text("id"),
    name: model.text("name"),
    generation: model.text("generation"),
    hash: model.hash("hash"),
  };
}

const NUMBERS = [
  "durationS",
  "stepsBetween",
  "overlapSamples",
  "evolution",
  "temperature",
  "topK",
  "topP",
  "sampleRate",
] as const;
const TEXTS = ["concatMode", "joint", "loudness", "vocoder"] as const;

function readOptions(options: Part): GenerateOptions {
  const found: Record<string, unknown> = {
    seed: options.number("seed", LIMITS.seed.min, LIMITS.seed.max),
  };
  for (const name of NUMBERS) if (options.has(name)) found[name] = options.number(name);
  for (const name of TEXTS) if (options.has(name)) found[name] = options.text(name);
  if (options.has("latent")) found["latent"] = options.latent("latent");
  if (options.has("spatial")) {
    const spatial = options.part("spatial");
    found["spatial"] = {
      mode: spatial.text("mode"),
      width: spatial.number("width"),
      depth: spatial.number("depth"),
    };
  }
  return found as GenerateOptions;
}

function readFile(file: Part): RecipeFile {
  const format = file.text("format");
  switch (format) {
    case "wav":
    case "flac":
      return { format, bitDepth: file.number("bitDepth") as 24 };
    case "mp3":
      return { format, kbps: file.number("kbps") };
    case "ogg":
      return { format, quality: file.number("quality") };
    default:
      throw file.error("format", "wav, flac, mp3 or ogg");
  }
}

/** An object of a recipe. Each method reads a field and throws ERR_SDA_SCHEMA if it is wrong. */
class Part {
  readonly #fields: Map<string, unknown>;
  readonly #path: string;
  readonly #name: string;

  constructor(value: unknown, path: string, name: string) {
    this.#path = path;
    this.#name = name;
    if (typeof value !== "object" || value === null || Array.isArray(value)) {
      throw this.error("", "an object");
    }
    this.#fields = new Map(Object.entries(value));
  }

  has(field: string): boolean {
    return this.#fields.has(field);
  }

  part(field: string): Part {
    return new Part(this.#fields.get(field), this.#path, `${this.#name}${field}.`);
  }

  parts(field: string, most: number): Part[] {
    const value = this.#fields.get(field);
    if (!Array.isArray(value) || value.length > most) {
      throw this.error(field, `a list of at most ${most}`);
    }
    return value.map((item, i) => new Part(item, this.#path, `${this.#name}${field}[${i}].`));
  }

  text(field: string): string {
    const value = this.#fields.get(field);
    if (typeof value !== "string" || value.length > MOST_NAME) {
      throw this.error(field, `a text of at most ${MOST_NAME} characters`);
    }
    return value;
  }

  number(field: string, min = -Number.MAX_VALUE, max = Number.MAX_VALUE): number {
    const value = this.#fields.get(field);
    if (typeof value !== "number" || !(value >= min && value <= max)) {
      throw this.error(field, "a number in its range");
    }
    return value;
  }

  numbers(field: string): number[] {
    const value = this.#fields.get(field);
    const isList =
      Array.isArray(value) && value.length <= MOST_VALUES && value.every(Number.isFinite);
    if (!isList) throw this.error(field, "a list of numbers");
    return value;
  }

  hash(field: string): string | null {
    const value = this.#fields.get(field) ?? null;
    if (value === null) return null;
    if (typeof value !== "string" || !/^[0-9a-f]{64}$/.test(value)) {
      throw this.error(field, "a SHA-256 in hex");
    }
    return value;
  }

  latent(field: string): Float32Array {
    const value = this.#fields.get(field);
    const bytes = typeof value === "string" ? Buffer.from(value, "base64") : Buffer.alloc(0);
    if (bytes.length === 0 || bytes.length % 4 !== 0 || bytes.length > 4 * MOST_VALUES) {
      throw this.error(field, "float32 values in base64");
    }
    const latent = Float32Array.from({ length: bytes.length / 4 }, (_, i) =>
      bytes.readFloatLE(4 * i),
    );
    if (!latent.every(Number.isFinite)) throw this.error(field, "finite");
    return latent;
  }

  error(field: string, expected: string): SdaError {
    const name = `${this.#name}${field}`.replace(/\.$/, "") || "recipe";
    const problem = `${this.#path}: the recipe's ${name} must be ${expected}`;
    return new SdaError("ERR_SDA_SCHEMA", problem, { path: this.#path, field: name });
  }
}
