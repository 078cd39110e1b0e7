import type { Command } from "commander";
import type { LockKind } from "../library/index/lock-kind.js";
import { addCommonOptions } from "./common-options.js";
import { type Io, writeJson } from "./io.js";
import { addLockOption, addModelsDirOption } from "./options.js";
import { findPreset, openPresets, type PresetSettings } from "./preset-refs.js";
import { printable } from "./text.js";

const EXAMPLES = `
Examples:
  sda preset move kitch Cellar Dark       into the folder "Dark", which is created if it is missing
  sda preset move kitch Cellar ""         out of its folder`;

interface Settings extends PresetSettings {
  lock: LockKind;
  json?: boolean;
}

export function addPresetMoveCommand(parent: Command, io: Io): void {
  const command = parent
    .command("move")
    .summary("move a preset into another folder")
    .description("Move a preset into another folder of the model's presets.")
    .argument("<ref>", "id, name, part of the name, or path of the model's file")
    .argument("<preset>", "id, name or part of the name of the preset")
    .argument("<folder>", 'name of the folder; "": none')
    .addHelpText("after", EXAMPLES)
    .action((ref: string, preset: string, folder: string, settings: Settings) =>
      move(ref, preset, folder, settings, io),
    );
  addModelsDirOption(command);
  addLockOption(command);
  addCommonOptions(command);
}

async function move(
  ref: string,
  name: string,
  folder: string,
  settings: Settings,
  io: Io,
): Promise<void> {
  const store = await openPresets(ref, settings);
  const { presetId } = findPreset(name, store);
  const options = { signal: io.signal };
  if (folder !== "" && !store.folders().includes(folder)) await store.createFolder(folder, options);
  const moved = await store.update(presetId, { folder }, options);
  if (settings.json) return writeJson(io, { moved });
  const where = folder === "" ? "out of its folder" : `to ${printable(folder)}`;
  io.stderr.write(`Moved ${printable(moved.name)} ${where}.\n`);
}
