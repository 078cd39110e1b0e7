import { parse } from "node:path";
import { type Command, InvalidArgumentError } from "commander";
import { SdaError } from "../errors.js";
import { type Io, writeJson } from "./io.js";
import { addCommonOptions, addModelsDirOption, collect } from "./options.js";
import { printable } from "./text.js";

const EXAMPLES = `
Examples:
  sda model import checkpoints/checkpoint_epoch0200.pt --name "Kitchen Drums" --tag drums --tag lo-fi
  sda model import best.pt                      named "best"

The checkpoint stays as it is. A model file (.sda) from elsewhere needs no import: copy it into the folder, then sda model repair.`;

interface Settings {
  modelsDir: string;
  name?: string;
  description?: string;
  tag?: string[];
  datasetName?: string;
  json?: boolean;
}

export function addImportCommand(parent: Command, io: Io): void {
  const command = parent
    .command("import")
    .summary("make a model of a training checkpoint")
    .description(
      "Make a model of a training checkpoint (.pt) and put it into a library. Nothing of the checkpoint is executed.",
    )
    .argument("<file>", "a checkpoint that the Python program's training wrote")
    .option("--name <text>", "of the model (default: the file's name)", parseName)
    .option("--description <text>", "of the model")
    .option("--tag <tag>", "may be repeated", collect)
    .option("--dataset-name <text>", "of the sounds that it was trained on")
    .addHelpText("after", EXAMPLES)
    .action((file: string, settings: Settings) => importCheckpoint(file, settings, io));
  addModelsDirOption(command);
  addCommonOptions(command);
}

function parseName(text: string): string {
  if (text.trim() === "") throw new InvalidArgumentError("It is empty.");
  return text;
}

async function importCheckpoint(file: string, settings: Settings, io: Io): Promise<void> {
  const { saveModelFromCheckpoint } = await import("../model/convert.js");
  const { description, tag: tags, datasetName } = settings;
  const metadata = {
    name: settings.name ?? parse(file).name,
    ...(description !== undefined && { description }),
    ...(tags && { tags }),
    ...(datasetName !== undefined && { datasetName }),
  };
  const { signal } = io;
  const path = await saveModelFromCheckpoint(file, metadata, settings.modelsDir, { signal }).catch(
    explain,
  );
  const { readMetadata } = await import("../model/metadata.js");
  const saved = await readMetadata(path);
  if (settings.json) return writeJson(io, { path, metadata: saved });
  io.stderr.write(`${printable(path)}: ${printable(saved.name)} (${saved.modelId})\n`);
}

function explain(error: unknown): never {
  if (!(error instanceof SdaError) || error.code !== "ERR_SDA_FORMAT") throw error;
  if (!error.message.includes("model file already")) throw error;
  throw new SdaError(
    error.code,
    `${error.message}; copy it into the models folder, then sda model repair`,
    error.details,
  );
}
