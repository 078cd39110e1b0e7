import { sameSoundData } from "../audio/files/sound-data.js";
import type { GenerationResult } from "../audio/generation.js";
import type { GenerateOptions } from "../audio/options.js";
import { readRecipe } from "../audio/read-recipe.js";
import {
  isSameModel,
  type Recipe,
  type RecipeModel,
  recipeOf,
  type SoundRecipe,
} from "../audio/recipe.js";
import { encodeSound, samplesDigest } from "../audio/sound-file.js";
import { checkOptions, optionNames, toFilePath } from "../base/check.js";
import { SdaError } from "../base/errors.js";
import { readBytes } from "../base/read-file.js";
import { type MixPart, mixSounds } from "./blend.js";
import type { LoadedModel } from "./loaded-model.js";

/** Options of `reproduceSound`. */
export interface ReproduceOptions {
  /** Aborting rejects with the signal's reason */
  signal?: AbortSignal;
  /**
   * The other models that the recipe names, in any order: those of a blend of sounds, and the one
   * whose vocoder played
   */
  others?: LoadedModel[];
  /** As of `LoadedModel.generate` */
  onProgress?: (done: number, total: number) => void;
}

const OPTIONS = optionNames<ReproduceOptions>({
  signal: true,
  others: true,
  onProgress: true,
});

/** What `reproduceSound` has found. */
export interface Reproduction {
  /** Whether the file holds the sound that its recipe makes, bit for bit */
  same: boolean;
  /**
   * Whether the samples have the digest of the recipe, before encoding; null: the recipe has none,
   * because the file was written while the sound was made
   */
  sameSamples: boolean | null;
  /**
   * Whether the file's encoded sound is what the encoder makes of the samples; false also for a
   * file whose sound was edited or encoded again while the tags stayed
   */
  sameFile: boolean;
  /** Facts that differ from the recipe's, such as "version 0.2.0, not 0.1.0" */
  differences: string[];
  recipe: Recipe;
  /** The sound that was made again */
  sound: GenerationResult;
}

/** Bytes of a sound file; a minute of stereo at 96 kHz has 46 MB. */
const MOST_BYTES = 512 * 2 ** 20;

/**
 * Makes the sound of a file again, as the recipe in the file says, and compares it with the file
 * bit for bit: the samples by their digest, and the encoded sound in the file, tags aside.
 *
 * @param path of a file with a recipe
 * @param model the recipe's model; another one makes another sound
 * @throws SdaError as `readRecipe` and `LoadedModel.generate`, which checks the recipe's options;
 *   ERR_SDA_FORMAT: the file has no recipe; ERR_SDA_ARGUMENT: `others` lacks a model of the
 *   recipe; ERR_SDA_LIMIT: the file has more than 512 MiB
 * @example
 * ```js
 * const model = await loadModel("data/models/pads.sda");
 * await writeSound("pads.flac", await model.generate({ durationS: 2, seed: 42 }));
 * const { same } = await reproduceSound("pads.flac", model);
 * console.log(same); // true
 * model.dispose();
 * ```
 */
export async function reproduceSound(
  path: string | URL,
  model: LoadedModel,
  options: ReproduceOptions = {},
): Promise<Reproduction> {
  const file = toFilePath(path);
  checkOptions("options", options, OPTIONS);
  const { signal, others = [], onProgress } = options;
  const recipe = await readRecipe(file);
  if (!recipe) {
    throw new SdaError("ERR_SDA_FORMAT", `${file} has no recipe`, { path: file });
  }
  const sound = await soundOf(recipe, model, others, {
    ...(signal && { signal }),
    ...(onProgress && { onProgress }),
  });
  signal?.throwIfAborted();
  const digest = await samplesDigest(sound.audio);
  const { format, ...settings } = recipe.file;
  const again = await encodeSound(sound, { format, ...settings, recipe: false });
  signal?.throwIfAborted();
  const sameSamples = recipe.samples === null ? null : recipe.samples === digest;
  const sameFile = sameSoundData(await readBytes(file, MOST_BYTES), Buffer.from(again.buffer));
  return {
    same: sameFile && sameSamples !== false,
    sameSamples,
    sameFile,
    differences: await differencesOf(recipe, sound),
    recipe,
    sound,
  };
}

/** Makes the sound of a recipe. */
async function soundOf(
  recipe: Recipe,
  model: LoadedModel,
  others: LoadedModel[],
  watched: Pick<GenerateOptions, "signal" | "onProgress">,
): Promise<GenerationResult> {
  const find = (wanted: RecipeModel): LoadedModel => {
    if (isSameModel(wanted, recipe.model)) return model;
    const found = others.find(({ metadata: { modelId: id, name } }) =>
      isSameModel(wanted, { id, name }),
    );
    if (found) return found;
    const named = `${JSON.stringify(wanted.name)} (${wanted.id || "without an id"})`;
    const problem = `the recipe takes the model ${named}, too, which is not among others`;
    throw new SdaError("ERR_SDA_ARGUMENT", problem, { option: "others" });
  };
  const makers = [recipe, ...recipe.blended].map(({ model: wanted, options, vocoder, share }) => {
    const own = find(wanted);
    const given: GenerateOptions = { ...options, ...(vocoder && { vocoder: find(vocoder) }) };
    return {
      share,
      make: (more: GenerateOptions) => own.generate({ ...given, ...more }),
    };
  });
  const [first] = makers as [MixPart];
  return makers.length === 1 ? first.make(watched) : mixSounds(makers, watched);
}

async function differencesOf(recipe: Recipe, sound: GenerationResult): Promise<string[]> {
  const now = await recipeOf(sound)?.();
  if (!now) return [];
  const facts: [string, string | null, string | null][] = [
    ["version", now.version, recipe.version],
    ["model id", now.model.id, recipe.model.id],
    ["model hash", now.model.hash, recipe.model.hash],
    ...hashesOf(recipe).map(([what, hash], i): [string, string | null, string | null] => [
      what,
      hashesOf(now)[i]?.[1] ?? null,
      hash,
    ]),
    ["backend", now.engine.backend, recipe.engine.backend],
    ["device", now.engine.device, recipe.engine.device],
    ["platform", now.engine.platform, recipe.engine.platform],
  ];
  return facts
    .filter(([, here, there]) => here !== there)
    .map(([name, here, there]) => `${name} ${here ?? "unknown"}, not ${there ?? "unknown"}`);
}

/** The hashes of the other models, and what to call them. */
function hashesOf({ vocoder, blended }: SoundRecipe): [string, string | null][] {
  const models: [string, RecipeModel | null][] = [["vocoder", vocoder]];
  for (const part of blended) {
    models.push(
      [`model ${JSON.stringify(part.model.name)}`, part.model],
      ["vocoder", part.vocoder],
    );
  }
  return models.flatMap(([what, model]) => (model ? [[`${what} hash`, model.hash]] : []));
}
