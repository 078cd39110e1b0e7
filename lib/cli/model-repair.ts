import type { Command } from "commander";
import type { LockKind } from "../library/index/lock-kind.js";
import { addCommonOptions } from "./common-options.js";
import { Failed, type Io, writeJson } from "./io.js";
import { addLockOption, addModelsDirOption } from "./options.js";
import { withProgress } from "./progress.js";
import { plural, printable } from "./text.js";

const EXAMPLES = `
Examples:
  sda model repair
  sda model repair --models-dir /srv/models --json

If files can't be read, the exit code is 1; all other files are handled.`;

interface Settings {
  modelsDir: string;
  lock: LockKind;
  json?: boolean;
}

export function addRepairCommand(parent: Command, io: Io): void {
  const command = parent
    .command("repair")
    .summary("make a library's index agree with the files in its folder")
    .description(
      "Remove the entries of missing files from the index, add the model files that have no " +
        "entry, and update the size and the vocoder of entries whose file has others. No model file " +
        "is changed or deleted.",
    )
    .addHelpText("after", EXAMPLES)
    .action((settings: Settings) => repair(settings, io));
  addModelsDirOption(command);
  addLockOption(command);
  addCommonOptions(command);
}

async function repair(settings: Settings, io: Io): Promise<void> {
  const { ModelLibrary } = await import("../library/model-library.js");
  const library = await ModelLibrary.open(settings.modelsDir, { lock: settings.lock });
  const result = await withProgress(io, "reading files", (update) =>
    library.repairIndex({
      signal: io.signal,
      onProgress: update,
    }),
  );
  if (settings.json) {
    writeJson(io, { ...result, count: library.count() });
  } else {
    const { added, removed, updated } = result;
    const now = `${library.modelsDir} has ${plural(library.count(), "model")}`;
    const done = `${plural(added, "model")} added, ${removed} removed, ${updated} updated`;
    io.stderr.write(`${done}; ${now}.\n`);
  }
  if (result.unreadable.length > 0) {
    // A process warning has given the reason for each file.
    const { unreadable } = result;
    const names = unreadable.map(printable).join(", ");
    io.stderr.write(`error: ${plural(unreadable.length, "file")} can't be read: ${names}\n`);
    throw new Failed();
  }
}
