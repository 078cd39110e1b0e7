/** What a person calls a model: its id, its name or part of it, or the path of its file. */
import { realpath, stat } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { SdaError } from "../base/errors.js";
import { errnoOf, ioError, isSdaError } from "../base/io-error.js";
import type { ModelEntry } from "../library/index/entry.js";
import { MODEL_SUFFIX } from "../library/index/folder.js";
import type { ModelLibrary } from "../library/model-library.js";
import { plural, printable } from "./text.js";

export interface FoundModel {
  /** Of the file */
  path: string;
  /** null: a file that was named by its path */
  entry: ModelEntry | null;
}

const MOST_LISTED = 10;

/**
 * The model file that `ref` means: the path of an `.sda` that is there, otherwise what `findEntry` finds in the library.
 *
 * @throws SdaError ERR_SDA_NOT_FOUND, or ERR_SDA_ARGUMENT when it may mean several, with the list in its message
 */
export async function resolveModel(ref: string, modelsDir: string): Promise<FoundModel> {
  if (await isModelFile(ref)) return { path: ref, entry: null };
  const library = await openFor(ref, modelsDir);
  const entry = await findEntry(ref, library);
  return { path: (await library.pathOf(entry.modelId)) as string, entry };
}

/**
 * The entry that `ref` means: by its id, its whole name, or the path of its file; otherwise the only one whose name has it
 * somewhere, in any case, or whose id begins with it.
 */
export async function findEntry(ref: string, library: ModelLibrary): Promise<ModelEntry> {
  const byId = library.get(ref);
  if (byId) return byId;
  const all = library.listAll({ sortBy: "name", reverse: false });
  if (await isModelFile(ref)) {
    const file = join(await realpath(dirname(ref)), basename(ref)); // the library's folder is a real path, too
    const byFile = all.filter((e) => resolve(library.modelsDir, e.filePath) === file);
    if (byFile.length > 0) return single(ref, byFile);
    throw notFound(`${ref} is not in the library ${library.modelsDir}`, ref);
  }
  const wanted = ref.toLowerCase();
  const steps: ((e: ModelEntry) => boolean)[] = [
    (e) => e.name === ref,
    (e) => e.name.toLowerCase() === wanted,
    (e) => e.name.toLowerCase().includes(wanted) || e.modelId.toLowerCase().startsWith(wanted),
  ];
  for (const matches of wanted === "" ? [] : steps) {
    const found = all.filter(matches);
    if (found.length > 0) return single(ref, found);
  }
  const has = `${library.modelsDir} has ${plural(all.length, "model")}`;
  throw notFound(
    all.length === 0
      ? `no model is called ${JSON.stringify(ref)}: ${has}, sda model import or repair adds some`
      : `no model is called ${JSON.stringify(ref)}; ${has}, sda model list shows them`,
    ref,
  );
}

function single(ref: string, found: ModelEntry[]): ModelEntry {
  const [first] = found;
  if (first && found.length === 1) return first;
  const lines = found
    .slice(0, MOST_LISTED)
    .map((e) => `\n  ${e.modelId}  ${printable(e.name)}`)
    .join("");
  const more = found.length > MOST_LISTED ? `\n  and ${found.length - MOST_LISTED} more` : "";
  throw new SdaError(
    "ERR_SDA_ARGUMENT",
    `${JSON.stringify(ref)} may be any of ${found.length} models; give an id or more of the name${lines}${more}`,
    { ref, matches: found.map(({ modelId, name }) => ({ modelId, name })) },
  );
}

async function isModelFile(ref: string): Promise<boolean> {
  return ref.endsWith(MODEL_SUFFIX) && (await isFile(ref));
}

/** @throws SdaError ERR_SDA_IO where the path may not be looked at */
export async function isFile(path: string): Promise<boolean> {
  try {
    return !(await stat(path)).isDirectory();
  } catch (error) {
    const problem = ioError(error, path, `${path} can't be examined`);
    if (isSdaError(problem, "ERR_SDA_NOT_FOUND") || errnoOf(error) === "ENAMETOOLONG") return false;
    throw problem;
  }
}

async function openFor(ref: string, modelsDir: string): Promise<ModelLibrary> {
  const { ModelLibrary } = await import("../library/model-library.js");
  try {
    return await ModelLibrary.open(modelsDir);
  } catch (error) {
    if (!(error instanceof SdaError) || error.code !== "ERR_SDA_NOT_FOUND") throw error;
    const what = ref.endsWith(MODEL_SUFFIX) ? `${ref} is not there, and` : "";
    throw notFound(`${what ? `${what} ` : ""}there is no models folder ${resolve(modelsDir)}`, ref);
  }
}

function notFound(message: string, ref: string): SdaError {
  return new SdaError("ERR_SDA_NOT_FOUND", message, { ref });
}
