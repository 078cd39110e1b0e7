import type { Command } from "commander";
import { addCommonOptions } from "./common-options.js";
import { findSound, type HistorySettings, openHistory } from "./history-refs.js";
import { type Io, writeJson } from "./io.js";
import { addModelsDirOption } from "./options.js";
import { dateText, printable, secondsText } from "./text.js";

const EXAMPLES = `
Examples:
  sda history show 5c892188                        the start of the id is enough
  sda history show 5c892188 --json | jq -r .path   the path of the WAV file`;

interface Settings extends HistorySettings {
  json?: boolean;
}

export function addHistoryShowCommand(parent: Command, io: Io): void {
  const command = parent
    .command("show")
    .summary("show how a sound of the history was made")
    .description("Show how a sound of the history was made, and where its files are.")
    .argument("<sound>", "id of the sound, or the start of its id")
    .addHelpText("after", EXAMPLES)
    .action((ref: string, settings: Settings) => show(ref, settings, io));
  addModelsDirOption(command);
  addCommonOptions(command);
}

async function show(ref: string, settings: Settings, io: Io): Promise<void> {
  const history = await openHistory(settings);
  const sound = findSound(ref, history);
  const path = await history.audioPath(sound.entryId);
  const thumbnail = await history.thumbnailPath(sound.entryId);
  if (settings.json) return writeJson(io, { ...sound, path, thumbnail });
  const lines = [
    ["id", sound.entryId],
    ["made", dateText(sound.timestamp)],
    ["model", `${printable(sound.modelName)} (${printable(sound.modelId)})`],
    ["preset", printable(sound.presetName)],
    ["sliders", (sound.sliderPositions ?? []).map((p, i) => `${i}:${p}`).join(" ")],
    ["seed", String(sound.seed)],
    ["length", `${secondsText(sound.durationS)}, ${sound.sampleRate} Hz`],
    ["quality", printable(sound.qualityScore?.ratingReason ?? "")],
    ["file", printable(path ?? "")],
    ["picture", printable(thumbnail ?? "")],
  ] as const;
  const shown = lines.filter(([, value]) => value !== "");
  for (const [label, value] of shown) io.stdout.write(`${`${label}:`.padEnd(9)}${value}\n`);
}
