/** Finds the model that a person names by id, name, part of the name, or path of its file. */
import { realpath, stat } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { SdaError } from "../base/errors.js";
import { errnoOf, ioError, isSdaError } from "../base/io-error.js";
import type { ModelEntry } from "../library/index/entry.js";
import { isModelName } from "../library/index/folder.js";
import type { ModelLibrary } from "../library/model-library.js";
import { plural, printable } from "./text.js";

export interface FoundModel {
  /** Path of the model's file */
  path: string;
  /** null: the person gave the path of a file */
  entry: ModelEntry | null;
}

/** The largest number of matches that an error message lists. */
const MOST_LISTED = 10;

/**
 * Finds a model file: `ref` is the path of an existing model file, or names an entry of the
 * library as for `findEntry`.
 *
 * @throws SdaError ERR_SDA_NOT_FOUND; ERR_SDA_ARGUMENT: several models match, and the message lists
 *   them
 */
export async function resolveModel(ref: string, modelsDir: string): Promise<FoundModel> {
  if (await isModelFile(ref)) return { path: ref, entry: null };
  const library = await openFor(ref, modelsDir);
  const entry = await findEntry(ref, library);
  return { path: (await library.pathOf(entry.modelId)) as string, entry };
}

/**
 * Finds an entry by its id, the path of its file, or its whole name. Otherwise, finds the only
 * entry whose name contains `ref`, in upper or lower case, or whose id starts with it.
 *
 * @throws SdaError as `resolveModel`
 */
export async function findEntry(ref: string, library: ModelLibrary): Promise<ModelEntry> {
  const byId = library.get(ref);
  if (byId) return byId;
  const all = library.listAll({ sortBy: "name", reverse: false });
  if (await isModelFile(ref)) {
    // `library.modelsDir` is a real path, so the file's folder must be one too.
    const file = join(await realpath(dirname(ref)), basename(ref));
    const byFile = all.filter((e) => resolve(library.modelsDir, e.filePath) === file);
    if (byFile.length > 1) throw ambiguous(ref, byFile.map(namesOfModel), "models");
    if (byFile[0]) return byFile[0];
    throw notFound(`${ref} is not in the library ${library.modelsDir}`, ref);
  }
  const found = findByName(ref, all, namesOfModel, "models");
  if (found) return found;
  const has = `${library.modelsDir} has ${plural(all.length, "model")}`;
  const hint =
    all.length === 0 ? "sda model import or repair adds models" : "sda model list shows them";
  throw notFound(`no model is called ${JSON.stringify(ref)}; ${has}, ${hint}`, ref);
}

/**
 * Finds the item with this whole name. Otherwise, finds the only item whose name contains `ref`, in
 * upper or lower case, or whose id starts with it.
 *
 * @param what the items are, for messages: "models"
 * @returns undefined: no item matches
 * @throws SdaError ERR_SDA_ARGUMENT: several items match, and the message lists them
 */
export function findByName<T>(
  ref: string,
  all: readonly T[],
  namesOf: (item: T) => { id: string; name: string },
  what: string,
): T | undefined {
  const wanted = ref.toLowerCase();
  const named = all.map((item) => ({ item, ...namesOf(item) }));
  type Named = (typeof named)[number];
  const steps: ((item: Named) => boolean)[] = [
    ({ id }) => id === ref,
    ({ name }) => name === ref,
    ({ name }) => name.toLowerCase() === wanted,
    ({ id, name }) => name.toLowerCase().includes(wanted) || id.toLowerCase().startsWith(wanted),
  ];
  for (const matches of wanted === "" ? [] : steps) {
    const found = named.filter(matches);
    if (found.length > 1) throw ambiguous(ref, found, what);
    if (found[0]) return found[0].item;
  }
  return undefined;
}

function ambiguous(ref: string, found: { id: string; name: string }[], what: string): SdaError {
  const lines = found
    .slice(0, MOST_LISTED)
    .map(({ id, name }) => `\n  ${id}  ${printable(name)}`)
    .join("");
  const more = found.length > MOST_LISTED ? `\n  and ${found.length - MOST_LISTED} more` : "";
  const problem = `${JSON.stringify(ref)} matches ${found.length} ${what}`;
  return new SdaError(
    "ERR_SDA_ARGUMENT",
    `${problem}; give the id or more of the name${lines}${more}`,
    { ref, matches: found.map(({ id, name }) => ({ id, name })) },
  );
}

function namesOfModel({ modelId, name }: ModelEntry) {
  return { id: modelId, name };
}

async function isModelFile(ref: string): Promise<boolean> {
  return isModelName(ref) && (await isFile(ref));
}

/** @throws SdaError ERR_SDA_IO: the path can't be examined */
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
    const noFile = isModelName(ref) ? `${ref} does not exist, and ` : "";
    throw notFound(`${noFile}there is no models folder ${resolve(modelsDir)}`, ref);
  }
}

function notFound(message: string, ref: string): SdaError {
  return new SdaError("ERR_SDA_NOT_FOUND", message, { ref });
}
