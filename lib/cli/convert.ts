import { type Command, Option } from "commander";
import { SdaError } from "../base/errors.js";
import type { LockKind } from "../library/index/lock-kind.js";
import { addCommonOptions } from "./common-options.js";
import { type Io, writeJson } from "./io.js";
import { parseMetadata } from "./metadata-option.js";
import { addLockOption, addModelsDirOption } from "./options.js";
import { resolveModel } from "./refs.js";
import { bytesText, plural, printable } from "./text.js";

const EXAMPLES = `
With two paths, it converts a file; the suffix of the second path decides: .safetensors, or .pt,
.pth, .ckpt and .bin. Of a torch file, only the weights are written. Files larger than the memory
can be converted, but for torch files from before version 1.6.
  sda convert model.pt model.safetensors            torch to safetensors
  sda convert model.safetensors model.pt            safetensors to torch
  sda convert last.ckpt ema.safetensors --key ema   the weights under this key

With --to, it writes a model for another version of the Python program, as a new file of the
library. Weights and settings stay as they are, and so does the model's file. Models that would
sound wrong in the other version are refused.
  sda convert rain --to distillgan                  a .distill model for version 1.1
  sda convert rain --to distillgan --vocoder-from wires.distillgan
  sda convert wires --to distillgan --no-vocoder    a copy without its vocoder
  sda convert early.distill --to sda                a model of the first Distill for version 1.0`;

type Kind = "sda" | "distill" | "distillgan";

interface Settings {
  modelsDir: string;
  lock: LockKind;
  to?: Kind;
  vocoderFrom?: string;
  /** false: --no-vocoder */
  vocoder: boolean;
  key?: string;
  metadata?: Record<string, string>;
  json?: boolean;
}

export function addConvertCommand(parent: Command, io: Io): void {
  const command = parent
    .command("convert")
    .usage("[options] <in> <out>\n       sda convert [options] --to <kind> <ref>")
    .summary("convert torch and safetensors files, or a model for another version of the program")
    .description(
      "Convert between torch and safetensors files, or write a model for another version of the " +
        "Python program.",
    )
    .argument("<ref>", "the file to convert; with --to: id, name, part of the name, or path")
    .argument("[out]", "the new file, .safetensors or .pt, .pth, .ckpt, .bin; not with --to")
    .addOption(
      new Option("--to <kind>", "kind of the model's new file").choices([
        "sda",
        "distill",
        "distillgan",
      ]),
    )
    .option("--vocoder-from <ref>", "with --to: model whose vocoder a distillgan file gets")
    .addOption(
      new Option("--no-vocoder", "with --to: leave the model's vocoder out").conflicts(
        "vocoderFrom",
      ),
    )
    .option("--key <key>", "without --to: where the weights are in a torch file")
    .option(
      "--metadata <name=text>",
      "without --to: a text for a safetensors file; may be repeated",
      parseMetadata,
    )
    .addHelpText("after", EXAMPLES)
    .action((ref: string, out: string | undefined, settings: Settings) =>
      out === undefined ? convertOne(ref, settings, io) : convertFile(ref, out, settings, io),
    );
  addModelsDirOption(command);
  addLockOption(command);
  addCommonOptions(command);
}

/** @param options names of options that are given, but have no meaning here */
function refuse(options: [name: string, given: unknown][], why: string): void {
  const wrong = options.find(([, given]) => given !== undefined && given !== true);
  if (!wrong) return;
  const problem = `${wrong[0]} can't be used ${why}`;
  throw new SdaError("ERR_SDA_ARGUMENT", problem, { option: wrong[0] });
}

async function convertFile(from: string, to: string, settings: Settings, io: Io): Promise<void> {
  const { key, metadata } = settings;
  const others: [string, unknown][] = [
    ["--to", settings.to],
    ["--vocoder-from", settings.vocoderFrom],
    ["--no-vocoder", settings.vocoder],
  ];
  refuse(others, "with two paths, which convert a torch or safetensors file");
  const { convertCheckpoint } = await import("../torch/convert.js");
  const { tensors, bytes } = await convertCheckpoint(from, to, {
    ...(key !== undefined && { key }),
    ...(metadata && { metadata }),
    signal: io.signal,
  });
  if (settings.json) return writeJson(io, { path: to, tensors, bytes });
  io.stderr.write(`${printable(to)}: ${plural(tensors, "tensor")}, ${bytesText(bytes)}\n`);
}

async function convertOne(ref: string, settings: Settings, io: Io): Promise<void> {
  const { modelsDir, lock, to, vocoderFrom, vocoder } = settings;
  if (to === undefined) {
    const problem =
      "give the path of the new file (sda convert IN OUT), or the kind of the model's new file " +
      "(sda convert REF --to KIND)";
    throw new SdaError("ERR_SDA_ARGUMENT", problem, { option: "to" });
  }
  refuse(
    [
      ["--key", settings.key],
      ["--metadata", settings.metadata],
    ],
    "with --to, which keeps all weights of a model",
  );
  const [{ convertModel }, { readMetadata }] = await Promise.all([
    import("../library/writes/convert-model.js"),
    import("../format/read-metadata.js"),
  ]);
  const { path: from } = await resolveModel(ref, modelsDir);
  const donor = vocoderFrom === undefined ? undefined : await resolveModel(vocoderFrom, modelsDir);
  const path = await convertModel(from, {
    to,
    modelsDir,
    lock,
    vocoder,
    ...(donor && { vocoderFrom: donor.path }),
    ...(io.signal && { signal: io.signal }),
  });
  const metadata = await readMetadata(path);
  if (settings.json) return writeJson(io, { path, metadata });
  io.stderr.write(`${printable(path)}: ${printable(metadata.name)} (${metadata.modelId})\n`);
}
