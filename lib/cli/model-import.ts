import { join, parse } from "node:path";
import { type Command, InvalidArgumentError } from "commander";
import type { LockKind } from "../library/index/lock-kind.js";
import { addCommonOptions } from "./common-options.js";
import { type Io, writeJson } from "./io.js";
import { addLockOption, addModelsDirOption, collect } from "./options.js";
import { printable } from "./text.js";

const EXAMPLES = `
Examples:
  sda model import checkpoint_epoch0200.pt --name "Kitchen Drums" --tag drums --tag lo-fi
  sda model import best.pt                      a checkpoint; the model's name is "best"
  sda model import ~/Downloads/drums.sda        a model file; it keeps the model's name

The imported file itself does not change. Its content decides if it is a checkpoint or a model.`;

interface Settings {
  modelsDir: string;
  lock: LockKind;
  name?: string;
  description?: string;
  tag?: string[];
  datasetName?: string;
  json?: boolean;
}

export function addImportCommand(parent: Command, io: Io): void {
  const command = parent
    .command("import")
    .summary("add a training checkpoint or a model file to a library")
    .description(
      "Copy a model file into a library, or convert a training checkpoint (.pt) to a " +
        "model of the library. Nothing in the file is executed.",
    )
    .argument("<file>", "a training checkpoint of the Python program, or a model file")
    .option(
      "--name <text>",
      "name of the model (default: the model file's name for it, or a checkpoint's file name)",
      parseName,
    )
    .option("--description <text>", "description of the model")
    .option("--tag <tag>", "tag of the model; repeatable", collect)
    .option("--dataset-name <text>", "name of the sounds that the model was trained on")
    .addHelpText("after", EXAMPLES)
    .action((file: string, settings: Settings) => importFile(file, settings, io));
  addModelsDirOption(command);
  addLockOption(command);
  addCommonOptions(command);
}

function parseName(text: string): string {
  if (text.trim() === "") throw new InvalidArgumentError("Expected a name, not an empty text.");
  return text;
}

async function importFile(file: string, settings: Settings, io: Io): Promise<void> {
  const [{ ModelLibrary }, { readMetadata }] = await Promise.all([
    import("../library/model-library.js"),
    import("../format/read-metadata.js"),
  ]);
  const { description, tag: tags, datasetName, lock } = settings;
  const name = settings.name ?? ((await isModel(file)) ? undefined : parse(file).name);
  const metadata = {
    ...(name !== undefined && { name }),
    ...(description !== undefined && { description }),
    ...(tags && { tags }),
    ...(datasetName !== undefined && { datasetName }),
  };
  const library = await ModelLibrary.open(settings.modelsDir, { create: true, lock });
  const { filePath } = await library.import(file, { metadata, signal: io.signal });
  const path = join(settings.modelsDir, filePath);
  const saved = await readMetadata(path);
  if (settings.json) return writeJson(io, { path, metadata: saved });
  io.stderr.write(`${printable(path)}: ${printable(saved.name)} (${saved.modelId})\n`);

  /**
   * Whether the file has a name for the model. `import` reports every other problem of the file.
   */
  function isModel(path: string): Promise<boolean> {
    return readMetadata(path).then(
      () => true,
      () => false,
    );
  }
}
