import type { Command } from "commander";
import { addCommonOptions } from "./common-options.js";
import { type Io, writeJson } from "./io.js";
import { addModelsDirOption } from "./options.js";
import { openPresets, type PresetSettings } from "./preset-refs.js";
import { colors, dateText, plural, printable, table, tableWidth } from "./text.js";

const EXAMPLES = `
Examples:
  sda preset list "Kitchen Drums"                  all presets of the model
  sda preset list kitch --folder Dark              the presets of one folder
  sda preset list kitch --json | jq -r '.[].name'`;

interface Settings extends PresetSettings {
  folder?: string;
  json?: boolean;
}

export function addPresetListCommand(parent: Command, io: Io): void {
  const command = parent
    .command("list")
    .summary("list the presets of a model")
    .description("List the presets of a model, in the order in which they were saved.")
    .argument("<ref>", "id, name, part of the name, or path of the model's file")
    .option("--folder <name>", 'only the presets of this folder; "": those without a folder')
    .addHelpText("after", EXAMPLES)
    .action((ref: string, settings: Settings) => list(ref, settings, io));
  addModelsDirOption(command);
  addCommonOptions(command);
}

async function list(ref: string, settings: Settings, io: Io): Promise<void> {
  const store = await openPresets(ref, settings);
  const { folder } = settings;
  const presets = store.list(folder === undefined ? {} : { folder });
  if (settings.json) return writeJson(io, presets);
  const { bold, dim } = colors(io.stdout);
  if (presets.length > 0) {
    const rows = presets.map((preset) => [
      printable(preset.name),
      printable(preset.folder),
      preset.presetId,
      preset.seed ?? "",
      dateText(preset.modified),
    ]);
    const text = table([["NAME", "FOLDER", "ID", "SEED", "MODIFIED"], ...rows], {
      width: tableWidth({ stderr: io.stdout }),
    });
    const end = text.indexOf("\n");
    io.stdout.write(`${bold(text.slice(0, end))}${text.slice(end)}`);
  }
  io.stderr.write(dim(`${plural(presets.length, "preset")}, ${printable(store.path)}\n`));
}
