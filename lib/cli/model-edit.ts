import { type Command, InvalidArgumentError, Option } from "commander";
import { SdaError } from "../base/errors.js";
import type { LockKind } from "../library/index/lock-kind.js";
import type { ModelLibrary } from "../library/model-library.js";
import type { ModelChanges } from "../library/writes/changes.js";
import { addCommonOptions } from "./common-options.js";
import { type Io, writeJson } from "./io.js";
import { addLockOption, addModelsDirOption, collect } from "./options.js";
import { findEntry } from "./refs.js";
import { printable } from "./text.js";

const EXAMPLES = `
Examples:
  sda model edit kitch --name "Kitchen Drums"
  sda model edit kitch --tag drums --tag lo-fi           replace all tags by these two
  sda model edit kitch --description "" --no-tags        remove the description and all tags
  sda model edit kitch --label 0:Brightness --label "2:Attack, soft to hard"

The file keeps its name and the rest of its content.`;

type Label = readonly [index: number, text: string];

interface Settings {
  modelsDir: string;
  lock: LockKind;
  name?: string;
  description?: string;
  tag?: string[];
  /** false: --no-tags */
  tags: boolean;
  label?: Label[];
  json?: boolean;
}

export function addEditCommand(parent: Command, io: Io): void {
  const command = parent
    .command("edit")
    .summary("change a model's name, description, tags and slider labels")
    .description(
      "Change a model's name, description, tags or slider labels, in its file and in its library.",
    )
    .argument("<ref>", "id, name, part of the name, or path of the model's file")
    .option("--name <text>", "new name")
    .option("--description <text>", "new description")
    .option("--tag <tag>", "new tag; repeatable; replaces all present tags", collect)
    .addOption(new Option("--no-tags", "remove all tags").conflicts("tag"))
    .option("--label <index:text>", "label of a slider (0 is the first); repeatable", parseLabel)
    .addHelpText("after", EXAMPLES)
    .action((ref: string, settings: Settings) => edit(ref, settings, io));
  addModelsDirOption(command);
  addLockOption(command);
  addCommonOptions(command);
}

/** Parses "0:Brightness" and adds it to the labels given before. */
function parseLabel(text: string, before: Label[] = []): Label[] {
  const match = /^(\d{1,9}):(.*)$/s.exec(text);
  if (!match) throw new InvalidArgumentError("Expected INDEX:TEXT, as in 0:Brightness.");
  return [...before, [Number(match[1]), match[2] as string]];
}

async function edit(ref: string, settings: Settings, io: Io): Promise<void> {
  const { ModelLibrary } = await import("../library/model-library.js");
  const library = await ModelLibrary.open(settings.modelsDir, { lock: settings.lock });
  const { modelId } = await findEntry(ref, library);
  const { name, description, tag, tags, label } = settings;
  const changes: ModelChanges = {
    ...(name !== undefined && { name }),
    ...(description !== undefined && { description }),
    ...((tag || !tags) && { tags: tag ?? [] }),
    ...(label && { componentLabels: await labels(label, modelId, library, io.signal) }),
  };
  if (Object.keys(changes).length === 0) {
    const problem = "nothing to change: give --name, --description, --tag, --no-tags or --label";
    throw new SdaError("ERR_SDA_ARGUMENT", problem, { option: "--name" });
  }
  const updated = await library.update(modelId, changes, { signal: io.signal });
  if (settings.json) return writeJson(io, { updated });
  io.stderr.write(`Updated ${printable(updated.name)} (${updated.modelId}).\n`);
}

/** The labels of all sliders, with the given labels in place of the present ones. */
async function labels(
  given: readonly Label[],
  modelId: string,
  library: ModelLibrary,
  signal: AbortSignal,
): Promise<string[]> {
  const { describeModel } = await import("../format/describe.js");
  const path = (await library.pathOf(modelId)) as string;
  const all = (await describeModel(path, { signal })).sliders.map(({ label }) => label);
  for (const [index, text] of given) {
    if (index >= all.length) {
      const has = all.length === 0 ? "no sliders" : `sliders 0 to ${all.length - 1}`;
      const problem = `there is no slider ${index}: the model has ${has}`;
      throw new SdaError("ERR_SDA_ARGUMENT", problem, { option: "--label", index });
    }
    all[index] = text;
  }
  return all;
}
