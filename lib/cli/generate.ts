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
import { soundStem } from "../base/file-stem.js";
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
import { writeSoundFile } from "./sound-file.js";
import { printable } from "./text.js";

const EXAMPLES = `
Examples:
  sda generate kitchen.sda                            one second of sound
  sda generate "Kitchen Drums" -d 4 --plot            a model of the library, and a picture
  sda generate kitchen.sda -d 2.5 -s 42               the same 2.5 seconds every time
  sda generate kitchen.sda --slider 0:5 --slider 3:-4 slider 0 up, slider 3 down
  sda generate kitchen.sda -n 10 -o sounds            ten sounds, with ten different seeds
  sda generate kitchen.sda --spatial-mode stereo --width 0.8 --json

Each file is named after the model and the seed, for example kitchen_42.wav. Beside it,
kitchen_42.json lists the settings of the sound. Files of the same model and seed are replaced; if
another sound has the name, the new one becomes kitchen_42_2.wav.`;

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
      `length of the sound, up to ${LIMITS.durationS.max} (default: 1); ` +
        "overlaps shorten it: 9.47 for 10, 56.57 for 60",
      parseNumber,
    )
    .option(
      "-s, --seed <number>",
      "the same seed gives the same sound (default: random)",
      parseInteger,
    )
    .option("-n, --count <number>", "number of sounds; the seed goes up by 1", parseCount, 1)
    .option(
      "--slider <index:position>",
      "move a slider (0 is the first) to a position; repeatable; the others stay at 0",
      parseSlider,
    )
    .option("-o, --output-dir <folder>", "folder for the files; created if it is missing", ".")
    .addOption(numberChoice("--sample-rate <hz>", "sample rate of the files", SAMPLE_RATES, 48000))
    .addOption(
      numberChoice("--bit-depth <bits>", "bit depth of the files; 32 is float", BIT_DEPTHS, 24),
    )
    .addOption(
      new Option("--spatial-mode <mode>", "mono, or stereo from one sound or from two sounds")
        .choices(SPATIAL_MODES)
        .default("mono"),
    )
    .option(
      "--width <number>",
      `width of the mode "stereo", ${range(LIMITS.width)} (default: 0.5)`,
      parseNumber,
    )
    .option(
      "--depth <number>",
      `level and delay of a reflection in the mode "stereo", ${range(LIMITS.depth)} (default: 0.3)`,
      parseNumber,
    )
    .option("--device <name>", "auto, cpu, cuda, cuda:N or mps", "auto")
    .option("--plot", "also write a picture (SVG) of the waveform and the mel spectrogram")
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
    const how = written.replaced ? " (replaced)" : "";
    const names = printable(`${written.path}${also}`);
    io.stderr.write(`${label}${names}${how}: ${describe(result)}\n`);
    files.push(written);
  }
  if (settings.json) {
    const { modelId, name } = entry ?? loaded.metadata;
    writeJson(io, { model: { modelId, name, path: file }, device: loaded.device, files });
  }
}

/** Writes the sound, its sidecar and its picture. Each file appears complete or not at all. */
async function write(
  result: GenerationResult,
  loaded: LoadedModel,
  options: GenerateOptions,
  { outputDir, bitDepth, plot }: Settings,
  { signal }: Io,
) {
  const { writeSidecar } = await import("../model/sidecar.js");
  const wanted = join(outputDir, `${soundStem(loaded.metadata.name)}_${result.seed}`);
  const { stem, replaced } = await writeSoundFile(wanted, result, loaded, { bitDepth, signal });
  const path = `${stem}.wav`;
  const sidecar = await writeSidecar(path, result, loaded, { options, bitDepth });
  const { audio: _, ...facts } = result;
  const report = { path, ...facts, bitDepth, sidecar, ...(replaced && { replaced }) };
  if (!plot) return report;
  const { writePlot } = await import("./plot.js");
  await writePlot(`${stem}.svg`, result, loaded);
  return { ...report, plot: `${stem}.svg` };
}

/** Checks the options before any sound is made. `sliderPositions` has checked the sliders. */
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
