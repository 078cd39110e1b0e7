/** How a loaded model remembers what its sounds take to be made again. */
import { resolve } from "node:path";
import type { GenerateOptions } from "../audio/options.js";
import { type RecipeModel, rememberRecipe } from "../audio/recipe.js";
import type { Generation } from "../format/generations.js";
import type { ModelMetadata } from "../format/metadata.js";
import { packageManifest } from "../native/package-root.js";
import type { NativeGenerateOptions } from "../native/types.js";
import { unchangedWeightsHash } from "./weights-hash.js";

/** What a `LoadedModel` tells of itself. */
interface RecipeSource {
  metadata: ModelMetadata;
  generation: Generation;
  device: string;
}

/** What a `LoadedModel` tells of itself whose vocoder plays. */
interface Identified {
  metadata: ModelMetadata;
  generation: string;
}

interface Origin {
  backend: "sda" | "libtorch";
  /** Of the model's file, read when the first sound is written */
  hash: () => Promise<string | null>;
}

const origins = new WeakMap<object, Origin>();

/**
 * Remembers where a model came from.
 *
 * @param identity of the file before it was opened
 */
export function rememberOrigin(
  model: object,
  path: string,
  identity: string | null,
  backend: "sda" | "libtorch",
): void {
  let hash: Promise<string | null> | undefined;
  const file = resolve(path);
  origins.set(model, {
    backend,
    hash() {
      hash ??= unchangedWeightsHash(file, identity);
      return hash;
    },
  });
}

/**
 * Remembers how a sound or a stream of a model was made. The model may be disposed of before the
 * sound is written.
 *
 * @param given the caller's options
 * @param used the options with their defaults
 */
export function rememberSound<T extends object>(
  sound: T,
  model: object,
  { metadata, generation, device }: RecipeSource,
  given: GenerateOptions,
  used: NativeGenerateOptions,
): T {
  const origin = origins.get(model);
  // The caller may change its objects before the sound is written.
  const options = recipeOptions(given, used, generation);
  const sliders = given.sliders ? [...given.sliders] : null;
  const player = typeof given.vocoder === "object" ? given.vocoder : null;
  const vocoder = player && (player as object) !== model ? (player as object as Identified) : null;
  rememberRecipe(sound, async () => ({
    version: packageManifest().version,
    model: await recipeModel(model, metadata, generation.name),
    options,
    sliders,
    vocoder: vocoder && (await recipeModel(vocoder, vocoder.metadata, vocoder.generation)),
    share: 1,
    blended: [],
    engine: {
      backend: origin?.backend ?? "sda",
      device,
      platform: `${process.platform}-${process.arch}`,
    },
  }));
  return sound;
}

async function recipeModel(
  model: object,
  { modelId: id, name }: ModelMetadata,
  generation: string,
): Promise<RecipeModel> {
  return { id, name, generation, hash: (await origins.get(model)?.hash()) ?? null };
}

/** Every option that this model takes, with its default filled in. */
function recipeOptions(
  { latent: own }: GenerateOptions,
  used: NativeGenerateOptions,
  { network, program }: Generation,
): GenerateOptions {
  const { durationS, seed, overlapSamples, joint, loudness, vocoder } = used;
  const latent = used.latent ?? own;
  const { spatialMode: mode, width, depth } = used;
  const common: GenerateOptions = {
    durationS,
    seed,
    overlapSamples,
    joint,
    loudness,
    sampleRate: used.sampleRate as 48000,
    ...(network !== "complex" && typeof vocoder === "string" && { vocoder }),
  };
  if (program.synthesis === "codes") {
    const { temperature, topK, topP } = used;
    return { ...common, temperature, topK, topP };
  }
  return {
    ...common,
    concatMode: used.concatMode,
    stepsBetween: used.stepsBetween,
    ...(program.synthesis === "overlap-add" && { evolution: used.evolution }),
    ...(latent && { latent: Float32Array.from(latent) }),
    ...(mode !== "mono" && { spatial: { mode, width, depth } }),
  };
}
