import { toFilePath } from "../base/check.js";
import { atOnce } from "../native/at-once.js";
import { callNative } from "../native/call.js";
import { checkpointAddon } from "../native/load.js";
import type { ReadOptions } from "../native/types.js";
import { parseHeader } from "./header.js";
import type { ModelMetadata } from "./metadata.js";
import { parseMetadata } from "./schema.js";

const ONLY_METADATA: ReadOptions = {
  verify: true,
  weights: false,
  only: ["format", "version", "metadata"],
  unknownGlobals: "reject",
};

/**
 * Reads a model file's metadata and nothing else: no weights, in a time that doesn't depend on the file's size,
 * and without LibTorch. The names, order and defaults of the 14 fields are those of the file format.
 *
 * @throws SdaError ERR_SDA_NOT_FOUND, ERR_SDA_FORMAT (not a model file), ERR_SDA_CORRUPT, ERR_SDA_UNSAFE,
 *   ERR_SDA_VERSION (newer than supported) or ERR_SDA_SCHEMA (`details.field` names the field)
 */
export async function readMetadata(path: string | URL): Promise<ModelMetadata> {
  const file = toFilePath(path);
  const addon = checkpointAddon();
  const content = await callNative(
    addon,
    undefined,
    () => atOnce(() => addon.readAtOnce(file, ONLY_METADATA)) ?? addon.read(file, ONLY_METADATA),
  );
  return parseMetadata(parseHeader(content, file));
}
