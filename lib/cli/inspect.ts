import { stat } from "node:fs/promises";
import type { Command } from "commander";
import { SdaError } from "../base/errors.js";
import { elements } from "../format/describe.js";
import type { Assessment } from "../torch/assess.js";
import type { InspectResult } from "../torch/inspect.js";
import { addCommonOptions } from "./common-options.js";
import { factLines, modelJson, modelText } from "./describe-model.js";
import { inspectFolder } from "./inspect-folder.js";
import { type Io, writeJson } from "./io.js";
import { bytesText, colors, countText, printable, table, tableWidth } from "./text.js";

const EXAMPLES = `
Examples:
  sda inspect kitchen.sda             settings, sliders and tensors of a model
  sda inspect downloaded.pt           tensors, and whether the file is safe
  sda inspect --all downloads         every torch.save file in a folder and its subfolders

A file is "safe" if it refers only to plain data. Otherwise it is "refused": loading it in Python
could run code. With --all, the exit code is 1 if a file is refused or can't be read.`;

interface Settings {
  all?: boolean;
  json?: boolean;
}

export function addInspectCommand(program: Command, io: Io): void {
  const command = program
    .command("inspect")
    .summary("show what a torch.save file holds, and whether it is safe")
    .description(
      "Show the tensors and the Python names of a torch.save file (.sda, .pt, .pth), and whether " +
        "it is safe. Nothing in the file is executed, and no weights are read.",
    )
    .argument("<file>", "any torch.save file; with --all, a folder")
    .option("--all", "inspect all torch.save files of a folder and its subfolders")
    .addHelpText("after", EXAMPLES)
    .action((file: string, settings: Settings) =>
      settings.all ? inspectFolder(file, settings, io) : inspectFile(file, settings, io),
    );
  addCommonOptions(command);
}

async function inspectFile(file: string, settings: Settings, io: Io): Promise<void> {
  const torch = await import("../torch/index.js");
  const isFolder = (await stat(file).catch(() => null))?.isDirectory();
  if (isFolder) {
    const problem = `${file} is a folder; sda inspect --all ${file} inspects the files in it`;
    throw new SdaError("ERR_SDA_ARGUMENT", problem, { path: file });
  }
  const found = await torch.inspect(file, { signal: io.signal });
  const assessment = torch.assess(found);
  const model = await modelOf(file, found, io);
  if (settings.json) {
    return writeJson(io, { ...found, assessment, ...(model && { model: modelJson(file, model) }) });
  }
  const parts = model ? [modelText(io, file, model)] : [];
  parts.push(contentText(io, file, found, assessment));
  io.stderr.write(parts.join("\n"));
}

/**
 * Describes the model in a file.
 *
 * @returns null: the file is not a model, or `loadModel` would refuse it. Its tensors and names are
 *   shown nevertheless
 */
async function modelOf(file: string, found: InspectResult, io: Io) {
  const looksLikeModel = found.tensors.some(({ name }) => name.startsWith("model_state_dict."));
  if (!looksLikeModel) return null;
  const { describeModel } = await import("../format/describe.js");
  return describeModel(file, { signal: io.signal }).catch((error) => {
    if (error instanceof SdaError) return null;
    throw error;
  });
}

function contentText(io: Io, file: string, found: InspectResult, assessment: Assessment): string {
  const { bold, dim } = colors(io.stderr);
  const own = found.tensors.filter(({ aliasOf }) => aliasOf === undefined);
  const count = own.reduce((sum, { shape }) => sum + elements(shape), 0);
  const bytes = own.reduce((sum, tensor) => sum + tensor.bytes, 0);
  const dtypes = [...new Set(found.tensors.map(({ dtype }) => dtype))].join(", ");
  const size = `${countText(count)} elements, ${bytesText(bytes)}`;
  const tensors = found.tensors.map((t) => [
    printable(t.name),
    t.dtype,
    `[${t.shape.join(", ")}]`,
    t.aliasOf === undefined ? t.bytes : `= ${printable(t.aliasOf)}`,
  ]);
  const facts = factLines(io, [
    ["container", `${found.container}, ${bytesText(found.bytes)}`],
    [
      "tensors",
      found.tensors.length === 0 ? "none" : `${countText(own.length)} (${dtypes}), ${size}`,
    ],
    ["verdict", verdictText(io, assessment)],
  ]);
  const rows = [["TENSOR", "DTYPE", "SHAPE", "BYTES"], ...tensors];
  const list = tensors.length === 0 ? "" : `\n${table(rows, { width: tableWidth(io) })}`;
  const names = found.globals.map((name) => `  ${printable(name)}${noteOn(name, assessment)}\n`);
  const globals =
    names.length === 0 ? "" : `\n${dim("Python names in the file:")}\n${names.join("")}`;
  return `${bold(printable(file))}\n${facts}${list}${globals}`;
}

function noteOn(name: string, { refused, project }: Assessment): string {
  if (refused.includes(name)) return "  ← refused";
  return project.includes(name) ? "  (of the Python program)" : "";
}

export function verdictText(io: Io, { verdict, refused }: Assessment): string {
  const { green, red } = colors(io.stderr);
  return verdict === "safe"
    ? `${green("safe")}: the file refers only to plain data`
    : `${red("refused")}: the file refers to ${refused.map(printable).join(", ")}`;
}
