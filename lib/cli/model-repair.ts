import type { Command } from "commander";
import { Failed, type Io, writeJson } from "./io.js";
import { addCommonOptions, addModelsDirOption } from "./options.js";
import { withProgress } from "./progress.js";
import { plural, printable } from "./text.js";

const EXAMPLES = `
Examples:
  sda model repair
  sda model repair --models-dir /srv/models --json

Fails with 1 when files can't be read; the others are dealt with all the same.`;

export function addRepairCommand(parent: Command, io: Io): void {
  const command = parent
    .command("repair")
    .summary("make a library agree with its folder")
    .description(
      "Drop the entries of files that are gone, and enter the .sda files that have no entry. No file is changed or deleted.",
    )
    .addHelpText("after", EXAMPLES)
    .action((settings: { modelsDir: string; json?: boolean }) => repair(settings, io));
  addModelsDirOption(command);
  addCommonOptions(command);
}

async function repair(settings: { modelsDir: string; json?: boolean }, io: Io): Promise<void> {
  const { ModelLibrary } = await import("../library/model-library.js");
  const library = await ModelLibrary.open(settings.modelsDir);
  const result = await withProgress(io, "reading files", (update) =>
    library.repairIndex({
      signal: io.signal,
      onProgress: update,
    }),
  );
  if (settings.json) {
    writeJson(io, { ...result, count: library.count() });
  } else {
    const { added, removed } = result;
    io.stderr.write(
      `${plural(added, "model")} added, ${removed} removed; ${library.modelsDir} has ${plural(library.count(), "model")}.\n`,
    );
  }
  if (result.unreadable.length > 0) {
    // The library has warned of each already, with the reason.
    io.stderr.write(
      `error: ${plural(result.unreadable.length, "file")} can't be read: ${result.unreadable.map(printable).join(", ")}\n`,
    );
    throw new Failed();
  }
}
