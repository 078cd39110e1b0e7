import type { FileHandle } from "node:fs/promises";
import { toFilePath } from "../base/check.js";
import { SdaError } from "../base/errors.js";
import { withOpenFile } from "../base/read-file.js";
import { findRecipeText } from "./files/read-tags.js";
import { parseRecipe, type Recipe } from "./recipe.js";

/**
 * Reads the recipe in a sound file: what it takes to make the sound again. `encodeSound`,
 * `writeSound` and `sda generate` write it; it survives edits of other tags. The file may come from
 * anywhere: nothing in it is executed or followed, and little more than its tags is read.
 *
 * @returns null: the file has no recipe, or is damaged where the recipe would be
 * @throws SdaError ERR_SDA_NOT_FOUND; ERR_SDA_FORMAT: not a WAV, FLAC, MP3 or Ogg file;
 *   ERR_SDA_SCHEMA: the recipe is damaged (`details.field`); ERR_SDA_VERSION: the recipe is newer
 *   than supported; ERR_SDA_LIMIT: the recipe is too long; ERR_SDA_IO
 * @example
 * ```js
 * const model = await loadModel("data/models/pads.sda");
 * await writeSound("pads.ogg", await model.generate({ durationS: 2, seed: 42 }));
 * const recipe = await readRecipe("pads.ogg");
 * console.log(recipe.options.seed, recipe.file.format); // 42 ogg
 * model.dispose();
 * ```
 */
export async function readRecipe(path: string | URL): Promise<Recipe | null> {
  const file = toFilePath(path);
  const text = await withOpenFile(file, (handle, size) =>
    findRecipeText({ size, read: (at, length) => readAt(handle, at, length) }),
  );
  if (text === undefined) {
    const problem = `${file} is not a WAV, FLAC, MP3 or Ogg file`;
    throw new SdaError("ERR_SDA_FORMAT", problem, { path: file });
  }
  return text === null ? null : parseRecipe(text, file);
}

async function readAt(file: FileHandle, at: number, length: number): Promise<Buffer> {
  // The file may be shorter than a damaged head says: no more memory is taken than it has bytes.
  const { size } = await file.stat();
  const bytes = Buffer.alloc(Math.max(0, Math.min(length, size - at)));
  let filled = 0;
  while (filled < bytes.length) {
    const { bytesRead } = await file.read(bytes, filled, bytes.length - filled, at + filled);
    if (bytesRead === 0) break;
    filled += bytesRead;
  }
  return bytes.subarray(0, filled);
}
