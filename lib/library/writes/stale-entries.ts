/** Finds entries that say something else than their file. */
import { stat } from "node:fs/promises";
import { extname } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { fileIdentity, identityOf } from "../../base/file-identity.js";
import { GENERATIONS } from "../../format/generations.js";
import { readMetadata } from "../../format/read-metadata.js";
import type { VocoderInfo } from "../../format/vocoder.js";
import { freezeEntry } from "../index/entry.js";
import type { ModelsFolder } from "../index/folder.js";
import type { IndexImage, Patch } from "../index/index-image.js";

/** Files examined at the same time: enough to keep the system's threads busy. */
const AT_ONCE = 16;

/** An entry, and what its file says. */
export interface StaleEntry {
  modelId: string;
  filePath: string;
  /** Absolute */
  path: string;
  /** The file's identity while it was read */
  identity: string;
  fileSizeBytes: number;
  vocoder: VocoderInfo | null;
}

/**
 * The entries whose file has another size or vocoder. The program's `train-vocoder` changes a file
 * in place and leaves the index alone. Training a vocoder again need not change the size, so all
 * files that may have one are read; of the others, those with another size. Files that can't be
 * read are left alone.
 *
 * @param names the names in the folder; true for a symbolic link
 */
export async function staleEntries(
  folder: ModelsFolder,
  image: IndexImage,
  names: ReadonlyMap<string, boolean>,
  signal: AbortSignal | undefined,
): Promise<StaleEntry[]> {
  const stale: StaleEntry[] = [];
  const slots = image.models();
  const work = async () => {
    for (const slot of slots) {
      signal?.throwIfAborted();
      const filePath = image.value(slot, "filePath");
      const isPlain = names.get(filePath) === false;
      const path = isPlain ? folder.join(filePath) : await resolved(folder, filePath);
      const found = path && (await differing(path, image, slot));
      if (found) stale.push({ modelId: image.idOf(slot), filePath, path, ...found });
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  return stale;
}

/** @returns null: the path leads out of the folder, or can't be examined */
function resolved(folder: ModelsFolder, filePath: string): Promise<string | null> {
  return folder.resolve(filePath).catch(() => null);
}

type Facts = Pick<StaleEntry, "identity" | "fileSizeBytes" | "vocoder">;

/** What a file says; null: the same as its entry, or the file can't be read. */
async function differing(path: string, image: IndexImage, slot: number): Promise<Facts | null> {
  try {
    const inIndex = image.value(slot, "fileSizeBytes");
    const mayHaveVocoder = extname(path).toLowerCase() === GENERATIONS.distillgan.suffix;
    if (!mayHaveVocoder && (await stat(path)).size === inIndex) return null;
    const info = await stat(path, { bigint: true });
    const fileSizeBytes = Number(info.size);
    const { vocoder } = await readMetadata(path);
    const isSame = fileSizeBytes === inIndex;
    if (isSame && isDeepStrictEqual(vocoder, image.value(slot, "vocoder"))) return null;
    return { identity: identityOf(info), fileSizeBytes, vocoder };
  } catch {
    return null;
  }
}

/**
 * Mends the entries whose file is still as it was read. The caller must hold the lock.
 *
 * @returns how many entries have changed
 */
export async function mend(patch: Patch, stale: readonly StaleEntry[]): Promise<number> {
  let updated = 0;
  for (const { modelId, filePath, path, identity, fileSizeBytes, vocoder } of stale) {
    const entry = patch.get(modelId);
    if (entry?.filePath !== filePath) continue;
    if ((await fileIdentity(path).catch(() => null)) !== identity) continue;
    const mended = { ...entry, fileSizeBytes, vocoder };
    if (isDeepStrictEqual(mended, { ...entry })) continue; // another process has mended the entry
    patch.add(freezeEntry(mended));
    updated++;
  }
  return updated;
}
