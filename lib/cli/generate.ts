import { mkdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { type Command, InvalidArgumentError, Option } from "commander";
import type { GenerationResult } from "../audio/generation.js";
import { type GenerateOptions, SAMPLE_RATES, SPATIAL_MODES } from "../audio/options.js";
import { writeWav } from "../audio/wav.js";
import { BIT_DEPTHS, type BitDepth } from "../audio/wav-format.js";
import { badArgument, seedOrRandom } from "../check.js";
import { SdaError } from "../errors.js";
import { fileStem } from "../file-stem.js";
import type { Device } from "../model/load.js";
import type { LoadedModel } from "../model/loaded-model.js";
import { writeSidecar } from "../model/sidecar.js";
import { type Io, writeJson } from "./io.js";
import {
  addCommonOptions,
  numberChoice,
  parseInteger,
  parseNumber,
  parseSlider,
  type SliderSetting,
} from "./options.js";

const EXAMPLES = `
Examples:
  sda generate kitchen.sda                            one second of sound
  sda generate kitchen.sda -d 2.5 -s 42               the same 2.5 seconds every time
  sda generate kitchen.sda --slider 0:5 --slider 3:-4 slider 0 up, slider 3 down
  sda generate kitchen.sda -n 10 -o sounds            ten sounds, seeds one apart
  sda generate kitchen.sda --spatial-mode stereo --width 0.8 --json

Files are named after the model and the seed, as in kitchen_42.wav, with a kitchen_42.json beside it that tells how the sound
was made; files of these names are replaced.`;

interface Settings {
  duration?: number;
  seed?: number;
  count: number;
  slider?: SliderSetting[];
  outputDir: string;
  sampleRate: (typeof SAMPLE_RATES)[number];
  bitDepth: BitDepth;
  spatialMode: (typeof SPATIAL_MODES)[number];
  width?: number;
  depth?: number;
  device: string;
  json?: boolean;
}

export function addGenerateCommand(program: Command, io: Io): void {
  const command = program
    .command("generate")
    .summary("make sounds with a model")
    .description("Make sounds with a model and write them as WAV files.")
    .argument("<ref>", "path of an .sda file")
    .option("-d, --duration <seconds>", "length, up to 60 (default: 1)", parseNumber)
    .option(
      "-s, --seed <number>",
      "the same seed gives the same sound (default: random)",
      parseInteger,
    )
    .option("-n, --count <number>", "how many sounds, with seeds one apart", parseCount, 1)
    .option(
      "--slider <index:position>",
      "move a slider, 0 is the first; may be repeated; the others stay in the middle",
      parseSlider,
    )
    .option("-o, --output-dir <folder>", "where the files go; made when missing", ".")
    .addOption(numberChoice("--sample-rate <hz>", "of the files", SAMPLE_RATES, 48000))
    .addOption(numberChoice("--bit-depth <bits>", "of the files; 32 is float", BIT_DEPTHS, 24))
    .addOption(
      new Option("--spatial-mode <mode>", "one channel, or one of two ways to two")
        .choices(SPATIAL_MODES)
        .default("mono"),
    )
    .option("--width <number>", "of stereo, 0 to 1.5", parseNumber)
    .option("--depth <number>", "of the reflection in stereo, 0 to 1", parseNumber)
    .option("--device <name>", "auto, cpu, cuda, cuda:N or mps", "auto")
    .addHelpText("after", EXAMPLES)
    .action((ref: string, settings: Settings) => generate(ref, settings, io));
  addCommonOptions(command);
}

async function generate(ref: string, settings: Settings, io: Io): Promise<void> {
  await checkIsFile(ref);
  const { loadModel } = await import("../model/load.js");
  const device = settings.device as Device; // loadModel checks it
  await using loaded = await loadModel(ref, { device, signal: io.signal });
  const firstSeed = seedOrRandom(settings.seed);
  const options = generateOptions(settings, loaded);
  await makeFolder(settings.outputDir);

  const files = [];
  for (let i = 0; i < settings.count; i++) {
    const label = settings.count === 1 ? "" : `${i + 1}/${settings.count} `;
    const result = await loaded.generate({
      ...options,
      seed: firstSeed + i,
      signal: io.signal,
      onProgress: (done, total) =>
        showProgress(io, `${label}${Math.round((100 * done) / total)} %`),
    });
    const name = `${fileStem(loaded.metadata.name)}_${result.seed}.wav`;
    const path = join(settings.outputDir, name);
    await writeWav(path, result, { bitDepth: settings.bitDepth, signal: io.signal });
    const sidecar = await writeSidecar(path, result, loaded, {
      options,
      bitDepth: settings.bitDepth,
    });
    showProgress(io, "");
    io.stderr.write(`${label}${path}: ${describe(result)}\n`);
    files.push({ ...report(path, result, settings.bitDepth), sidecar });
  }
  if (settings.json) {
    const { modelId, name } = loaded.metadata;
    writeJson(io, { model: { modelId, name, path: ref }, device: loaded.device, files });
  }
}

function parseCount(text: string): number {
  const count = parseInteger(text);
  if (count < 1) throw new InvalidArgumentError("At least 1 is needed.");
  return count;
}

async function checkIsFile(ref: string): Promise<void> {
  const found = await stat(ref).catch(() => null);
  if (found?.isFile()) return;
  const problem = found?.isDirectory() ? "is a folder" : "is not there";
  throw new SdaError("ERR_SDA_NOT_FOUND", `${ref} ${problem}; give the path of an .sda file`, {
    path: ref,
  });
}

function generateOptions(settings: Settings, loaded: LoadedModel): GenerateOptions {
  const { duration, slider, sampleRate, spatialMode: mode, width, depth } = settings;
  return {
    sampleRate,
    spatial: {
      mode,
      ...(width !== undefined && { width }),
      ...(depth !== undefined && { depth }),
    },
    ...(duration !== undefined && { durationS: duration }),
    ...(slider && { sliders: sliderPositions(slider, loaded) }),
  };
}

function sliderPositions(slider: SliderSetting[], loaded: LoadedModel): number[] {
  const sliders = loaded.sliders();
  const positions = sliders.map(() => 0);
  for (const [index, position] of slider) {
    const info = sliders[index];
    if (info === undefined) {
      const range =
        sliders.length === 0 ? "absent: this model has none" : `0 to ${sliders.length - 1}`;
      throw badArgument("--slider", `${range} (the index)`, index);
    }
    if (position < info.minStep || position > info.maxStep) {
      throw badArgument("--slider", `${info.minStep} to ${info.maxStep} (the position)`, position);
    }
    positions[index] = position;
  }
  return positions;
}

async function makeFolder(path: string): Promise<void> {
  try {
    await mkdir(path, { recursive: true });
  } catch (cause) {
    throw new SdaError(
      "ERR_SDA_IO",
      `the folder ${path} can't be made: ${(cause as Error).message}`,
      {
        path,
      },
    );
  }
}

/** Redraws one line on a terminal; elsewhere it would only fill a log. */
function showProgress(io: Io, text: string): void {
  if (io.stderr.isTTY) io.stderr.write(`\r\u001b[K${text}`);
}

function describe({ durationS, sampleRate, channels, quality }: GenerationResult): string {
  const shape = channels === 1 ? "mono" : "stereo";
  return `${durationS.toFixed(2)} s, ${sampleRate} Hz, ${shape}. ${quality.ratingReason}`;
}

function report(path: string, result: GenerationResult, bitDepth: BitDepth) {
  const { audio: _, ...facts } = result;
  return { path, ...facts, bitDepth };
}
