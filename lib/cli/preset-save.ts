import type { Command } from "commander";
import { badArgument } from "../base/check.js";
import type { LockKind } from "../library/index/lock-kind.js";
import type { PresetStore } from "../library/presets/preset-store.js";
import { addCommonOptions } from "./common-options.js";
import { type Io, writeJson } from "./io.js";
import {
  addLockOption,
  addModelsDirOption,
  parseInteger,
  parseSlider,
  type SliderSetting,
} from "./options.js";
import { openPresets, type PresetSettings } from "./preset-refs.js";
import { resolveModel } from "./refs.js";
import { sliderPositions } from "./slider-positions.js";
import { printable } from "./text.js";

const EXAMPLES = `
Examples:
  sda preset save kitch Cellar --slider 0:-3 --slider 1:4
  sda preset save kitch Cellar --slider 0:-3 --seed 42 --folder Dark
  sda preset save kitch Cellar --slider 0:-2 --replace      change the preset of this name`;

interface Settings extends PresetSettings {
  lock: LockKind;
  slider?: SliderSetting[];
  seed?: number;
  folder?: string;
  description?: string;
  replace?: boolean;
  json?: boolean;
}

export function addPresetSaveCommand(parent: Command, io: Io): void {
  const command = parent
    .command("save")
    .summary("save slider positions as a preset")
    .description("Save slider positions of a model as a preset.")
    .argument("<ref>", "id, name, part of the name, or path of the model's file")
    .argument("<name>", "name of the new preset")
    .option(
      "--slider <index:position>",
      "move a slider (0 is the first) to a position; repeatable; the others stay at 0",
      parseSlider,
    )
    .option("-s, --seed <number>", "seed (default: a new sound each time)", parseInteger)
    .option("--folder <name>", "folder of the preset (default: none)")
    .option("--description <text>", "description of the preset")
    .option("--replace", "replace positions and seed of the preset that has this name")
    .addHelpText("after", EXAMPLES)
    .action((ref: string, name: string, settings: Settings) => save(ref, name, settings, io));
  addModelsDirOption(command);
  addLockOption(command);
  addCommonOptions(command);
}

async function save(ref: string, name: string, settings: Settings, io: Io): Promise<void> {
  const { describeModel } = await import("../format/describe.js");
  const { path } = await resolveModel(ref, settings.modelsDir);
  const { sliders } = await describeModel(path, { signal: io.signal });
  if (sliders.length === 0) throw badArgument("ref", "a model with sliders", ref);
  const store = await openPresets(ref, settings);
  const { folder, description, seed = null, slider = [] } = settings;
  const preset = {
    name,
    seed,
    sliderPositions: sliderPositions(slider, sliders),
    ...(folder !== undefined && { folder }),
    ...(description !== undefined && { description }),
  };
  const old = presetToReplace(name, settings, store);
  const saved = await (old === undefined
    ? store.save(preset, { signal: io.signal })
    : store.update(old, preset, { signal: io.signal }));
  if (settings.json) return writeJson(io, { saved });
  const how = old === undefined ? "Saved" : "Replaced";
  io.stderr.write(`${how} ${printable(saved.name)} (${saved.presetId}).\n`);
}

/** @returns the id of the preset that has the name; undefined: a new preset is saved */
function presetToReplace(
  name: string,
  { replace }: Settings,
  store: PresetStore,
): string | undefined {
  const same = store.list().filter((preset) => preset.name === name);
  if (same.length > 0 && !replace) {
    throw badArgument("name", "a name that no preset has (or use --replace)", name);
  }
  if (same.length > 1) throw badArgument("name", "the name of one preset only", name);
  return same[0]?.presetId;
}
