import { join, parse } from "node:path";
import { type Command, InvalidArgumentError } from "commander";
import { type Io, writeJson } from "./io.js";
import { addCommonOptions, addModelsDirOption, collect } from "./options.js";
import { printable } from "./text.js";

const EXAMPLES = `
Examples:
  sda model import checkpoints/checkpoint_epoch0200.pt --name "Kitchen Drums" --tag drums --tag lo-fi
  sda model import best.pt                      named "best"
  sda model import ~/Downloads/drums.sda        keeps its name

The file stays as it is; whether it is a checkpoint or a model, its content tells.`;

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
    .summary("make a model of a training checkpoint, or add a model file")
    .description(
      "Make a model of a training checkpoint (.pt), or of a model file (.sda) from elsewhere, and put it into a library. Nothing of the file is executed.",
    )
    .argument("<file>", "a checkpoint that the Python program's training wrote, or a model file")
    .option("--name <text>", "of the model (default: its own; a checkpoint's file name)", parseName)
    .option("--description <text>", "of the model")
    .option("--tag <tag>", "may be repeated", collect)
    .option("--dataset-name <text>", "of the sounds that it was trained on")
    .addHelpText("after", EXAMPLES)
    .action((file: string, settings: Settings) => importFile(file, settings, io));
  addModelsDirOption(command);
  addCommonOptions(command);
}

function parseName(text: string): string {
  if (text.trim() === "") throw new InvalidArgumentError("It is empty.");
  return text;
}

async function importFile(file: string, settings: Settings, io: Io): Promise<void> {
  const [{ ModelLibrary }, { readMetadata }] = await Promise.all([
    import("../library/model-library.js"),
    import("../format/read-metadata.js"),
  ]);
  const { description, tag: tags, datasetName } = settings;
  const name = settings.name ?? ((await isModel(file)) ? undefined : parse(file).name);
  const metadata = {
    ...(name !== undefined && { name }),
    ...(description !== undefined && { description }),
    ...(tags && { tags }),
    ...(datasetName !== undefined && { datasetName }),
  };
  const library = await ModelLibrary.open(settings.modelsDir, { create: true });
  const { filePath } = await library.import(file, { metadata, signal: io.signal });
  const path = join(settings.modelsDir, filePath);
  const saved = await readMetadata(path);
  if (settings.json) return writeJson(io, { path, metadata: saved });
  io.stderr.write(`${printable(path)}: ${printable(saved.name)} (${saved.modelId})\n`);

  /** A checkpoint has no name of its own; what else is wrong with the file is for importing to say. */
  function isModel(path: string): Promise<boolean> {
    return readMetadata(path).then(
      () => true,
      () => false,
    );
  }
}
