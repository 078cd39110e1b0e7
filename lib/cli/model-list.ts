import { type Command, Option } from "commander";
import type { GenerationName } from "../format/generations.js";
import type { ModelEntry } from "../library/index/entry.js";
import type { LockKind } from "../library/index/lock-kind.js";
import type { ModelLibrary } from "../library/model-library.js";
import { addCommonOptions } from "./common-options.js";
import { type Io, writeJson } from "./io.js";
import { addLockOption, addModelsDirOption, collect, parseCount } from "./options.js";
import {
  bytesText,
  colors,
  dateText,
  generationText,
  plural,
  printable,
  table,
  tableWidth,
} from "./text.js";

const EXAMPLES = `
Examples:
  sda model list                            all models, newest first
  sda model list --query pad --tag warm     "pad" in the name or description, and the tag "warm"
  sda model list --sort name --reverse -n 20
  sda model list --json | jq -r '.[].name'`;

/** The choices of --sort: the field, and whether its usual order is descending. */
const ORDERS = {
  date: ["saveDate", true],
  name: ["name", false],
  size: ["fileSizeBytes", true],
  loss: ["finalValLoss", false],
  epochs: ["trainingEpochs", true],
} as const satisfies Record<string, readonly [keyof ModelEntry, boolean]>;

const SHOWN = [
  "name",
  "modelId",
  "saveDate",
  "fileSizeBytes",
  "hasAnalysis",
  "nActiveComponents",
  "tags",
  "vocoder",
] as const;

/** The generation is in the files: so many of them are read. */
const MOST_READ = 200;

interface Settings {
  modelsDir: string;
  lock: LockKind;
  query?: string;
  tag?: string[];
  sort: keyof typeof ORDERS;
  reverse?: boolean;
  limit?: number;
  json?: boolean;
}

export function addListCommand(parent: Command, io: Io): void {
  const command = parent
    .command("list")
    .summary("list the models of a library")
    .description(
      "List the models of a library. Only the version of the program that wrote a model is read " +
        `from its file, for the first ${MOST_READ} models.`,
    )
    .option("-q, --query <text>", "only models with this text in their name or description")
    .option("--tag <tag>", "only models with this tag; repeatable: with any of the tags", collect)
    .addOption(
      new Option("--sort <by>", "sort by newest, A–Z, largest, lowest loss or most epochs")
        .choices(Object.keys(ORDERS))
        .default("date"),
    )
    .option("-r, --reverse", "reverse the order")
    .option("-n, --limit <number>", "list at most this many models", parseCount)
    .addHelpText("after", EXAMPLES)
    .action((settings: Settings) => list(settings, io));
  addModelsDirOption(command);
  addLockOption(command);
  addCommonOptions(command);
}

async function list(settings: Settings, io: Io): Promise<void> {
  const { ModelLibrary } = await import("../library/model-library.js");
  const library = await ModelLibrary.open(settings.modelsDir, { lock: settings.lock });
  const [sortBy, descending] = ORDERS[settings.sort];
  const options = {
    sortBy,
    reverse: descending !== (settings.reverse ?? false),
    ...(settings.query !== undefined && { query: settings.query }),
    ...(settings.tag && { tags: settings.tag }),
  };
  if (settings.json) {
    const entries = library.search(options).slice(0, settings.limit);
    const generations = await generationsOf(library, entries);
    const models = entries.map((entry, i) => ({ ...entry, generation: generations[i] ?? null }));
    return writeJson(io, models);
  }
  const shown = library.pick(SHOWN, options).slice(0, settings.limit);
  const generations = await generationsOf(library, shown);

  const { bold, dim } = colors(io.stderr);
  if (library.count() === 0) {
    io.stderr.write(
      `${library.modelsDir} has no models yet. sda model import FILE adds a checkpoint or a ` +
        "model, sda model repair adds the model files that are in the folder.\n",
    );
    return;
  }
  if (shown.length > 0) {
    const rows = shown.map((entry, i) => [
      printable(entry.name),
      entry.modelId,
      dateText(entry.saveDate),
      bytesText(entry.fileSizeBytes).padStart(8),
      generationText(generations[i] ?? null, entry.vocoder),
      entry.hasAnalysis ? entry.nActiveComponents : 0,
      entry.tags.map(printable).join(", "),
    ]);
    const text = table(
      [["NAME", "ID", "SAVED", "SIZE", "GENERATION", "SLIDERS", "TAGS"], ...rows],
      {
        width: tableWidth(io),
      },
    );
    const end = text.indexOf("\n");
    io.stderr.write(`${bold(text.slice(0, end))}${text.slice(end)}`);
  }
  const count =
    shown.length === library.count()
      ? plural(library.count(), "model")
      : `${shown.length} of ${plural(library.count(), "model")}`;
  io.stderr.write(dim(`${count}, ${library.modelsDir}\n`));
}

/** The generations of the first models; null: the file is missing or damaged. */
function generationsOf(
  library: ModelLibrary,
  models: readonly Pick<ModelEntry, "modelId">[],
): Promise<(GenerationName | null)[]> {
  const first = models.slice(0, MOST_READ);
  return Promise.all(first.map(({ modelId }) => library.generationOf(modelId).catch(() => null)));
}
