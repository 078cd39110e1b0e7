import type { Command } from "commander";
import { SdaError } from "../base/errors.js";
import type { LockKind } from "../library/index/lock-kind.js";
import { confirmDeletion } from "./ask.js";
import { addCommonOptions } from "./common-options.js";
import { findSound, type HistorySettings, openHistory } from "./history-refs.js";
import { type Io, writeJson } from "./io.js";
import { addLockOption, addModelsDirOption } from "./options.js";
import { dateText, printable } from "./text.js";

const EXAMPLES = `
Examples:
  sda history delete 5c892188             ask, then delete
  sda history delete 5c892188 --force     delete without asking`;

interface Settings extends HistorySettings {
  lock: LockKind;
  force?: boolean;
  json?: boolean;
}

export function addHistoryDeleteCommand(parent: Command, io: Io): void {
  const command = parent
    .command("delete")
    .summary("delete a sound of the history")
    .description("Delete a sound of the history: its WAV file, its picture and its entry.")
    .argument("<sound>", "id of the sound, or the start of its id")
    .option("-f, --force", "don't ask")
    .addHelpText("after", EXAMPLES)
    .action((ref: string, settings: Settings) => remove(ref, settings, io));
  addModelsDirOption(command);
  addLockOption(command);
  addCommonOptions(command);
}

async function remove(ref: string, settings: Settings, io: Io): Promise<void> {
  const history = await openHistory(settings);
  const { entryId, modelName, timestamp } = findSound(ref, history);
  const what = `the sound of ${printable(modelName)}, ${dateText(timestamp)} (${entryId})`;
  await confirmDeletion(what, settings, io);
  if (!(await history.delete(entryId, { signal: io.signal }))) {
    throw new SdaError("ERR_SDA_NOT_FOUND", `${what} has been deleted by another process`, { ref });
  }
  if (settings.json) return writeJson(io, { deleted: { entryId, modelName } });
  io.stderr.write(`Deleted ${what}.\n`);
}
