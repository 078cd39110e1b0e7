/** The file of a made sound, under a name that no other sound has. */
import { readFile } from "node:fs/promises";
import type { GenerationResult } from "../audio/generation.js";
import type { WriteWavOptions } from "../audio/wav.js";
import { isTaken } from "../base/output-file.js";
import type { ModelMetadata } from "../format/metadata.js";

/**
 * Writes a WAV file named after the model and the seed. A file of the same model and seed is
 * replaced. If another sound has the name, also in another case or normalization where the file
 * system makes no difference, the file gets a number.
 *
 * @param stem path of the file without its suffix
 * @returns the stem of the file, and whether it has replaced another
 * @throws SdaError as `writeWav`
 */
export async function writeSoundFile(
  stem: string,
  sound: GenerationResult,
  { metadata }: { metadata: ModelMetadata },
  options: WriteWavOptions,
): Promise<{ stem: string; replaced: boolean }> {
  const { writeWav } = await import("../audio/wav.js");
  for (let number = 1; ; number++) {
    const numbered = number === 1 ? stem : `${stem}_${number}`;
    try {
      await writeWav(`${numbered}.wav`, sound, { ...options, overwrite: false });
      return { stem: numbered, replaced: false };
    } catch (error) {
      if (!isTaken(error)) throw error;
    }
    if (await isOf(`${numbered}.json`, metadata, sound.seed)) {
      await writeWav(`${numbered}.wav`, sound, options);
      return { stem: numbered, replaced: true };
    }
  }
}

/** Whether a sidecar is of a sound of this model and seed. */
async function isOf(path: string, { modelId, name }: ModelMetadata, seed: number) {
  try {
    const { model, seed: found } = JSON.parse(await readFile(path, "utf8"));
    return found === seed && model.model_id === modelId && (modelId !== "" || model.name === name);
  } catch {
    return false; // no sidecar of ours
  }
}
