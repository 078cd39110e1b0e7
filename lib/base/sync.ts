/** Makes changes of files survive a power cut. */
import { type FileHandle, open } from "node:fs/promises";
import { errnoOf } from "./io-error.js";

/** Some file systems can't sync, such as those of FUSE programs: there is nothing to wait for. */
const UNSUPPORTED = ["EINVAL", "ENOSYS", "ENOTSUP", "EOPNOTSUPP"];
/** One may write to a folder that one can't list. */
const NOT_OPENED = ["EACCES", "EPERM", "EISDIR"];
const IS_WINDOWS = process.platform === "win32";

/** Waits until a file's content is on the disk. */
export async function syncFile(file: FileHandle): Promise<void> {
  try {
    await file.sync();
  } catch (error) {
    if (!UNSUPPORTED.includes(errnoOf(error) ?? "")) throw error;
  }
}

/** Waits until a folder's names are on the disk. */
export async function syncFolder(path: string): Promise<void> {
  let folder: FileHandle;
  try {
    // Windows syncs a folder only if it is open for writing, and not on every file system.
    folder = await open(path, IS_WINDOWS ? "r+" : "r");
  } catch (error) {
    if (NOT_OPENED.includes(errnoOf(error) ?? "")) return;
    throw error;
  }
  try {
    await syncFile(folder);
  } catch (error) {
    if (!(IS_WINDOWS && NOT_OPENED.includes(errnoOf(error) ?? ""))) throw error;
  } finally {
    await folder.close();
  }
}
