import type { Command } from "commander";
import type { Io } from "./io.js";

const EXPLANATION = `
A preset keeps slider positions and a seed of one model under a name. A model is named as for
sda model; a model that is no longer in the library, by its id. A preset is named by its id, its
name, or a unique part of its name.

Presets are in the folder "presets" above the library, or where --data-dir says.`;

type Add = (parent: Command, io: Io) => void;

/** Only the requested command is loaded, as with `COMMANDS`. */
const SUBCOMMANDS: Record<string, () => Promise<Add>> = {
  list: async () => (await import("./preset-list.js")).addPresetListCommand,
  show: async () => (await import("./preset-show.js")).addPresetShowCommand,
  save: async () => (await import("./preset-save.js")).addPresetSaveCommand,
  rename: async () => (await import("./preset-rename.js")).addPresetRenameCommand,
  move: async () => (await import("./preset-move.js")).addPresetMoveCommand,
  delete: async () => (await import("./preset-delete.js")).addPresetDeleteCommand,
};

export async function addPresetCommand(program: Command, io: Io, args: string[]): Promise<void> {
  const command = program
    .command("preset")
    .summary("list, show, save, rename, move and delete the presets of a model")
    .description("List, show, save, rename, move and delete the presets of a model.")
    .addHelpText("after", EXPLANATION);
  const name = args[0] === "preset" ? args[1] : undefined;
  const only = name !== undefined && Object.hasOwn(SUBCOMMANDS, name) && SUBCOMMANDS[name];
  for (const load of only ? [only] : Object.values(SUBCOMMANDS)) (await load())(command, io);
}
