/** Blending of several models: their latents, or their sounds. */
import type { GenerationResult } from "../audio/generation.js";
import { LIMITS } from "../audio/limits.js";
import type { GenerateOptions } from "../audio/options.js";
import { measureQuality } from "../audio/quality.js";
import { recipeOf, rememberRecipe, type SoundRecipe } from "../audio/recipe.js";
import { badArgument, checkNumber, checkOneOf, seedOrRandom } from "../base/check.js";
import { SdaError } from "../base/errors.js";
import { GENERATIONS } from "../format/generations.js";
import { sliderInfos } from "../latent/sliders.js";
import type { LoadedModel } from "./loaded-model.js";

/** The most models of a blend, as in the Python program. */
const MOST_PARTS = 4;
const DEFAULT_WEIGHT = 25;

/** A model of a blend. */
export interface BlendPart {
  model: LoadedModel;
  /** Its share, relative to the others; default 25. 0: the model is left out */
  weight?: number;
}

/** A slider that moves the same component of several models. */
export interface UnionSlider {
  index: number;
  /** Of the first model that has the component: the suggested label, or else the label */
  label: string;
  /** The largest share of the variance that any of the models has, in percent */
  variancePct: number;
  /** Indices of the models that have the component */
  modelIndices: number[];
  /** The component's index in each of these models */
  componentIndices: number[];
  /** The range that all of these models have */
  minStep: number;
  maxStep: number;
}

/** Options of `blend`. */
export interface BlendOptions extends GenerateOptions {
  /**
   * - "latent" (the default): the weighted sum of the models' latents, played by the first model.
   *   All latents must have the same length
   * - "audio": the weighted sum of the models' sounds
   */
  domain?: "latent" | "audio";
}

/**
 * Describes the sliders of a blend: as many as the model with the most has. Slider k moves
 * component k of each model that has one.
 *
 * @throws SdaError ERR_SDA_ARGUMENT: no model, or more than 4
 * @example
 * ```js
 * const pads = await loadModel("data/models/pads.sda");
 * const bells = await loadModel("data/models/bells.sda");
 * for (const { index, label } of unionSliders([pads, bells])) console.log(index, label);
 * pads.dispose();
 * bells.dispose();
 * ```
 */
export function unionSliders(models: LoadedModel[]): UnionSlider[] {
  if (!Array.isArray(models) || models.length === 0 || models.length > MOST_PARTS) {
    throw badArgument("models", `1 to ${MOST_PARTS} models`, models);
  }
  const infos = models.map(({ analysis }) => (analysis ? sliderInfos(analysis) : []));
  const count = Math.max(...infos.map(({ length }) => length));
  return Array.from({ length: count }, (_, index) => {
    const having = infos.flatMap((sliders, model) => {
      const slider = sliders[index];
      return slider ? [{ model, slider }] : [];
    });
    const first = having[0]?.slider as NonNullable<(typeof having)[0]>["slider"];
    return {
      index,
      label: first.suggestedLabel || first.label,
      variancePct: Math.max(...having.map(({ slider }) => slider.varianceExplainedPct)),
      modelIndices: having.map(({ model }) => model),
      componentIndices: having.map(() => index),
      minStep: Math.max(...having.map(({ slider }) => slider.minStep)),
      maxStep: Math.min(...having.map(({ slider }) => slider.maxStep)),
    };
  });
}

/**
 * Makes the sound of up to four models together, as the Python program does. `sliders` are
 * positions of `unionSliders`: each model takes those that it has sliders for, and 0 for missing
 * ones; a model without analysis has a latent of zeros. Weights are divided by their sum. With one
 * model left, the result is that model's sound.
 *
 * The sum of sounds is not scaled again. Models with codes have no latents and cannot be blended.
 *
 * @param parts 1 to 4; those with weight 0 are off
 * @throws SdaError ERR_SDA_ARGUMENT with `details.option`, also when every weight is 0, when
 *   latents have different lengths, or for `latent`; otherwise as `LoadedModel.generate`
 * @example
 * ```js
 * const pads = await loadModel("data/models/pads.sda");
 * const bells = await loadModel("data/models/bells.sda");
 * const parts = [{ model: pads, weight: 60 }, { model: bells, weight: 40 }];
 * const sound = await blend(parts, { durationS: 2, seed: 42, domain: "audio" });
 * await writeWav("blend.wav", sound);
 * pads.dispose();
 * bells.dispose();
 * ```
 */
export async function blend(
  parts: BlendPart[],
  options: BlendOptions = {},
): Promise<GenerationResult> {
  const { domain = "latent", sliders, ...others } = options;
  checkOneOf("domain", domain, ["latent", "audio"] as const);
  const active = activeParts(parts);
  if (others.latent !== undefined) {
    throw badArgument("latent", "absent: each model has its own latent", others.latent);
  }
  const [first] = active as [Active, ...Active[]];
  const shares = active.map(({ share }) => share);
  const latents = active.map(({ model }) => latentOf(model, sliders));
  const seed = seedOrRandom(options.seed, LIMITS);
  const generate = ({ model }: Active, latent: Float32Array, more: GenerateOptions = {}) =>
    model.generate({ ...others, ...more, seed, latent });
  if (active.length === 1) return generate(first, latents[0] as Float32Array);
  if (domain === "latent") {
    const { length } = latents[0] as Float32Array;
    const other = latents.find((latent) => latent.length !== length);
    if (other !== undefined) {
      const lengths = `${length} and ${other.length} values`;
      const message = `the models' latents have ${lengths}: blend their sounds`;
      throw new SdaError("ERR_SDA_ARGUMENT", message, { option: "domain" });
    }
    return generate(first, weightedSum(latents, shares, length));
  }
  const sampleRate =
    options.sampleRate ??
    (GENERATIONS[first.model.generation].defaults.sampleRate as 44100 | 48000 | 96000);
  return mixSounds(
    active.map((part, i) => ({
      share: part.share,
      make: (more) => generate(part, latents[i] as Float32Array, { sampleRate, ...more }),
    })),
    options,
  );
}

/** A sound of a blend of sounds. */
export interface MixPart {
  share: number;
  make: (options: Watched) => Promise<GenerationResult>;
}

type Watched = Pick<GenerateOptions, "signal" | "onProgress">;

/** Makes sounds at the same time and adds them up, each multiplied by its share. */
export async function mixSounds(
  parts: MixPart[],
  { signal, onProgress }: Watched,
): Promise<GenerationResult> {
  const progress = sharedProgress(onProgress, parts.length);
  const sounds = await allOrNone(
    signal,
    parts.map(({ make }, i) => (stop: AbortSignal) => {
      const report = progress(i);
      return make({ signal: stop, ...(report && { onProgress: report }) });
    }),
  );
  return mixed(
    sounds,
    parts.map(({ share }) => share),
  );
}

interface Active {
  model: LoadedModel;
  /** 0 to 1; all shares add up to 1 */
  share: number;
}

function activeParts(parts: BlendPart[]): Active[] {
  if (!Array.isArray(parts) || parts.length === 0 || parts.length > MOST_PARTS) {
    throw badArgument("parts", `1 to ${MOST_PARTS} models`, parts);
  }
  const weighted = parts.map(({ model, weight = DEFAULT_WEIGHT }, i) => {
    if (typeof model?.generate !== "function") {
      throw badArgument(`parts[${i}].model`, "a LoadedModel", model);
    }
    if (model.vq !== null) {
      throw badArgument(`parts[${i}].model`, "a model with a latent space", "a model of codes");
    }
    return { model, weight: checkNumber(`parts[${i}].weight`, weight, 0, Number.MAX_VALUE) };
  });
  const active = weighted.filter(({ weight }) => weight > 0);
  if (active.length === 0) throw badArgument("parts", "a weight above 0", "0 for every model");
  const sum = active.reduce((total, { weight }) => total + weight, 0);
  return active.map(({ model, weight }) => ({ model, share: weight / sum }));
}

/** A model's latent for the positions of the union's sliders; all at 0 where there are none. */
function latentOf(model: LoadedModel, positions: number[] | undefined): Float32Array {
  if (positions !== undefined && !Array.isArray(positions)) {
    throw badArgument("sliders", "an array of whole numbers", positions);
  }
  const { analysis, vae } = model;
  if (analysis === null) return new Float32Array(vae.latentDim);
  const own = Array.from({ length: analysis.nActiveComponents }, (_, i) => positions?.[i] ?? 0);
  return model.slidersToLatent(own);
}

/** Rounds each product and each sum to float32, in the order of the parts. */
function weightedSum(parts: Float32Array[], shares: number[], length: number) {
  const sum = new Float32Array(length);
  parts.forEach((part, p) => {
    const share = Math.fround(shares[p] as number);
    part.forEach((value, i) => {
      sum[i] = (sum[i] as number) + Math.fround(share * value);
    });
  });
  return sum;
}

function mixed(sounds: GenerationResult[], shares: number[]): GenerationResult {
  const [first] = sounds as [GenerationResult];
  const length = Math.max(...sounds.map(({ audio }) => audio[0]?.length ?? 0));
  const audio = first.audio.map((_, channel) =>
    weightedSum(
      sounds.map((sound) => sound.audio[channel] as Float32Array),
      shares,
      length,
    ),
  );
  const { sampleRate, channels, seed } = first;
  const sound = {
    audio,
    sampleRate,
    channels,
    durationS: length / sampleRate,
    seed,
    quality: measureQuality(audio, sampleRate),
  };
  const recipes = sounds.flatMap((made) => recipeOf(made) ?? []);
  if (recipes.length === sounds.length) rememberRecipe(sound, () => mixedRecipe(recipes, shares));
  return sound;
}

async function mixedRecipe(
  recipes: (() => Promise<SoundRecipe>)[],
  shares: number[],
): Promise<SoundRecipe> {
  const made = await Promise.all(recipes.map((recipe) => recipe()));
  const [first, ...blended] = made.map((recipe, i) => ({ ...recipe, share: shares[i] as number }));
  return {
    ...(first as SoundRecipe),
    blended: blended.map(({ model, options, sliders, vocoder, share }) => ({
      model,
      options,
      sliders,
      vocoder,
      share,
    })),
  };
}

/** Adds up the progress of several sounds that are made at the same time. */
function sharedProgress(onProgress: GenerateOptions["onProgress"], count: number) {
  const done = new Array<number>(count).fill(0);
  const totals = new Array<number>(count).fill(0);
  return (index: number): GenerateOptions["onProgress"] =>
    onProgress &&
    ((finished, total) => {
      done[index] = finished;
      totals[index] = total;
      if (totals.includes(0)) return; // some have not begun, so the sum is not known yet
      const sum = (values: number[]) => values.reduce((a, b) => a + b, 0);
      onProgress(sum(done), sum(totals));
    });
}

/** Runs all; when one fails, stops the others and waits for their ends. */
async function allOrNone<T>(
  signal: AbortSignal | undefined,
  runs: ((signal: AbortSignal) => Promise<T>)[],
): Promise<T[]> {
  const stop = new AbortController();
  const signals = signal ? [signal, stop.signal] : [stop.signal];
  const results = runs.map((run) => run(AbortSignal.any(signals)));
  for (const result of results) result.catch((error) => stop.abort(error));
  await Promise.allSettled(results);
  return Promise.all(results);
}
