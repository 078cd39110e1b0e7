import { mkdir, stat } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { SdaError } from "./errors.js";

/**
 * Makes a folder and those above it, where they are missing. (Node's own recursive `mkdir` never returns where a file system
 * says of a new folder that its parent, which exists, does not, as /proc does.)
 *
 * @throws SdaError ERR_SDA_IO
 */
export async function makeFolder(path: string): Promise<void> {
  try {
    await make(resolve(path));
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    const details = { path, errno: code };
    throw new SdaError("ERR_SDA_IO", `the folder ${path} can't be made: ${message}`, details, {
      cause,
    });
  }
}

async function make(path: string): Promise<void> {
  try {
    await mkdir(path);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" && dirname(path) !== path) {
      await make(dirname(path));
      await mkdir(path).catch(async (again) => {
        if (!(await isFolder(path))) throw again; // otherwise somebody else was faster
      });
    } else if (!(await isFolder(path))) {
      throw error;
    }
  }
}

/** Whoever made it, and whatever the file system says of making one that is there. */
async function isFolder(path: string): Promise<boolean> {
  return stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  );
}
