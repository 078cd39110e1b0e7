import type { Command } from "commander";
import { SdaError } from "../base/errors.js";
import { addCommonOptions } from "../cli/common-options.js";
import { type Io, jsonText } from "../cli/io.js";
import { printable } from "../cli/text.js";
import { SOURCE_HELP, sourceOf } from "./source.js";

const EXAMPLES = `
Examples:
  torch-checkpoint cat checkpoint.pt                  everything but the elements of tensors
  torch-checkpoint cat checkpoint.pt epoch            one value
  torch-checkpoint cat checkpoint.pt model.fc.bias    the elements of one tensor

The names are those of ls. Objects of classes are described; no class is loaded.`;

export function addCatCommand(program: Command, io: Io): void {
  const command = program
    .command("cat")
    .summary("print what a file holds as JSON")
    .description("Print what a file holds, or one value of it, as JSON on stdout.")
    .argument("<file>", SOURCE_HELP)
    .argument("[name]", "a value, by its keys and indices with dots between them")
    .addHelpText("after", EXAMPLES)
    .action((file: string, name: string | undefined) => cat(file, name, io));
  addCommonOptions(command);
}

async function cat(file: string, name: string | undefined, io: Io): Promise<void> {
  const { load } = await import("../torch/load.js");
  const { find, toJson } = await import("./as-json.js");
  const content = await load(sourceOf(file), {
    unknownGlobals: "inert",
    weights: name !== undefined,
    signal: io.signal,
  });
  if (name === undefined) {
    io.stdout.write(withRowsOnLines(jsonText(toJson(content))));
    return;
  }
  const found = find(content, name);
  if (found === undefined) {
    const problem = `${printable(file)} holds no ${printable(name)}; ls lists its tensors`;
    throw new SdaError("ERR_SDA_ARGUMENT", problem, { name });
  }
  io.stdout.write(withRowsOnLines(jsonText(toJson(found.value, { elements: true }))));
}

/** The same JSON with each array of numbers and texts on one line. */
function withRowsOnLines(json: string): string {
  const lines = json.split("\n");
  const kept: string[] = [];
  for (let i = 0; i < lines.length; i++) {
    const line = lines[i] as string;
    let end = i + 1;
    if (line.endsWith("[")) while (/[^[{\]},],?$/.test(lines[end] as string)) end++;
    if (end === i + 1 || !/^ *\],?$/.test(lines[end] as string)) {
      kept.push(line);
      continue;
    }
    const items = lines.slice(i + 1, end).map((item) => item.trim());
    kept.push(`${line}${items.join(" ")}${(lines[end] as string).trim()}`);
    i = end;
  }
  return kept.join("\n");
}
