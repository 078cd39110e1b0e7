import type { Command } from "commander";
import { SdaError } from "../base/errors.js";
import type { LockKind } from "../library/index/lock-kind.js";
import { confirmDeletion } from "./ask.js";
import { addCommonOptions } from "./common-options.js";
import { type Io, writeJson } from "./io.js";
import { addLockOption, addModelsDirOption } from "./options.js";
import { findPreset, openPresets, type PresetSettings } from "./preset-refs.js";
import { printable } from "./text.js";

const EXAMPLES = `
Examples:
  sda preset delete kitch Cellar             ask, then delete
  sda preset delete kitch Cellar --force     delete without asking`;

interface Settings extends PresetSettings {
  lock: LockKind;
  force?: boolean;
  json?: boolean;
}

export function addPresetDeleteCommand(parent: Command, io: Io): void {
  const command = parent
    .command("delete")
    .summary("delete a preset")
    .description("Delete a preset of a model.")
    .argument("<ref>", "id, name, part of the name, or path of the model's file")
    .argument("<preset>", "id, name or part of the name of the preset")
    .option("-f, --force", "don't ask")
    .addHelpText("after", EXAMPLES)
    .action((ref: string, preset: string, settings: Settings) => remove(ref, preset, settings, io));
  addModelsDirOption(command);
  addLockOption(command);
  addCommonOptions(command);
}

async function remove(ref: string, preset: string, settings: Settings, io: Io): Promise<void> {
  const store = await openPresets(ref, settings);
  const { presetId, name } = findPreset(preset, store);
  const what = `the preset ${printable(name)} (${presetId})`;
  await confirmDeletion(what, settings, io);
  if (!(await store.delete(presetId, { signal: io.signal }))) {
    throw new SdaError("ERR_SDA_NOT_FOUND", `${what} has been deleted by another process`, {
      ref: preset,
    });
  }
  if (settings.json) return writeJson(io, { deleted: { presetId, name } });
  io.stderr.write(`Deleted ${what}.\n`);
}
