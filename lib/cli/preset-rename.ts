import type { Command } from "commander";
import type { LockKind } from "../library/index/lock-kind.js";
import { addCommonOptions } from "./common-options.js";
import { type Io, writeJson } from "./io.js";
import { addLockOption, addModelsDirOption } from "./options.js";
import { findPreset, openPresets, type PresetSettings } from "./preset-refs.js";
import { printable } from "./text.js";

const EXAMPLES = `
Examples:
  sda preset rename kitch Cellar "Wine cellar"
  sda preset rename kitch --folder Dark Night       rename a folder of presets`;

interface Settings extends PresetSettings {
  lock: LockKind;
  folder?: boolean;
  json?: boolean;
}

export function addPresetRenameCommand(parent: Command, io: Io): void {
  const command = parent
    .command("rename")
    .summary("rename a preset, or a folder of presets")
    .description("Rename a preset, or a folder of presets.")
    .argument("<ref>", "id, name, part of the name, or path of the model's file")
    .argument("<preset>", "id, name or part of the name of the preset; with --folder: the folder")
    .argument("<name>", "new name")
    .option("--folder", "rename a folder")
    .addHelpText("after", EXAMPLES)
    .action((ref: string, preset: string, name: string, settings: Settings) =>
      rename(ref, preset, name, settings, io),
    );
  addModelsDirOption(command);
  addLockOption(command);
  addCommonOptions(command);
}

async function rename(
  ref: string,
  from: string,
  name: string,
  settings: Settings,
  io: Io,
): Promise<void> {
  const store = await openPresets(ref, settings);
  const options = { signal: io.signal };
  if (settings.folder) {
    await store.renameFolder(from, name, options);
    if (settings.json) return writeJson(io, { folders: store.folders() });
    io.stderr.write(`Renamed the folder ${printable(from)} to ${printable(name)}.\n`);
    return;
  }
  const old = findPreset(from, store);
  const renamed = await store.update(old.presetId, { name }, options);
  if (settings.json) return writeJson(io, { renamed });
  io.stderr.write(`Renamed ${printable(old.name)} to ${printable(name)} (${old.presetId}).\n`);
}
