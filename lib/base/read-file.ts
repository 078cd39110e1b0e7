import { constants } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { SdaError } from "./errors.js";
import { ioError } from "./io-error.js";

/**
 * Opens a file for reading and closes it after `use`.
 *
 * @throws SdaError ERR_SDA_NOT_FOUND; ERR_SDA_FORMAT: not a file; ERR_SDA_IO; what `use` throws
 */
export async function withOpenFile<T>(
  path: string,
  use: (file: FileHandle, size: number) => Promise<T>,
): Promise<T> {
  try {
    // Without O_NONBLOCK, a pipe without a writer would block a thread for ever.
    const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      const found = await file.stat();
      if (!found.isFile()) throw wrong(path, "is not a file");
      return await use(file, found.size);
    } finally {
      await file.close();
    }
  } catch (error) {
    throw ioError(error, path, `${path} can't be read`);
  }
}

/**
 * Reads exactly `size` bytes of an open file.
 *
 * @returns null: the file ends before
 */
export async function readRange(
  file: Pick<FileHandle, "read">,
  offset: number,
  size: number,
): Promise<Uint8Array | null> {
  const bytes = new Uint8Array(size);
  for (let at = 0; at < size; ) {
    const { bytesRead } = await file.read(bytes, at, size - at, offset + at);
    if (bytesRead === 0) return null;
    at += bytesRead;
  }
  return bytes;
}

/**
 * Reads a file that must not be too long.
 *
 * @param most bytes
 * @throws SdaError as `withOpenFile`; ERR_SDA_LIMIT: the file is longer than `most`
 */
export function readBytes(path: string, most: number): Promise<Buffer> {
  return withOpenFile(path, (file, size) => {
    if (size <= most) return file.readFile();
    const problem = `${path} has ${size} bytes; at most ${most} are read`;
    throw new SdaError("ERR_SDA_LIMIT", problem, { path, bytes: size, limit: most });
  });
}

/**
 * Reads a small text file.
 *
 * @param most bytes
 * @throws SdaError as `readBytes`; ERR_SDA_FORMAT also for a text that is not UTF-8
 */
export async function readText(path: string, most: number): Promise<string> {
  const bytes = await readBytes(path, most);
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    throw wrong(path, "is not a text in UTF-8");
  }
}

function wrong(path: string, problem: string): SdaError {
  return new SdaError("ERR_SDA_FORMAT", `${path} ${problem}`, { path });
}
