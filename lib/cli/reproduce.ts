import type { Command } from "commander";
import type { RecipeModel } from "../audio/recipe.js";
import { SdaError } from "../base/errors.js";
import { isSdaError } from "../base/io-error.js";
import type { Device } from "../model/load.js";
import type { LoadedModel } from "../model/loaded-model.js";
import type { Reproduction } from "../model/reproduce.js";
import { addCommonOptions } from "./common-options.js";
import { EXIT_USAGE, Failed, type Io, reportError, Stopped, writeJson } from "./io.js";
import { addModelsDirOption } from "./options.js";
import { withProgress } from "./progress.js";
import { isFile } from "./refs.js";
import { printable } from "./text.js";

const EXAMPLES = `
Examples:
  sda reproduce kitchen_42.flac                      with the model in the library
  sda reproduce kitchen_42.mp3 --model kitchen.sda   with this file of the model
  sda reproduce kitchen_42.wav --json

The file's recipe names the model, every option and the seed. The sound is the same if its samples
and the sound in the file are equal bit for bit; tags may differ.

Exit codes: 0 the same sound; 1 another sound; 2 no recipe in the file, or no model for it.`;

const ROUNDING =
  "  The model and the versions are the recipe's: processors with other vector instructions " +
  "round differently.\n";

interface Settings {
  modelsDir: string;
  model?: string;
  device: string;
  json?: boolean;
  debug?: boolean;
}

export function addReproduceCommand(program: Command, io: Io): void {
  const command = program
    .command("reproduce")
    .summary("make the sound of a file again and compare")
    .description("Make the sound of a file again, as its recipe says, and compare bit for bit.")
    .argument("<file>", "a WAV, FLAC, MP3 or Ogg file with a recipe")
    .option("--model <file>", "the model's file (default: found in the library by id and content)")
    .option("--device <name>", "auto, cpu, cuda, cuda:N or mps", "auto")
    .addHelpText("after", EXAMPLES)
    .action((file: string, settings: Settings) => reproduce(file, settings, io));
  addModelsDirOption(command);
  addCommonOptions(command);
}

/** Exits with 1 only if the sound is another one. */
async function reproduce(file: string, settings: Settings, io: Io): Promise<void> {
  let isSame: boolean;
  try {
    isSame = await compare(file, settings, io);
  } catch (error) {
    if (error instanceof Stopped) throw error;
    reportError(error, io, settings.debug ?? false);
    throw new Failed(EXIT_USAGE);
  }
  if (!isSame) throw new Failed();
}

async function compare(file: string, settings: Settings, io: Io): Promise<boolean> {
  const { readRecipe } = await import("../audio/read-recipe.js");
  const recipe = await readRecipe(file);
  if (!recipe) throw notFound(`${file} has no recipe`, file);
  const { otherModels } = await import("../audio/recipe.js");
  const find = (model: RecipeModel) => findModel(model, settings.modelsDir, io.signal);
  const path = settings.model ?? (await find(recipe.model));
  const [{ loadModel }, { reproduceSound }] = await Promise.all([
    import("../model/load.js"),
    import("../model/reproduce.js"),
  ]);
  const device = settings.device as Device; // loadModel checks it
  await using model = await loadModel(path, { device, signal: io.signal });
  const others: LoadedModel[] = [];
  let found: Reproduction;
  try {
    for (const other of otherModels(recipe))
      others.push(await loadModel(await find(other), { device, signal: io.signal }));
    found = await withProgress(io, "making sound", (onProgress) =>
      reproduceSound(file, model, { signal: io.signal, others, onProgress }),
    );
  } finally {
    await Promise.all(others.map((other) => other.disposeAsync()));
  }
  const { sound, recipe: _, ...facts } = found;
  const { seed, durationS, sampleRate, channels } = sound;
  if (settings.json) {
    const { id, name, hash } = recipe.model;
    const again = { seed, durationS, sampleRate, channels };
    writeJson(io, { path: file, model: { modelId: id, name, hash, path }, ...facts, sound: again });
  }
  io.stderr.write(`${printable(file)}: ${verdict(found)}\n`);
  for (const difference of found.differences) io.stderr.write(`  ${printable(difference)}\n`);
  if (found.sameSamples === false && found.differences.length === 0) io.stderr.write(ROUNDING);
  return found.same;
}

function verdict({ same, sameSamples, sameFile }: Reproduction): string {
  if (same) return "the same sound, bit for bit";
  if (sameSamples === false) {
    return sameFile
      ? "another sound than the recipe's; the file holds the new one"
      : "another sound";
  }
  return sameSamples === null
    ? "another sound than the file's"
    : "the recipe makes the same samples, but the file holds another sound: it was changed";
}

/**
 * Finds a recipe's model in the library: by its id, otherwise by its name. If there are several,
 * the model with the recipe's content is taken.
 *
 * @throws SdaError ERR_SDA_NOT_FOUND
 */
async function findModel(
  { id, name, hash }: RecipeModel,
  modelsDir: string,
  signal: AbortSignal,
): Promise<string> {
  const what = `the model ${JSON.stringify(name)} (${id || "without an id"})`;
  const hint = "name its file with --model";
  const { ModelLibrary } = await import("../library/model-library.js");
  const library = await ModelLibrary.open(modelsDir).catch((error: unknown) => {
    if (!isSdaError(error, "ERR_SDA_NOT_FOUND")) throw error;
    throw notFound(`there is no models folder ${modelsDir} with ${what}; ${hint}`, modelsDir);
  });
  const all = library.listAll();
  const withId = all.filter(({ modelId }) => id !== "" && modelId === id);
  const withName = all.filter((entry) => entry.name === name && entry.modelId !== id);
  const paths: string[] = [];
  for (const { modelId } of [...withId, ...withName]) {
    const path = await library.pathOf(modelId);
    if (path !== null && (await isFile(path))) paths.push(path);
  }
  if (paths.length > 1 && hash !== null) {
    const { weightsHash } = await import("../model/weights-hash.js");
    for (const path of paths) {
      if ((await weightsHash(path, signal).catch(() => null)) === hash) return path;
    }
    signal.throwIfAborted();
  }
  const [first] = paths;
  if (first === undefined) throw notFound(`${library.modelsDir} lacks ${what}; ${hint}`, id);
  return first;
}

function notFound(message: string, ref: string): SdaError {
  return new SdaError("ERR_SDA_NOT_FOUND", message, { ref });
}
