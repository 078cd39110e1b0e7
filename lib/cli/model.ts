import type { Command } from "commander";
import type { Io } from "./io.js";

const EXPLANATION = `
A model is named by its id, its name, a unique part of its name, or the path of its file.
The library is the folder --models-dir, SDA_MODELS_DIR or ./data/models.`;

type Add = (parent: Command, io: Io) => void;

/** Only the requested command is loaded, as with `COMMANDS`. */
const SUBCOMMANDS: Record<string, () => Promise<Add>> = {
  list: async () => (await import("./model-list.js")).addListCommand,
  info: async () => (await import("./model-info.js")).addInfoCommand,
  edit: async () => (await import("./model-edit.js")).addEditCommand,
  delete: async () => (await import("./model-delete.js")).addDeleteCommand,
  import: async () => (await import("./model-import.js")).addImportCommand,
  repair: async () => (await import("./model-repair.js")).addRepairCommand,
  verify: async () => (await import("./model-verify.js")).addVerifyCommand,
};

export async function addModelCommand(program: Command, io: Io, args: string[]): Promise<void> {
  const command = program
    .command("model")
    .summary("list, show, edit, import, check and delete the models of a library")
    .description("List, show, edit, import, check and delete the models of a library.")
    .addHelpText("after", EXPLANATION);
  const name = args[0] === "model" ? args[1] : undefined;
  const only = name !== undefined && Object.hasOwn(SUBCOMMANDS, name) && SUBCOMMANDS[name];
  for (const load of only ? [only] : Object.values(SUBCOMMANDS)) (await load())(command, io);
}
