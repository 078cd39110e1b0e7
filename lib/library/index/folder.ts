/** A models folder: the paths of its own files, and checks that other paths stay inside it. */
import { realpath, stat } from "node:fs/promises";
import { dirname, join, relative, resolve, sep } from "node:path";
import { badArgument, toFilePath } from "../../base/check.js";
import { SdaError } from "../../base/errors.js";
import { errnoOf, ioError } from "../../base/io-error.js";
import type { LockKind } from "./lock-kind.js";

export const INDEX_NAME = "model_library.json";
export const MODEL_SUFFIX = ".sda";

/** Whether a file's name is a model's. Other systems write the suffix in capitals, too. */
export function isModelName(name: string): boolean {
  return name.slice(-MODEL_SUFFIX.length).toLowerCase() === MODEL_SUFFIX;
}

export class ModelsFolder {
  readonly path: string;
  readonly index: string;
  /** A copy of the index before its last change. */
  readonly backup: string;
  /** An empty file. A process that changes the index locks it; nobody deletes it. */
  readonly lock: string;
  readonly lockKind: LockKind;

  private constructor(path: string, lockKind: LockKind) {
    this.path = path;
    this.lockKind = lockKind;
    this.index = join(path, INDEX_NAME);
    this.backup = `${this.index}.bak`;
    this.lock = join(path, ".model_library.lock");
  }

  /**
   * @throws SdaError ERR_SDA_NOT_FOUND: no such folder; ERR_SDA_ARGUMENT: the path is not a folder;
   *   ERR_SDA_IO
   */
  static async at(modelsDir: string | URL, lockKind: LockKind = "flock"): Promise<ModelsFolder> {
    const path = resolve(toFilePath(modelsDir));
    try {
      if (!(await stat(path)).isDirectory()) throw badArgument("modelsDir", "a folder", path);
      return new ModelsFolder(await realpath(path), lockKind);
    } catch (error) {
      throw ioError(error, path, `the models folder ${path} can't be opened`);
    }
  }

  join(name: string): string {
    return join(this.path, name);
  }

  /**
   * The absolute path of an entry's file. The file may be missing.
   *
   * @throws SdaError ERR_SDA_UNSAFE: the path, or a symbolic link in it, leads out of the folder
   */
  async resolve(filePath: string): Promise<string> {
    const leavesFolder = (target: string) => {
      const problem = `${JSON.stringify(filePath)} leads out of the models folder ${this.path}`;
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

/** The real path of the deepest part of `path` that exists. */
async function existingPart(path: string): Promise<string> {
  for (let part = path; ; part = dirname(part)) {
    try {
      return await realpath(part);
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
