import type { Command } from "commander";
import { addCommonOptions } from "./common-options.js";
import { type HistorySettings, openHistory } from "./history-refs.js";
import { type Io, writeJson } from "./io.js";
import { addModelsDirOption, parseCount } from "./options.js";
import { colors, dateText, plural, printable, secondsText, table, tableWidth } from "./text.js";

const EXAMPLES = `
Examples:
  sda history list -n 20                                 the latest twenty sounds
  sda history list --model kitch                         the sounds of one model
  sda history list --json | jq -r '.[0].audioFile'`;

interface Settings extends HistorySettings {
  model?: string;
  limit?: number;
  json?: boolean;
}

export function addHistoryListCommand(parent: Command, io: Io): void {
  const command = parent
    .command("list")
    .summary("list the sounds of the history")
    .description("List the sounds of the history, newest first.")
    .option("--model <text>", "only sounds of the model with this id, or this text in its name")
    .option("-n, --limit <number>", "list at most this many sounds", parseCount)
    .addHelpText("after", EXAMPLES)
    .action((settings: Settings) => list(settings, io));
  addModelsDirOption(command);
  addCommonOptions(command);
}

async function list(settings: Settings, io: Io): Promise<void> {
  const history = await openHistory(settings);
  const wanted = settings.model?.toLowerCase();
  const all = history
    .list()
    .filter(
      ({ modelId, modelName }) =>
        wanted === undefined ||
        modelId === settings.model ||
        modelName.toLowerCase().includes(wanted),
    );
  const sounds = all.slice(0, settings.limit);
  if (settings.json) return writeJson(io, sounds);
  const { bold, dim } = colors(io.stdout);
  if (sounds.length > 0) {
    const rows = sounds.map((sound) => [
      dateText(sound.timestamp),
      printable(sound.modelName),
      printable(sound.presetName),
      sound.seed,
      secondsText(sound.durationS),
      sound.entryId,
    ]);
    const text = table([["MADE", "MODEL", "PRESET", "SEED", "LENGTH", "ID"], ...rows], {
      width: tableWidth({ stderr: io.stdout }),
    });
    const end = text.indexOf("\n");
    io.stdout.write(`${bold(text.slice(0, end))}${text.slice(end)}`);
  }
  const count =
    sounds.length === history.count()
      ? plural(sounds.length, "sound")
      : `${sounds.length} of ${plural(history.count(), "sound")}`;
  io.stderr.write(dim(`${count}, ${printable(history.path)}\n`));
}
