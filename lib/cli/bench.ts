import { cpus } from "node:os";
import { type Command, InvalidArgumentError } from "commander";
import type { ModelBench, ModelFigure } from "../bench/model-bench.js";
import type { Device } from "../model/load.js";
import { addCommonOptions } from "./common-options.js";
import { type Io, writeJson } from "./io.js";
import { addModelsDirOption, parseNumber } from "./options.js";
import { withProgress } from "./progress.js";
import { resolveModel } from "./refs.js";
import { printable, table } from "./text.js";

const EXAMPLES = `
Examples:
  sda bench kitchen                        measure a model of the library for ten seconds
  sda bench kitchen.sda --seconds 60       measure longer, for more stable results
  sda bench kitchen.sda --device cpu --json

The results are medians and quartiles. Without the engine, only reading is measured.`;

interface Settings {
  modelsDir: string;
  device: string;
  seconds: number;
  json?: boolean;
}

export function addBenchCommand(program: Command, io: Io): void {
  const command = program
    .command("bench")
    .summary("measure how fast a model loads and makes sound on this machine")
    .description("Measure how fast a model loads, decodes and makes sound on this machine.")
    .argument("<ref>", "id, name, part of a name, or path of a model file")
    .option("--device <name>", "auto, cpu, cuda, cuda:N or mps", "auto")
    .option("--seconds <number>", "time to measure, up to 600", parseSeconds, 10)
    .addHelpText("after", EXAMPLES)
    .action((ref: string, settings: Settings) => bench(ref, settings, io));
  addModelsDirOption(command);
  addCommonOptions(command);
}

async function bench(ref: string, settings: Settings, io: Io): Promise<void> {
  const { path } = await resolveModel(ref, settings.modelsDir);
  const { benchModel } = await import("../bench/model-bench.js");
  const measured: ModelBench = await withProgress(io, "measuring", (update) =>
    benchModel(path, {
      device: settings.device as Device, // loadModel checks it
      seconds: settings.seconds,
      signal: io.signal,
      onProgress: (_, done) => update(done, 1),
    }),
  );
  const machine = {
    cpu: cpus()[0]?.model ?? "unknown",
    processors: cpus().length,
    platform: `${process.platform}-${process.arch}`,
    node: process.version,
  };
  if (settings.json) return writeJson(io, { path, machine, unit: "ms", ...measured });
  const { device, figures, missing } = measured;
  const { processors, cpu, platform, node } = machine;
  io.stderr.write(
    `${printable(path)}, device: ${device ?? "none"}\n` +
      `${processors} × ${cpu}, ${platform}, Node ${node}\n\n` +
      table([["", "MEDIAN", "QUARTILES", "RUNS"], ...figures.map(line)]),
  );
  if (missing) io.stderr.write(`\nSound was not measured: ${missing.message} (${missing.code})\n`);
}

function line({ name, median, low, high, samples }: ModelFigure): (string | number)[] {
  return [name, `${text(median)} ms`, `${text(low)} to ${text(high)} ms`, samples];
}

function text(ms: number): string {
  return ms < 10 ? ms.toFixed(3) : ms.toFixed(1);
}

function parseSeconds(value: string): number {
  const seconds = parseNumber(value);
  if (!(seconds > 0 && seconds <= 600)) {
    throw new InvalidArgumentError("Expected a number above 0 and up to 600.");
  }
  return seconds;
}
