import { type Command, InvalidArgumentError, Option } from "commander";
import { LOCK_KINDS } from "../library/index/lock-kind.js";

/** Adds --json and --debug, which every command has. */
export function addCommonOptions(command: Command): Command {
  return command
    .option("--json", "print the result as JSON on stdout")
    .option("--debug", "print the stack trace of an error");
}

export function addModelsDirOption(command: Command): Command {
  return command.addOption(
    new Option(
      "--models-dir <folder>",
      "folder of the library (default: SDA_MODELS_DIR, or ./data/models)",
    )
      .default(process.env["SDA_MODELS_DIR"] || "./data/models", "")
      .argParser((folder) => {
        if (folder === "") throw new InvalidArgumentError("Expected a folder, not an empty text.");
        return folder;
      }),
  );
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
  standard: number,
): Option {
  return new Option(flags, `${description} (choices: ${choices.join(", ")})`)
    .argParser((text) => {
      const value = parseNumber(text);
      if (!choices.includes(value)) {
        throw new InvalidArgumentError(`Allowed choices are ${choices.join(", ")}.`);
      }
      return value;
    })
    .default(standard);
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

export function parseCount(text: string): number {
  const count = parseInteger(text);
  if (count < 1) throw new InvalidArgumentError("Expected 1 or more.");
  return count;
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
