import type { Command } from "commander";
import { SdaError } from "../base/errors.js";
import type { LockKind } from "../library/index/lock-kind.js";
import { confirmDeletion } from "./ask.js";
import { addCommonOptions } from "./common-options.js";
import { type Io, writeJson } from "./io.js";
import { addLockOption, addModelsDirOption } from "./options.js";
import { findEntry } from "./refs.js";
import { bytesText, printable } from "./text.js";

const EXAMPLES = `
Examples:
  sda model delete "Kitchen Drums"       ask, then delete
  sda model delete --force 6f9619ff      delete without asking; the start of the id is enough`;

interface Settings {
  modelsDir: string;
  lock: LockKind;
  force?: boolean;
  json?: boolean;
}

export function addDeleteCommand(parent: Command, io: Io): void {
  const command = parent
    .command("delete")
    .summary("delete a model and its file")
    .description("Delete a model from a library: its file and its entry in the index.")
    .argument("<ref>", "id, name, part of the name, or path of the model's file")
    .option("-f, --force", "don't ask")
    .addHelpText("after", EXAMPLES)
    .action((ref: string, settings: Settings) => remove(ref, settings, io));
  addModelsDirOption(command);
  addLockOption(command);
  addCommonOptions(command);
}

async function remove(ref: string, settings: Settings, io: Io): Promise<void> {
  const { ModelLibrary } = await import("../library/model-library.js");
  const library = await ModelLibrary.open(settings.modelsDir, { lock: settings.lock });
  const entry = await findEntry(ref, library);
  const what = `${printable(entry.name)} (${entry.modelId}, ${bytesText(entry.fileSizeBytes)})`;
  await confirmDeletion(`${what} from ${printable(library.modelsDir)}`, settings, io);
  const deleted = await library.delete(entry.modelId, { signal: io.signal });
  if (!deleted) {
    throw new SdaError("ERR_SDA_NOT_FOUND", `${what} has been deleted by another process`, { ref });
  }
  if (settings.json) {
    const { modelId, name, filePath } = entry;
    return writeJson(io, { deleted: { modelId, name, filePath } });
  }
  io.stderr.write(`Deleted ${what}.\n`);
}
