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
 * Reads the metadata of a model file. Reads no weights, so the time does not depend on the size of
 * the file. The result always has all 14 fields, in the order of the file
 * format; a field that the file omits has the format's default.
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
