import { toFilePath } from "../base/check.js";
import { atOnce } from "../native/at-once.js";
import { callNative } from "../native/call.js";
import { checkpointAddon } from "../native/load.js";
import { Fields } from "./fields.js";
import { type GenerationName, generationOf } from "./generations.js";
import type { ModelMetadata } from "./metadata.js";
import { contentOf, parseMetadata } from "./schema.js";
import { parseVocoder, type VocoderInfo } from "./vocoder.js";

const KEYS = ["format", "version", "model_type", "training_config", "metadata"];

/** What `readMetadata` returns: the 14 fields of the file, and what its content tells. */
export interface FileMetadata extends ModelMetadata {
  /** Which version of the program wrote the file */
  generation: GenerationName;
  /** null: the file has none */
  vocoder: VocoderInfo | null;
}

/**
 * Reads the metadata of a model file. Reads no weights, so the time does not depend on the size of
 * the file. The result has all 14 fields, in the order of the file format, and `generation` and
 * `vocoder`; a field that the file omits has the format's default.
 *
 * @throws SdaError ERR_SDA_NOT_FOUND, ERR_SDA_IO, ERR_SDA_FORMAT (not a model file),
 *   ERR_SDA_CORRUPT, ERR_SDA_UNSAFE, ERR_SDA_LIMIT, ERR_SDA_VERSION (newer than supported) or
 *   ERR_SDA_SCHEMA (`details.field` names the field); ERR_SDA_ARGUMENT: a wrong path
 * @example
 * ```js
 * const { name, tags, hasAnalysis } = await readMetadata("data/models/pads.sda");
 * console.log(name, tags, hasAnalysis ? "with sliders" : "without sliders");
 * ```
 */
export async function readMetadata(path: string | URL): Promise<FileMetadata> {
  const file = toFilePath(path);
  const addon = checkpointAddon();
  const outline = await callNative(
    addon,
    undefined,
    () => atOnce(() => addon.outlineAtOnce(file, KEYS)) ?? addon.outline(file, KEYS),
  );
  const content = contentOf(outline);
  const generation = generationOf(content, file, outline.layerShape);
  const top = new Fields(content, file, "");
  const vocoder = generation.hasVocoder ? parseVocoder(top) : null;
  return {
    ...parseMetadata(top),
    generation: generation.name,
    vocoder: vocoder?.info ?? null,
  };
}
