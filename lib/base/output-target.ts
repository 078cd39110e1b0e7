/** Where a path that is to be written leads: the one rule of all writers of this package. */
import { lstatSync, readlinkSync, realpathSync, type Stats } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { SdaError } from "./errors.js";
import { errnoOf, ioError } from "./io-error.js";

/** As many links as Linux follows. */
const MOST_LINKS = 40;
/** The folder of a process's open files. */
const DESCRIPTORS = /^\/proc\/(\d+)\/(?:task\/\d+\/)?fd$/;

/** A regular file: it is replaced as a whole. */
export interface FileTarget {
  kind: "file";
  /** All links are followed */
  path: string;
  /** The file that is there; null: there is none */
  old: Stats | null;
}

/** A character device or a pipe: it is written to, and stays what it is. */
export interface StreamTarget {
  kind: "stream";
  path: string;
  /** A descriptor of this process, as of /dev/stdout; undefined: the path is to be opened */
  descriptor?: number;
}

/** Nothing can be written there. */
export interface NoTarget {
  kind: "none";
  path: string;
  /** "a folder", "a block device" or "a socket" */
  what: string;
  errno: string;
}

/**
 * Finds what a write to `path` concerns. Symbolic links are followed, so that they stay; the last
 * one may lead to a file that does not exist yet. Synchronous, because `save` must take its values
 * before it returns.
 *
 * @throws SdaError ERR_SDA_NOT_FOUND: the folder does not exist; ERR_SDA_IO
 */
export function outputTarget(path: string): FileTarget | StreamTarget | NoTarget {
  let at = resolve(path);
  for (let links = 0; links <= MOST_LINKS; links++) {
    const folder = realFolder(at, path);
    at = join(folder, basename(at));
    const descriptor = ownDescriptor(folder, basename(at));
    if (descriptor !== undefined) return { kind: "stream", path, descriptor };
    const found = lstatOrNull(at, path);
    if (!found?.isSymbolicLink()) return targetOf(at, found);
    at = resolve(folder, readlinkSync(at));
  }
  const problem = `${path} can't be written: more than ${MOST_LINKS} links follow each other`;
  throw new SdaError("ERR_SDA_IO", problem, { path, errno: "ELOOP" });
}

function targetOf(at: string, found: Stats | null): FileTarget | StreamTarget | NoTarget {
  if (found === null || found.isFile()) return { kind: "file", path: at, old: found };
  if (found.isCharacterDevice() || found.isFIFO()) return { kind: "stream", path: at };
  if (found.isDirectory()) return { kind: "none", path: at, what: "a folder", errno: "EISDIR" };
  const what = found.isBlockDevice() ? "a block device" : "a socket";
  return { kind: "none", path: at, what, errno: "ENXIO" };
}

/** /dev/stdout, /dev/fd/1 and the like lead to /proc/<this process>/fd/1. */
function ownDescriptor(folder: string, name: string): number | undefined {
  const pid = DESCRIPTORS.exec(folder)?.[1];
  return Number(pid) === process.pid && /^\d+$/.test(name) ? Number(name) : undefined;
}

function realFolder(at: string, path: string): string {
  try {
    return realpathSync.native(dirname(at));
  } catch (error) {
    throw writeError(error, path, dirname(at));
  }
}

function lstatOrNull(at: string, path: string): Stats | null {
  try {
    return lstatSync(at);
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return null;
    throw writeError(error, path, dirname(at));
  }
}

/** Turns a system error of a write into an SdaError. */
export function writeError(error: unknown, path: string, folder = dirname(path)): unknown {
  const errno = errnoOf(error);
  const isMissing = errno === "ENOENT" || errno === "ENOTDIR";
  if (!isMissing) return ioError(error, path, `${path} can't be written`);
  const problem = `${path} can't be written: the folder ${folder} does not exist`;
  const details = { path, errno, syscall: (error as NodeJS.ErrnoException).syscall };
  return new SdaError("ERR_SDA_NOT_FOUND", problem, details, { cause: error });
}
