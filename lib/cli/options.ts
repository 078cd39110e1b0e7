import { dirname, resolve } from "node:path";
import { type Command, InvalidArgumentError, Option } from "commander";
import { BIT_DEPTHS, type BitDepth } from "../audio/wav-format.js";
import { LOCK_KINDS } from "../library/index/lock-kind.js";

/** The folders of a command, after `settleFolders`. */
export interface FolderSettings {
  modelsDir: string;
  dataDir: string;
}

/** Adds --models-dir and --data-dir. The action finds both folders in its settings. */
export function addModelsDirOption(command: Command): Command {
  return command
    .addOption(
      new Option(
        "--models-dir <folder>",
        "folder of the library (default: SDA_MODELS_DIR, or ./data/models)",
      )
        .default(process.env["SDA_MODELS_DIR"] || "./data/models", "")
        .argParser(parseFolder),
    )
    .addOption(dataDirOption())
    .hook("preAction", (_, action) => settleFolders(action));
}

export function dataDirOption(): Option {
  return new Option(
    "--data-dir <folder>",
    "folder of models, presets and history, or of the config.toml that names their folders " +
      "(default: SDA_DATA_DIR, or the folder above the library)",
  ).argParser(parseFolder);
}

function parseFolder(folder: string): string {
  if (folder === "") throw new InvalidArgumentError("Expected a folder, not an empty text.");
  return folder;
}

/**
 * Decides on the folders of the library and of the data. The option for one folder comes before the
 * option for both; options come before the environment.
 */
export async function settleFolders(command: Command): Promise<void> {
  const { modelsDir, dataDir = globalDataDir(command) } = command.opts();
  const { SDA_DATA_DIR, SDA_MODELS_DIR } = process.env;
  const isNamed = command.getOptionValueSource("modelsDir") === "cli";
  const given = dataDir ?? (isNamed ? undefined : SDA_DATA_DIR || undefined);
  command.setOptionValue("dataDir", given ?? dirname(resolve(modelsDir)));
  if (given === undefined || isNamed || (dataDir === undefined && SDA_MODELS_DIR)) return;
  const { dataFolders } = await import("../library/data-folders.js");
  command.setOptionValue("modelsDir", (await dataFolders(given)).models);
}

/** The --data-dir before the command: sda --data-dir FOLDER model list */
function globalDataDir(command: Command): string | undefined {
  let program = command;
  while (program.parent) program = program.parent;
  return program.opts()["dataDir"];
}

/** For commands that change a library. */
export function addLockOption(command: Command): Command {
  return command.addOption(
    new Option(
      "--lock <kind>",
      "how programs that change the folder exclude each other; on network file systems without " +
        "flock, all of them need file",
    )
      .choices(LOCK_KINDS)
      .default("flock"),
  );
}

/** Makes an option that accepts only the given numbers. */
export function numberChoice(
  flags: string,
  description: string,
  choices: readonly number[],
  standard?: number,
): Option {
  const option = new Option(flags, `${description} (choices: ${choices.join(", ")})`).argParser(
    (text) => {
      const value = parseNumber(text);
      if (!choices.includes(value)) {
        throw new InvalidArgumentError(`Allowed choices are ${choices.join(", ")}.`);
      }
      return value;
    },
  );
  return standard === undefined ? option : option.default(standard);
}

export function parseNumber(text: string): number {
  const value = text.trim() === "" ? Number.NaN : Number(text);
  if (!Number.isFinite(value)) throw new InvalidArgumentError("Expected a number.");
  return value;
}

export function parseInteger(text: string): number {
  const value = parseNumber(text);
  if (!Number.isSafeInteger(value)) throw new InvalidArgumentError("Expected a whole number.");
  return value;
}

/** 16, 24 and 32, also as the Python program writes them: "16-bit", "24-bit", "32-bit float" */
export function parseBitDepth(text: string): BitDepth {
  const bits = Number(/^(\d+)(-bit( float)?)?$/i.exec(text.trim())?.[1]);
  const found = BIT_DEPTHS.find((depth) => depth === bits);
  if (found === undefined) {
    const choices = `${BIT_DEPTHS.join(", ")}, 16-bit, 24-bit, 32-bit float`;
    throw new InvalidArgumentError(`Allowed choices are ${choices}.`);
  }
  return found;
}

export function parseCount(text: string): number {
  const count = parseInteger(text);
  if (count < 1) throw new InvalidArgumentError("Expected 1 or more.");
  return count;
}

/** Parses "Rain:40" (the model Rain with weight 40) and adds it to the parts given before. */
export function parseBlend(text: string, before: BlendSetting[] = []): BlendSetting[] {
  const match = /^(.+):(\d+(?:\.\d+)?)$/s.exec(text.trim());
  if (!match) throw new InvalidArgumentError("Expected NAME:WEIGHT, as in Rain:40.");
  return [...before, { ref: match[1] as string, weight: Number(match[2]) }];
}

/** A model of a blend, as a person names it. */
export interface BlendSetting {
  ref: string;
  weight: number;
}

/** Collects the values of an option that may be given several times. */
export function collect(text: string, before: string[] = []): string[] {
  return [...before, text];
}

export type SliderSetting = readonly [index: number, position: number];

/** Parses "3:-4" (slider 3 at position -4) and adds it to the settings given before. */
export function parseSlider(text: string, before: SliderSetting[] = []): SliderSetting[] {
  const match = /^(\d+):([+-]?\d+)$/.exec(text.trim());
  if (!match) throw new InvalidArgumentError("Expected INDEX:POSITION, as in 0:5 or 3:-4.");
  return [...before, [Number(match[1]), Number(match[2])]];
}
