import { lstat, readdir, realpath, stat } from "node:fs/promises";
import { extname } from "node:path";
import { SdaError } from "../../base/errors.js";
import { ioError } from "../../base/io-error.js";
import { type FileMetadata, readMetadata } from "../../format/read-metadata.js";
import { entryFromMetadata, type ModelEntry } from "./entry.js";
import { isModelName, type ModelsFolder } from "./folder.js";
import { isInsideByName } from "./place.js";

/** Files read at the same time: enough to keep the reader's threads and the disk busy. */
const AT_ONCE = 16;

export interface ModelFile {
  /** The file's name in the folder */
  file: string;
  metadata: FileMetadata;
  fileSizeBytes: number;
}

export interface UnreadableFile {
  file: string;
  error: Error;
}

export interface ReadFilesOptions {
  /** Names of files to leave out */
  known?: ReadonlySet<string>;
  signal?: AbortSignal | undefined;
  onFile?: ((done: number, total: number, file: string, error?: Error) => void) | undefined;
}

/** The names of the folder's model files, sorted. Files in subfolders are not listed. */
export async function modelFileNames(folder: ModelsFolder): Promise<string[]> {
  try {
    const names = await readdir(folder.path);
    return names.filter((name) => isModelName(name) && !name.startsWith(".")).sort();
  } catch (error) {
    throw ioError(error, folder.path, `${folder.path} can't be listed`);
  }
}

/**
 * Reads the metadata of the folder's model files, several at a time. Weights are not read.
 *
 * @returns both lists sorted by file name
 */
export async function readModelFiles(
  folder: ModelsFolder,
  { known, signal, onFile }: ReadFilesOptions = {},
): Promise<{ files: ModelFile[]; unreadable: UnreadableFile[] }> {
  const names = (await modelFileNames(folder)).filter((name) => !known?.has(name));
  const results: (ModelFile | UnreadableFile)[] = new Array(names.length);
  let next = 0;
  let done = 0;
  const work = async () => {
    for (let i = next++; i < names.length; i = next++) {
      signal?.throwIfAborted();
      const file = names[i] as string;
      const result = await readFile(folder, file).catch((error: Error) => ({ file, error }));
      results[i] = result;
      onFile?.(++done, names.length, file, "error" in result ? result.error : undefined);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  return {
    files: results.filter((result) => !("error" in result)) as ModelFile[],
    unreadable: results.filter((result) => "error" in result) as UnreadableFile[],
  };
}

/**
 * Makes the entry of a file. Its id is the id in the file. If that is empty or taken (a copy of a
 * file has the id of the original), the id is the file's stem, with a number if that is taken too.
 */
export function entryOfFile(
  { file, metadata, fileSizeBytes }: ModelFile,
  isTaken: (id: string) => boolean,
): ModelEntry {
  const stem = file.slice(0, -extname(file).length);
  let modelId = metadata.modelId;
  for (let i = 0; modelId === "" || isTaken(modelId); i++)
    modelId = i === 0 ? stem : `${stem}_${i}`;
  const { vocoder } = metadata;
  return entryFromMetadata(metadata, { modelId, filePath: file, fileSizeBytes, vocoder });
}

async function readFile(folder: ModelsFolder, file: string): Promise<ModelFile> {
  const path = folder.join(file);
  try {
    if (!isInsideByName(file)) {
      // A name such as "a\b.sda" is a path on Windows, where the index may be read next.
      const problem = `${JSON.stringify(file)} looks like a path that leads out of the folder`;
      throw new SdaError("ERR_SDA_UNSAFE", problem, { path });
    }
    const info = await lstat(path);
    if (info.isSymbolicLink()) await folder.resolve(file); // throws if it leads out
    const { size } = info.isSymbolicLink() ? await stat(await realpath(path)) : info;
    const found = { file, metadata: await readMetadata(path), fileSizeBytes: size };
    entryOfFile(found, () => false); // throws if the metadata makes no valid entry
    return found;
  } catch (error) {
    throw ioError(error, path, `${path} can't be read`);
  }
}
