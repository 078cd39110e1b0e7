import { realpath, stat } from "node:fs/promises";
import { dirname, join, relative, resolve, sep } from "node:path";
import { badArgument } from "../../base/check.js";
import { SdaError } from "../../base/errors.js";
import { errnoOf, ioError, isSdaError } from "../../base/io-error.js";
import type { LockKind } from "./lock-kind.js";

/**
 * A folder with a JSON file that programs change under a lock, and the names of the files beside
 * it. All these folders keep the same rules: see `writeIndex`.
 */
export class IndexPlace {
  /** The folder */
  readonly path: string;
  /** The JSON file */
  readonly index: string;
  /** A copy of the JSON file before its last change. */
  readonly backup: string;
  /** An empty file. A process that changes the JSON file locks it; nobody deletes it. */
  readonly lock: string;
  readonly lockKind: LockKind;
  readonly #stem: string;
  readonly #what: string;

  /**
   * @param name of the JSON file, with the suffix ".json"
   * @param what the folder is, for messages: "models folder"
   */
  constructor(path: string, name: string, lockKind: LockKind, what: string) {
    this.path = path;
    this.lockKind = lockKind;
    this.index = join(path, name);
    this.backup = `${this.index}.bak`;
    this.#stem = stemOf(name);
    this.lock = join(path, `.${this.#stem}.lock`);
    this.#what = what;
  }

  join(name: string): string {
    return join(this.path, name);
  }

  /** @returns a path with a name that `temporaryPattern` matches */
  temporaryPath(digits: string): string {
    return this.join(`.${this.#stem}-${process.pid}-${digits}.tmp`);
  }

  /**
   * The absolute path of an entry's file. The file may be missing.
   *
   * @throws SdaError ERR_SDA_UNSAFE: the path, or a symbolic link in it, leads out of the folder
   */
  async resolve(filePath: string): Promise<string> {
    const leavesFolder = (target: string) => {
      const problem = `${JSON.stringify(filePath)} leads out of the ${this.#what} ${this.path}`;
      return new SdaError("ERR_SDA_UNSAFE", `${problem} to ${target}: refused`, {
        path: this.path,
        filePath,
        target,
      });
    };
    const path = resolve(this.path, filePath);
    if (!isInsideByName(filePath)) throw leavesFolder(path);
    const target = await existingPart(path);
    if (!isInside(this.path, target)) throw leavesFolder(target);
    return path;
  }
}

/**
 * Matches the names of a JSON file's temporary files. Only a lock holder writes them, so a lock
 * holder may remove them.
 */
export function temporaryPattern(name: string): RegExp {
  return new RegExp(`^\\.${stemOf(name)}-\\d+-[0-9a-f]+\\.tmp$`);
}

function stemOf(name: string): string {
  return name.replace(/\.json$/, "");
}

/**
 * The path of a folder, with all links followed. The folder need not exist.
 *
 * @param option the name of the argument in messages
 * @throws SdaError ERR_SDA_ARGUMENT: the path, or a part of it, is a file; ERR_SDA_IO
 */
export async function realFolder(option: string, folder: string): Promise<string> {
  const path = resolve(folder);
  try {
    const { real, part } = await deepestPart(path);
    if ((await stat(real)).isDirectory()) return join(real, relative(part, path));
  } catch (error) {
    if (!isSdaError(error, "ERR_SDA_NOT_FOUND")) throw error; // a part of the path is a file
  }
  throw badArgument(option, "a folder", path);
}

/** The real path of the deepest part of `path` that exists. */
async function existingPart(path: string): Promise<string> {
  return (await deepestPart(path)).real;
}

/** The deepest part of `path` that exists, and its real path. */
async function deepestPart(path: string): Promise<{ part: string; real: string }> {
  for (let part = path; ; part = dirname(part)) {
    try {
      return { part, real: await realpath(part) };
    } catch (error) {
      if (errnoOf(error) !== "ENOENT" || part === dirname(part)) {
        throw ioError(error, path, `${path} can't be looked up`);
      }
    }
  }
}

function isInside(folder: string, path: string): boolean {
  return path === folder || path.startsWith(folder.endsWith(sep) ? folder : folder + sep);
}

/** Whether a relative path stays below its folder, judged by its text: links are not followed. */
export function isInsideByName(filePath: string): boolean {
  if (filePath === "" || filePath.includes("\0") || /^[\\/]|^[A-Za-z]:[\\/]/.test(filePath))
    return false;
  if (filePath.split(/[\\/]/).includes("..")) return false;
  return relative(".", filePath) !== ""; // "." and "../" name the folder itself
}
