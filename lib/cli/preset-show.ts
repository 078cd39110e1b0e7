import type { Command } from "commander";
import { addCommonOptions } from "./common-options.js";
import { type Io, writeJson } from "./io.js";
import { addModelsDirOption } from "./options.js";
import { findPreset, openPresets, type PresetSettings } from "./preset-refs.js";
import { dateText, printable, printableLines } from "./text.js";

const EXAMPLES = `
Examples:
  sda preset show kitch Cellar
  sda preset show kitch Cellar --json | jq .sliderPositions`;

interface Settings extends PresetSettings {
  json?: boolean;
}

export function addPresetShowCommand(parent: Command, io: Io): void {
  const command = parent
    .command("show")
    .summary("show a preset's slider positions, seed and description")
    .description("Show a preset: its slider positions, seed and description.")
    .argument("<ref>", "id, name, part of the name, or path of the model's file")
    .argument("<preset>", "id, name or part of the name of the preset")
    .addHelpText("after", EXAMPLES)
    .action((ref: string, preset: string, settings: Settings) => show(ref, preset, settings, io));
  addModelsDirOption(command);
  addCommonOptions(command);
}

async function show(ref: string, name: string, settings: Settings, io: Io): Promise<void> {
  const preset = findPreset(name, await openPresets(ref, settings));
  if (settings.json) return writeJson(io, preset);
  const lines = [
    ["name", printable(preset.name)],
    ["id", preset.presetId],
    ["folder", printable(preset.folder)],
    ["sliders", preset.sliderPositions.map((position, i) => `${i}:${position}`).join(" ")],
    ["seed", preset.seed === null ? "a new one each time" : String(preset.seed)],
    ["created", dateText(preset.created)],
    ["modified", dateText(preset.modified)],
    ["description", printableLines(preset.description)],
  ] as const;
  const shown = lines.filter(([, value]) => value !== "");
  for (const [label, value] of shown) io.stdout.write(`${`${label}:`.padEnd(13)}${value}\n`);
}
