/** Small files of v1.1, whose models may have a vocoder. */
import type { VocoderInfo } from "../../lib/index.js";
import { load, save } from "../../lib/torch/index.js";
import { fixture } from "./fixtures.js";
import { toGan } from "./gan-content.js";

export { VOCODER } from "./gan-content.js";

/** Writes a file as `toGan` makes it of `tiny.sda`. */
export async function writeGan(path: string, vocoder?: VocoderInfo, id?: string): Promise<void> {
  const content = (await load(fixture("models/tiny.sda"))) as Map<string, unknown>;
  await save(toGan(content, vocoder, id), path);
}
