import { join } from "node:path";
import { type Command, Option } from "commander";
import type { GenerationResult } from "../audio/generation.js";
import { LIMITS } from "../audio/limits.js";
import {
  type GenerateOptions,
  resolveGenerateOptions,
  SAMPLE_RATES,
  SPATIAL_MODES,
} from "../audio/options.js";
import { BIT_DEPTHS, type BitDepth } from "../audio/wav-format.js";
import { badArgument, seedOrRandom } from "../base/check.js";
import { fileStem } from "../base/file-stem.js";
import { makeFolder } from "../base/make-folder.js";
import type { Device } from "../model/load.js";
import type { LoadedModel } from "../model/loaded-model.js";
import { type Io, writeJson } from "./io.js";
import {
  addCommonOptions,
  addModelsDirOption,
  numberChoice,
  parseCount,
  parseInteger,
  parseNumber,
  parseSlider,
  type SliderSetting,
} from "./options.js";
import { withProgress } from "./progress.js";
import { resolveModel } from "./refs.js";
import { printable } from "./text.js";

const EXAMPLES = `
Examples:
  sda generate kitchen.sda                            one second of sound
  sda generate "Kitchen Drums" -d 4 --plot            a model of the library, with a picture of the sound
  sda generate kitchen.sda -d 2.5 -s 42               the same 2.5 seconds every time
  sda generate kitchen.sda --slider 0:5 --slider 3:-4 slider 0 up, slider 3 down
  sda generate kitchen.sda -n 10 -o sounds            ten sounds, seeds one apart
  sda generate kitchen.sda --spatial-mode stereo --width 0.8 --json

Files are named after the model and the seed, as in kitchen_42.wav, with a kitchen_42.json beside it that tells how the sound
was made; files of these names are replaced.`;

interface Settings {
  modelsDir: string;
  plot?: boolean;
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
    .argument("<ref>", "id, name, part of a name, or path of an .sda file")
    .option(
      "-d, --duration <seconds>",
      `length, up to ${LIMITS.durationS.max} (default: 1)`,
      parseNumber,
    )
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
    .option("--width <number>", `of stereo, ${range(LIMITS.width)}`, parseNumber)
    .option("--depth <number>", `of the reflection in stereo, ${range(LIMITS.depth)}`, parseNumber)
    .option("--device <name>", "auto, cpu, cuda, cuda:N or mps", "auto")
    .option("--plot", "write a picture of the waveform and the mel spectrogram, too (SVG)")
    .addHelpText("after", EXAMPLES)
    .action((ref: string, settings: Settings) => generate(ref, settings, io));
  addModelsDirOption(command);
  addCommonOptions(command);
}

function range({ min, max }: { min: number; max: number }): string {
  return `${min} to ${max}`;
}

async function generate(ref: string, settings: Settings, io: Io): Promise<void> {
  const { path: file, entry } = await resolveModel(ref, settings.modelsDir);
  const { loadModel } = await import("../model/load.js");
  const device = settings.device as Device; // loadModel checks it
  await using loaded = await loadModel(file, { device, signal: io.signal });
  const firstSeed = seedOrRandom(settings.seed, LIMITS);
  const options = generateOptions(settings, loaded);
  checkOptions(options, firstSeed + settings.count - 1);
  await makeFolder(settings.outputDir);

  const files = [];
  for (let i = 0; i < settings.count; i++) {
    const label = settings.count === 1 ? "" : `${i + 1}/${settings.count} `;
    const result = await withProgress(io, `${label}making sound`, (onProgress) =>
      loaded.generate({ ...options, seed: firstSeed + i, signal: io.signal, onProgress }),
    );
    const written = await write(result, loaded, options, settings, io);
    const also = "plot" in written ? ` (and ${written.plot})` : "";
    io.stderr.write(`${label}${printable(`${written.path}${also}`)}: ${describe(result)}\n`);
    files.push(written);
  }
  if (settings.json) {
    const { modelId, name } = entry ?? loaded.metadata;
    writeJson(io, { model: { modelId, name, path: file }, device: loaded.device, files });
  }
}

/** The sound and what lies beside it, each whole or not at all. */
async function write(
  result: GenerationResult,
  loaded: LoadedModel,
  options: GenerateOptions,
  { outputDir, bitDepth, plot }: Settings,
  { signal }: Io,
) {
  const { writeWav } = await import("../audio/wav.js");
  const { writeSidecar } = await import("../model/sidecar.js");
  const stem = join(outputDir, `${fileStem(loaded.metadata.name)}_${result.seed}`);
  const path = `${stem}.wav`;
  await writeWav(path, result, { bitDepth, signal });
  const sidecar = await writeSidecar(path, result, loaded, { options, bitDepth });
  const { audio: _, ...facts } = result;
  const report = { path, ...facts, bitDepth, sidecar };
  if (!plot) return report;
  const { writePlot } = await import("./plot.js");
  await writePlot(`${stem}.svg`, result, loaded);
  return { ...report, plot: `${stem}.svg` };
}

/** Before anything is made; sliders are checked already. */
function checkOptions({ sliders: _, ...options }: GenerateOptions, lastSeed: number): void {
  resolveGenerateOptions({ ...options, seed: lastSeed }, { latentDim: 0, analysis: null });
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

function describe({ durationS, sampleRate, channels, quality }: GenerationResult): string {
  const shape = channels === 1 ? "mono" : "stereo";
  return `${durationS.toFixed(2)} s, ${sampleRate} Hz, ${shape}. ${quality.ratingReason}`;
}
