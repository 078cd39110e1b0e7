import { realpath, stat } from "node:fs/promises";
import { extname, resolve } from "node:path";
import { badArgument, toFilePath } from "../../base/check.js";
import { ioError } from "../../base/io-error.js";
import { MODEL_SUFFIXES } from "../../format/generations.js";
import type { LockKind } from "./lock-kind.js";
import { IndexPlace, temporaryPattern } from "./place.js";

export const INDEX_NAME = "model_library.json";
export const INDEX_TEMPORARY = temporaryPattern(INDEX_NAME);

/** Whether a file's name is a model's. Other systems write the suffix in capitals, too. */
export function isModelName(name: string): boolean {
  return (MODEL_SUFFIXES as readonly string[]).includes(extname(name).toLowerCase());
}

/** A models folder: the paths of its own files, and checks that other paths stay inside it. */
export class ModelsFolder extends IndexPlace {
  private constructor(path: string, lockKind: LockKind) {
    super(path, INDEX_NAME, lockKind, "models folder");
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
}
