import { link, rename } from "node:fs/promises";
import { constants } from "node:os";
import type { SdaError } from "../../base/errors.js";
import { fileIdentity } from "../../base/file-identity.js";
import { errnoOf, ioError, isSdaError } from "../../base/io-error.js";
import { warn } from "../../base/warnings.js";
import type { ModelsFolder } from "./folder.js";
import { DamagedIndex, type ReadIndex, readIndex } from "./index-file.js";
import { IndexImage, Patch } from "./index-image.js";
import { withLock } from "./lock.js";
import { entryOfFile, readModelFiles } from "./model-files.js";
import { replaceIndex } from "./write-index.js";

/**
 * Replaces an index that is damaged, or missing although there is a backup. The backup becomes the
 * index; if the backup is damaged too, a new index is made from the model files. Damaged files are
 * kept as "<name>.damaged-<time>". A process warning reports the recovery.
 *
 * @param locked whether the caller holds the folder's lock
 * @returns the new index; a null identity means that there is no file
 */
export async function recoverIndex(
  folder: ModelsFolder,
  locked: boolean,
): Promise<{ image: IndexImage; identity: string | null }> {
  if (locked) return recover(folder, true);
  try {
    return await withLock(folder, {}, () => recover(folder, true));
  } catch (error) {
    // A read-only folder can be read, so its recovered index exists in memory only.
    if (isSdaError(error, "ERR_SDA_IO") && isReadOnly(error)) return recover(folder, false);
    throw error;
  }
}

async function recover(
  folder: ModelsFolder,
  writable: boolean,
): Promise<{ image: IndexImage; identity: string | null }> {
  const index = await readUnlessDamaged(folder, folder.index);
  // Another process has repaired the index, or has finished writing it in place.
  if ("image" in index) return index;
  const backup = await readUnlessDamaged(folder, folder.backup);
  const problem = index.problem ?? `${folder.index} is missing`;
  if ("image" in backup) {
    const identity = writable
      ? await replace(folder, backup.image)
      : await fileIdentity(folder.index);
    warn(
      "SDA_INDEX_RECOVERED",
      `${problem}; it has been restored from its backup, which lacks the latest changes`,
      "repairIndex() adds models that were saved after the backup.",
    );
    return { image: backup.image, identity };
  }
  const patch = new Patch(new IndexImage());
  const { files } = await readModelFiles(folder);
  for (const file of files) patch.add(entryOfFile(file, (id) => patch.has(id)));
  const image = patch.image;
  image.apply(patch);
  if (writable) await setAside(folder.backup);
  const identity = writable ? await replace(folder, image) : await fileIdentity(folder.index);
  const backupProblem = backup.problem ?? "there is no backup";
  warn(
    "SDA_INDEX_RECOVERED",
    `${problem}, and ${backupProblem}; a new index lists the folder's ${image.count} model files`,
  );
  return { image, identity };
}

async function replace(folder: ModelsFolder, image: IndexImage): Promise<string> {
  await setAside(folder.index);
  return replaceIndex(folder, image.assemble());
}

/** Gives a damaged file a second name, because its first name is about to be replaced. */
async function setAside(path: string): Promise<void> {
  const time = new Date().toISOString().replace(/[:.]/g, "-");
  for (let i = 0; ; i++) {
    const aside = `${path}.damaged-${time}${i === 0 ? "" : `-${i}`}`;
    try {
      await link(path, aside);
      return;
    } catch (error) {
      const errno = errnoOf(error);
      if (errno === "ENOENT") return; // nothing to keep
      if (errno === "EEXIST") continue;
      if (errno !== "EPERM" && errno !== "ENOTSUP" && errno !== "EMLINK") {
        throw ioError(error, path, `${path} can't be set aside`);
      }
      // A folder, or a file system without hard links
      await rename(path, aside).catch((cause) => {
        throw ioError(cause, path, `${path} can't be set aside`);
      });
      return;
    }
  }
}

async function readUnlessDamaged(
  folder: ModelsFolder,
  path: string,
): Promise<ReadIndex | { problem?: string }> {
  try {
    return await readIndex(path);
  } catch (error) {
    if (error instanceof DamagedIndex) return { problem: error.message };
    // A folder with the backup's name is treated as a damaged backup.
    if (path === folder.backup && isSdaError(error, "ERR_SDA_FORMAT")) {
      return { problem: error.message };
    }
    if (isSdaError(error, "ERR_SDA_NOT_FOUND")) return {};
    throw error;
  }
}

function isReadOnly(error: SdaError): boolean {
  const errno = error.details?.["errno"];
  const { EACCES, EROFS, EPERM } = constants.errno; // the native lock gives numbers
  return ["EACCES", "EROFS", "EPERM", EACCES, EROFS, EPERM].includes(errno as string | number);
}
