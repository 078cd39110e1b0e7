import type { Command } from "commander";
import type { Io } from "./io.js";

const EXPLANATION = `
The history keeps made sounds: those of the Python program, and those of sda generate --history. A
sound is named by its id, or the start of its id.

The history is in the folder "history" above the library, or where --data-dir says.`;

type Add = (parent: Command, io: Io) => void;

/** Only the requested command is loaded, as with `COMMANDS`. */
const SUBCOMMANDS: Record<string, () => Promise<Add>> = {
  list: async () => (await import("./history-list.js")).addHistoryListCommand,
  show: async () => (await import("./history-show.js")).addHistoryShowCommand,
  delete: async () => (await import("./history-delete.js")).addHistoryDeleteCommand,
};

export async function addHistoryCommand(program: Command, io: Io, args: string[]): Promise<void> {
  const command = program
    .command("history")
    .summary("list, show and delete the sounds of the history")
    .description("List, show and delete the sounds of the history.")
    .addHelpText("after", EXPLANATION);
  const name = args[0] === "history" ? args[1] : undefined;
  const only = name !== undefined && Object.hasOwn(SUBCOMMANDS, name) && SUBCOMMANDS[name];
  for (const load of only ? [only] : Object.values(SUBCOMMANDS)) (await load())(command, io);
}
