import { randomBytes } from "node:crypto";
import { type FileHandle, open, rename, unlink } from "node:fs/promises";
import { dirname, join } from "node:path";
import { SdaError } from "./errors.js";
import { isError } from "./realm.js";

/**
 * Writes a file atomically: after a failure or a crash, `path` holds either its old content or all
 * of the new content. The content goes into a temporary file in the same folder, which is synced
 * and then renamed to `path`. When `write` fails, the temporary file is removed.
 *
 * Not write-file-atomic: that takes the whole content at once, while a WAV file is written in
 * pieces, and it does not sync the folder.
 *
 * @param write writes the new content; the file is open and empty
 * @throws SdaError ERR_SDA_NOT_FOUND: the folder does not exist; ERR_SDA_IO: the system refuses to
 *   write. An error of `write` that has no `syscall` is thrown unchanged.
 */
export async function writeFileAtomically(
  path: string,
  write: (file: FileHandle) => Promise<void>,
): Promise<void> {
  const folder = dirname(path);
  const temporary = join(folder, `.sda-${process.pid}-${randomBytes(6).toString("hex")}.tmp`);
  try {
    const file = await open(temporary, "wx", 0o666);
    try {
      await write(file);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
  } catch (error) {
    await unlink(temporary).catch(() => {}); // `open` may have failed
    throw asIoError(error, path);
  }
  await syncFolder(folder);
}

/**
 * Syncs a folder, so that a rename in it survives a power cut. Errors are ignored: some systems
 * cannot sync a folder, and the renamed file is complete in any case.
 */
async function syncFolder(folder: string): Promise<void> {
  try {
    const handle = await open(folder, "r");
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
  } catch {}
}

function asIoError(error: unknown, path: string): unknown {
  if (!(isError(error) && "syscall" in error)) return error;
  const { code, syscall } = error as NodeJS.ErrnoException;
  const missing = code === "ENOENT" || code === "ENOTDIR";
  return new SdaError(
    missing ? "ERR_SDA_NOT_FOUND" : "ERR_SDA_IO",
    missing
      ? `${path} can't be written: the folder ${dirname(path)} does not exist`
      : `${path} can't be written: ${error.message}`,
    { path, errno: code, syscall },
    { cause: error },
  );
}
