import type { Command } from "commander";
import { addCommonOptions } from "./common-options.js";
import { modelJson, modelText } from "./describe-model.js";
import { type Io, writeJson } from "./io.js";
import { addModelsDirOption } from "./options.js";
import { resolveModel } from "./refs.js";

const EXAMPLES = `
Examples:
  sda model info "Kitchen Drums"       by name
  sda model info kitch                 by a part of the name that no other model's name has
  sda model info downloads/drums.sda   a file, inside or outside a library
  sda model info kitch --json | jq .sliders`;

export function addInfoCommand(parent: Command, io: Io): void {
  const command = parent
    .command("info")
    .summary("show a model's settings, network and sliders")
    .description("Show a model's settings, network and sliders. No weights are read.")
    .argument("<ref>", "id, name, part of a name, or path of a model file")
    .addHelpText("after", EXAMPLES)
    .action((ref: string, settings: { modelsDir: string; json?: boolean }) =>
      info(ref, settings, io),
    );
  addModelsDirOption(command);
  addCommonOptions(command);
}

async function info(
  ref: string,
  settings: { modelsDir: string; json?: boolean },
  io: Io,
): Promise<void> {
  const { path, entry } = await resolveModel(ref, settings.modelsDir);
  const { describeModel } = await import("../format/describe.js");
  const model = await describeModel(path, { signal: io.signal });
  if (settings.json) writeJson(io, modelJson(path, model, entry?.modelId));
  else io.stderr.write(modelText(io, path, model, entry?.modelId));
}
