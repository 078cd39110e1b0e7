import { mkdir, stat } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { SdaError } from "./errors.js";

/**
 * Creates a folder and its missing parent folders. Node's recursive `mkdir` is not used: it never
 * returns on file systems such as /proc, where `mkdir` fails with ENOENT although the parent
 * exists.
 *
 * @throws SdaError ERR_SDA_IO
 */
export async function makeFolder(path: string): Promise<void> {
  try {
    await make(resolve(path));
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    const details = { path, errno: code };
    throw new SdaError("ERR_SDA_IO", `the folder ${path} can't be created: ${message}`, details, {
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
        if (!(await isFolder(path))) throw again; // another process may have created it first
      });
    } else if (!(await isFolder(path))) {
      throw error;
    }
  }
}

async function isFolder(path: string): Promise<boolean> {
  return stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  );
}
