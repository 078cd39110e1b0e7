import { constants, write as writeTo } from "node:fs";
import { type FileHandle, link, open, unlink } from "node:fs/promises";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { SdaError } from "./errors.js";
import { errnoOf } from "./io-error.js";
import { pause } from "./on-abort.js";
import { type FileTarget, outputTarget, type StreamTarget, writeError } from "./output-target.js";
import { replaceFile } from "./replace-file.js";
import { syncFile, syncFolder } from "./sync.js";
import { clearTemporaryFiles, temporaryName } from "./temporary-files.js";

/** The pause before writing to a full pipe again. */
const PIPE_PAUSE_MS = 5;
/** Errors of `link` on a file system without hard links. */
export const NO_LINKS = ["EPERM", "ENOTSUP", "EOPNOTSUPP", "ENOSYS", "EMLINK"];

/** Appends to the output. */
export type Append = (bytes: Uint8Array | string) => Promise<void>;

/** Options of `writeOutput`. */
export interface OutputOptions {
  /** false: an existing file is not replaced, see `isTaken`; default true */
  overwrite?: boolean | undefined;
  /** Ends the wait for the reader of a pipe. */
  signal?: AbortSignal | undefined;
}

/**
 * Writes to a path. All writers of this package follow the same rule:
 *
 * - A file appears at once: after a failure or a crash, `path` holds either its old content or all
 *   of the new content. The content goes into a temporary file in the same folder, which is synced
 *   and then renamed. A file that is replaced keeps its mode and, where the system allows it, its
 *   owner. Links are followed and stay.
 * - A character device or a pipe, such as /dev/null or /dev/stdout, gets the bytes as they come.
 * - A folder, a block device or a socket is refused.
 *
 * Temporary files of killed processes are removed from the folder. Not write-file-atomic: that
 * replaces devices, takes the whole content at once, while a WAV file is written in pieces, and
 * does not sync the folder.
 *
 * @param write writes the content
 * @throws SdaError ERR_SDA_NOT_FOUND: the folder does not exist; ERR_SDA_IO: the path is refused,
 *   the system refuses to write, or nothing reads the pipe. An error of `write` that has no
 *   `syscall` is thrown unchanged.
 */
export async function writeOutput(
  path: string,
  write: (append: Append) => Promise<void>,
  options: OutputOptions = {},
): Promise<void> {
  const target = outputTarget(path);
  if (target.kind === "none") {
    const problem = `${path} can't be written: it is ${target.what}, not a file`;
    throw new SdaError("ERR_SDA_IO", problem, { path, errno: target.errno });
  }
  try {
    if (target.kind === "stream") await writeStream(target, write, options.signal);
    else await writeFile(target, write, options);
  } catch (error) {
    throw explain(error, path, target);
  }
}

/** Whether `writeOutput` has failed because there is a file, which it was not to replace. */
export function isTaken(error: unknown): boolean {
  return error instanceof SdaError && error.details?.["errno"] === "EEXIST";
}

async function writeFile(
  target: FileTarget,
  write: (append: Append) => Promise<void>,
  { overwrite = true }: OutputOptions,
): Promise<void> {
  const { path, old } = target;
  if (old && !overwrite) throw taken(path);
  const folder = dirname(path);
  await clearTemporaryFiles(folder);
  const temporary = join(folder, temporaryName());
  try {
    // Nobody may read the new content who can't read the old one.
    const file = await open(temporary, "wx", old ? 0o600 : 0o666);
    try {
      await write((bytes) => file.writeFile(bytes));
      if (old) await takeAfter(file, old);
      await syncFile(file);
    } finally {
      await file.close();
    }
    if (overwrite) await replaceFile(temporary, path);
    else await moveIfFree(temporary, path);
  } catch (error) {
    await unlink(temporary).catch(() => {}); // `open` may have failed
    throw error;
  }
  await syncFolder(folder).catch(() => {}); // the file is complete in any case
}

/** Gives the new file the old one's owner and mode. Some file systems have neither. */
async function takeAfter(file: FileHandle, old: { uid: number; gid: number; mode: number }) {
  await keepOwner(file, old);
  await file.chmod(old.mode & 0o777).catch(() => {});
}

/** Best effort: only root can give a file away, and others only to a group of their own. */
export async function keepOwner(
  file: FileHandle,
  { uid, gid }: { uid: number; gid: number },
): Promise<void> {
  const own = await file.stat();
  if (own.uid === uid && own.gid === gid) return;
  await file.chown(uid, gid).catch(() => file.chown(own.uid, gid).catch(() => {}));
}

async function moveIfFree(from: string, to: string): Promise<void> {
  try {
    await link(from, to);
    await unlink(from);
  } catch (error) {
    if (!NO_LINKS.includes(errnoOf(error) ?? "")) throw error;
    const reserved = await open(to, "wx", 0o666);
    await reserved.close();
    await replaceFile(from, to);
  }
}

function taken(path: string): SdaError {
  const problem = `${path} can't be written: there is a file already`;
  return new SdaError("ERR_SDA_IO", problem, { path, errno: "EEXIST" });
}

async function writeStream(
  { path, descriptor }: StreamTarget,
  write: (append: Append) => Promise<void>,
  signal: AbortSignal | undefined,
): Promise<void> {
  if (descriptor !== undefined) {
    await write((bytes) => writeAll(descriptor, bytes, signal));
    return;
  }
  // Without O_NONBLOCK, a pipe without a reader would block a thread for ever.
  const file = await open(path, constants.O_WRONLY | constants.O_NONBLOCK | constants.O_NOCTTY);
  try {
    await write((bytes) => writeAll(file.fd, bytes, signal));
  } finally {
    await file.close();
  }
}

const writePart = promisify(writeTo);

/** Writes all bytes. While a pipe is full, it waits for the reader. */
async function writeAll(
  descriptor: number,
  content: Uint8Array | string,
  signal: AbortSignal | undefined,
): Promise<void> {
  const bytes = typeof content === "string" ? Buffer.from(content) : content;
  for (let at = 0; at < bytes.length; ) {
    signal?.throwIfAborted();
    try {
      at += (await writePart(descriptor, bytes, at)).bytesWritten;
    } catch (error) {
      if (errnoOf(error) !== "EAGAIN") throw error;
      await pause(PIPE_PAUSE_MS, signal);
    }
  }
}

function explain(error: unknown, path: string, target: FileTarget | StreamTarget): unknown {
  const errno = errnoOf(error);
  const { syscall, message } = error as NodeJS.ErrnoException;
  const fail = (problem: string) =>
    new SdaError("ERR_SDA_IO", `${path} can't be written: ${problem}`, { path, errno, syscall });
  if (errno === "EEXIST") return taken(path);
  if (errno === "EBUSY" && syscall === "rename") {
    return fail(
      `it is a mount point of its own, so it can't be replaced; mount its folder (${message})`,
    );
  }
  if (errno === "ENXIO" && target.kind === "stream") {
    return fail(`nothing reads it; start the reader of the pipe first (${message})`);
  }
  return writeError(error, path, dirname(target.path));
}
