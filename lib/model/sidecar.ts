import { join, parse } from "node:path";
import type { GenerationResult } from "../audio/generation.js";
import { type GenerateOptions, resolveGenerateOptions } from "../audio/options.js";
import type { BitDepth } from "../audio/wav-format.js";
import { checkOptions, toFilePath } from "../base/check.js";
import { SdaError } from "../base/errors.js";
import { writeOutput } from "../base/output-file.js";
import { outputTarget } from "../base/output-target.js";
import type { LoadedModel } from "./loaded-model.js";

/** Facts that a sidecar states and that the `GenerationResult` does not hold. */
export interface SidecarOptions {
  /** The options that `generate` was called with; the seed comes from the result */
  options?: GenerateOptions;
  /** Bit depth of the WAV file; default 24 */
  bitDepth?: BitDepth;
}

/**
 * Writes a JSON file beside a sound file that tells how to make the sound again: model, seed, every
 * setting with its default filled in, and the quality report (`snr_db` is null when infinite). The
 * JSON file has the sound file's name with `.json` in place of the suffix.
 *
 * @param path of the sound file, which need not exist
 * @param result as `LoadedModel.generate` returned it
 * @returns the path of the JSON file
 * @throws SdaError ERR_SDA_ARGUMENT, ERR_SDA_NOT_FOUND (no such folder), ERR_SDA_IO
 * @example
 * ```js
 * const model = await loadModel("data/models/pads.sda");
 * const options = { durationS: 2, seed: 42 };
 * const sound = await model.generate(options);
 * await writeWav("pads.wav", sound);
 * await writeSidecar("pads.wav", sound, model, { options }); // pads.json
 * model.dispose();
 * ```
 */
export async function writeSidecar(
  path: string | URL,
  result: GenerationResult,
  model: Pick<LoadedModel, "metadata">,
  sidecar: SidecarOptions = {},
): Promise<string> {
  checkOptions("options", sidecar, ["options", "bitDepth"]);
  const { options = {}, bitDepth = 24 } = sidecar;
  const soundFile = toFilePath(path);
  const { dir, name, base } = parse(soundFile);
  const file = join(dir, `${name}.json`);
  if (outputTarget(soundFile).kind === "stream") {
    const problem = `${soundFile} is a device or a pipe: there is no place beside it for a file`;
    throw new SdaError("ERR_SDA_ARGUMENT", problem, { option: "path", path: soundFile });
  }
  const text = JSON.stringify(content(base, result, model, options, bitDepth), null, 2);
  await writeOutput(file, (append) => append(`${text}\n`));
  return file;
}

function content(
  file: string,
  { seed, sampleRate, channels, durationS, quality }: GenerationResult,
  { metadata }: Pick<LoadedModel, "metadata">,
  options: GenerateOptions,
  bitDepth: BitDepth,
) {
  const { sliders, latent, ...others } = options;
  const used = resolveGenerateOptions({ ...others, seed }, { latentDim: 0, analysis: null });
  return {
    file,
    model: { model_id: metadata.modelId, name: metadata.name },
    seed,
    config: {
      duration_s: used.durationS,
      concat_mode: used.concatMode,
      steps_between: used.stepsBetween,
      overlap_samples: used.overlapSamples,
      joint: used.joint,
      loudness: used.loudness,
      sliders: sliders ?? null,
      latent_vector: latent ? Array.from(latent) : null,
      spatial: { mode: used.spatialMode, width: used.width, depth: used.depth },
      sample_rate: used.sampleRate,
      bit_depth: bitDepth,
    },
    audio: { sample_rate: sampleRate, channels, duration_s: durationS },
    quality: {
      snr_db: quality.snrDb,
      rating: quality.rating,
      rating_reason: quality.ratingReason,
      clipping: {
        clipped_samples: quality.clipping.clippedSamples,
        clipped_percentage: quality.clipping.clippedPercentage,
        peak_value: quality.clipping.peakValue,
        max_consecutive_clipped: quality.clipping.maxConsecutiveClipped,
        has_clipping: quality.clipping.hasClipping,
      },
    },
  };
}
