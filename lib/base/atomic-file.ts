import { randomBytes } from "node:crypto";
import { type FileHandle, open, rename, unlink } from "node:fs/promises";
import { dirname, join } from "node:path";
import { SdaError } from "./errors.js";

/**
 * Writes a file so that its name shows either what was there before or all of the new content, whatever happens:
 * into a temporary file beside it, synced, then renamed. When `write` fails, the temporary file is removed.
 *
 * @throws SdaError ERR_SDA_NOT_FOUND (no such folder), ERR_SDA_IO, or what `write` throws
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
    await unlink(temporary).catch(() => {}); // it may not have come to be
    throw asIoError(error, path);
  }
  await syncFolder(folder);
}

/** Makes a rename survive a power cut. Some systems can't sync a folder; the file itself is whole all the same. */
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
  if (!(error instanceof Error && "syscall" in error)) return error;
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
