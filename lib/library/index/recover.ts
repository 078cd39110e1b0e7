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
 * What to do when the index is damaged, or missing while there is a backup: it is replaced by the backup or, when that
 * is no good either, by a new one from the model files. Nothing is thrown away: damaged files stay under the name
 * "<name>.damaged-<time>". A process warning tells.
 */
export async function recoverIndex(
  folder: ModelsFolder,
  locked: boolean,
): Promise<{ image: IndexImage; identity: string | null }> {
  if (locked) return recover(folder, true);
  try {
    return await withLock(folder, {}, () => recover(folder, true));
  } catch (error) {
    // A folder that can't be written to can still be read, also when its lock can be had.
    if (isSdaError(error, "ERR_SDA_IO") && isReadOnly(error)) return recover(folder, false);
    throw error;
  }
}

async function recover(
  folder: ModelsFolder,
  writable: boolean,
): Promise<{ image: IndexImage; identity: string | null }> {
  const index = await readUnlessDamaged(folder, folder.index);
  if ("image" in index) return index; // somebody else has repaired it, or has been writing it in place
  const backup = await readUnlessDamaged(folder, folder.backup);
  const problem = index.problem ?? `${folder.index} is missing`;
  if ("image" in backup) {
    const identity = writable
      ? await replace(folder, backup.image)
      : await fileIdentity(folder.index);
    warn(
      "SDA_INDEX_RECOVERED",
      `${problem}; its backup of the change before took its place`,
      "Models saved since are found again by repairIndex().",
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
  warn(
    "SDA_INDEX_RECOVERED",
    `${problem}, and ${backup.problem ?? "there is no backup"}; a new one has been made from the ${image.count} model files`,
  );
  return { image, identity };
}

async function replace(folder: ModelsFolder, image: IndexImage): Promise<string> {
  await setAside(folder.index);
  return replaceIndex(folder, image.assemble());
}

/** Gives a damaged file a second name; the first one is about to be taken over. */
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
      // A folder, or a file system without second names
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
    // A folder, under that name: as good as damaged.
    if (path === folder.backup && isSdaError(error, "ERR_SDA_FORMAT")) {
      return { problem: error.message };
    }
    if (isSdaError(error, "ERR_SDA_NOT_FOUND")) return {};
    throw error;
  }
}

function isReadOnly(error: SdaError): boolean {
  const errno = error.details?.["errno"];
  const { EACCES, EROFS, EPERM } = constants.errno; // by number, from the native lock
  return ["EACCES", "EROFS", "EPERM", EACCES, EROFS, EPERM].includes(errno as string | number);
}
