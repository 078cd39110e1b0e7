/** The file of a made sound, under a name that no other sound has. */

import type { SoundFormat } from "../audio/files/settings.js";
import type { GenerationResult } from "../audio/generation.js";
import type { WriteSoundOptions } from "../audio/sound-file.js";
import { isSdaError } from "../base/io-error.js";
import { isTaken } from "../base/output-file.js";
import type { ModelMetadata } from "../format/metadata.js";

/**
 * Writes a sound file named after the model and the seed. A file of the same model and seed is
 * replaced. If another sound has the name or the name's sidecar, also in another case or
 * normalization where the file system makes no difference, the file gets a number.
 *
 * @param stem path of the file without its suffix
 * @returns the stem of the file, and whether it has replaced another
 * @throws SdaError as `writeSound`
 */
export async function writeSoundFile(
  stem: string,
  sound: GenerationResult,
  { metadata }: { metadata: ModelMetadata },
  options: WriteSoundOptions & { format: SoundFormat },
): Promise<{ stem: string; replaced: boolean }> {
  const { writeSound } = await import("../audio/sound-file.js");
  for (let number = 1; ; number++) {
    const numbered = number === 1 ? stem : `${stem}_${number}`;
    const path = `${numbered}.${options.format}`;
    const owner = await ownerOf(`${numbered}.json`, metadata, sound.seed);
    if (owner === "another sound") continue;
    try {
      await writeSound(path, sound, { ...options, overwrite: false });
      return { stem: numbered, replaced: false };
    } catch (error) {
      if (!isTaken(error)) throw error;
    }
    if (owner === "this sound") {
      await writeSound(path, sound, options);
      return { stem: numbered, replaced: true };
    }
  }
}

/** Whether a sidecar is of a sound of this model and seed. The Python program's lack the model. */
async function ownerOf(
  path: string,
  { modelId, name }: ModelMetadata,
  seed: number,
): Promise<"this sound" | "another sound" | "none"> {
  const { readSidecar } = await import("../model/sidecar.js");
  try {
    const found = await readSidecar(path);
    const isSame = found.modelId === modelId && (modelId !== "" || found.modelName === name);
    return found.seed === seed && isSame ? "this sound" : "another sound";
  } catch (error) {
    return isSdaError(error, "ERR_SDA_NOT_FOUND") ? "none" : "another sound";
  }
}
