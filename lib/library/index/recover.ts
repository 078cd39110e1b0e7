import { fileIdentity } from "../../base/file-identity.js";
import { warn } from "../../base/warnings.js";
import { entryFiles } from "./entry-files.js";
import type { ModelsFolder } from "./folder.js";
import { type FoundIndex, readIndex } from "./index-file.js";
import { IndexImage, Patch } from "./index-image.js";
import { entryOfFile, readModelFiles, type UnreadableFile } from "./model-files.js";
import { readUnlessDamaged, setAside, underLock } from "./set-aside.js";
import { replaceIndex } from "./write-index.js";

/**
 * Replaces an index that is damaged, or missing although there is a backup. The backup becomes the
 * index, together with the model files that it lacks; if the backup is damaged too, a new index is
 * made from the model files. Damaged files are kept as "<name>.damaged-<time>". A process warning
 * reports the recovery.
 *
 * @param locked whether the caller holds the folder's lock
 */
export async function recoverIndex(folder: ModelsFolder, locked: boolean): Promise<FoundIndex> {
  return underLock(folder, locked, (writable) => recover(folder, writable));
}

/** An index in memory of the model files of a folder that can't be changed. */
export async function listFiles(folder: ModelsFolder): Promise<FoundIndex> {
  const { image, unreadable } = await withFiles(folder, new IndexImage());
  if (unreadable.length > 0) {
    warn(
      "SDA_FILE_UNREADABLE",
      `${folder.path}: ${unreadable.length} of its model files can't be read`,
      unreadable.map(({ file, error }) => `${file}: ${error.message}`).join("\n"),
    );
  }
  return { image, identity: null, content: [] };
}

async function recover(folder: ModelsFolder, writable: boolean): Promise<FoundIndex> {
  const index = await readUnlessDamaged(() => readIndex(folder.index));
  // Another process has repaired the index, or has finished writing it in place.
  if ("image" in index) return index;
  // A folder with the backup's name is treated as a damaged backup.
  const backup = await readUnlessDamaged(() => readIndex(folder.backup), ["ERR_SDA_FORMAT"]);
  const problem = index.problem ?? `${folder.index} is missing`;
  const isBackup = "image" in backup;
  const { image, added } = await withFiles(folder, isBackup ? backup.image : new IndexImage());
  if (writable && !isBackup) await setAside(folder.backup);
  // The backup of a later program is listed, and its folder left alone.
  const found = await replace(folder, image, writable && !image.isNewer);
  if (isBackup) {
    warn(
      "SDA_INDEX_RECOVERED",
      `${problem}; it has been restored from its backup, which lacks the latest changes`,
      added > 0
        ? `${added} model files that the backup lacks have been added.`
        : "The backup has all model files of the folder.",
    );
  } else {
    const backupProblem = backup.problem ?? "there is no backup";
    const made = `a new index lists the folder's ${image.count} model files`;
    warn("SDA_INDEX_RECOVERED", `${problem}, and ${backupProblem}; ${made}`);
  }
  return found;
}

/** Adds the model files that an index lacks. */
async function withFiles(
  folder: ModelsFolder,
  image: IndexImage,
): Promise<{ image: IndexImage; added: number; unreadable: UnreadableFile[] }> {
  const known = entryFiles(image);
  const { files, unreadable } = await readModelFiles(folder, { known });
  const patch = new Patch(image);
  for (const file of files) patch.add(entryOfFile(file, (id) => patch.has(id)));
  image.apply(patch);
  return { image, added: files.length, unreadable };
}

async function replace(
  folder: ModelsFolder,
  image: IndexImage,
  writable: boolean,
): Promise<FoundIndex> {
  if (!writable) {
    const identity = await fileIdentity(folder.index);
    return { image, identity, content: null };
  }
  await setAside(folder.index);
  const content = image.assemble();
  return { image, identity: await replaceIndex(folder, content), content };
}
