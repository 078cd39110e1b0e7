import type { Command } from "commander";
import { addCommonOptions } from "../cli/common-options.js";
import { type Io, writeJson } from "../cli/io.js";
import { parseMetadata } from "../cli/metadata-option.js";
import { bytesText, plural, printable } from "../cli/text.js";

const EXAMPLES = `
Examples:
  torch-checkpoint convert model.pt model.safetensors
  torch-checkpoint convert model.safetensors model.pt
  torch-checkpoint convert last.ckpt ema.safetensors --key ema

The suffix of the second path decides: .safetensors, or .pt, .pth, .ckpt and .bin. Of a torch file,
only the weights are written. Files larger than the memory can be converted, but for torch files
from before version 1.6.`;

interface Settings {
  key?: string;
  metadata?: Record<string, string>;
  json?: boolean;
}

export function addConvertCommand(program: Command, io: Io): void {
  const command = program
    .command("convert")
    .summary("convert between torch and safetensors files")
    .description("Convert between torch and safetensors files, piece by piece.")
    .argument("<in>", "the file to convert")
    .argument("<out>", "the new file")
    .option("--key <key>", "where the weights are in a torch file")
    .option(
      "--metadata <name=text>",
      "a text for a safetensors file; may be repeated",
      parseMetadata,
    )
    .addHelpText("after", EXAMPLES)
    .action((from: string, to: string, settings: Settings) => convert(from, to, settings, io));
  addCommonOptions(command);
}

async function convert(from: string, to: string, settings: Settings, io: Io): Promise<void> {
  const { convertCheckpoint } = await import("../torch/convert.js");
  const { key, metadata, json } = settings;
  const { tensors, bytes } = await convertCheckpoint(from, to, {
    ...(key !== undefined && { key }),
    ...(metadata && { metadata }),
    signal: io.signal,
  });
  if (json) return writeJson(io, { path: to, tensors, bytes });
  io.stderr.write(`${printable(to)}: ${plural(tensors, "tensor")}, ${bytesText(bytes)}\n`);
}
