import { join } from "node:path";
import { type Command, InvalidArgumentError, Option } from "commander";
import {
  checkEncoder,
  checkSound,
  type EncoderSettings,
  KBPS,
  SOUND_FORMATS,
  type SoundFormat,
} from "../audio/files/settings.js";
import { checkTags, type SoundTags, tagText } from "../audio/files/tags.js";
import type { GenerationResult } from "../audio/generation.js";
import { LIMITS } from "../audio/limits.js";
import {
  type GenerateOptions,
  resolveGenerateOptions,
  SAMPLE_RATES,
  SPATIAL_MODES,
} from "../audio/options.js";
import { type BitDepth, DEFAULT_BIT_DEPTH } from "../audio/wav-format.js";
import { seedOrRandom } from "../base/check.js";
import { SdaError } from "../base/errors.js";
import { soundStem } from "../base/file-stem.js";
import { makeFolder } from "../base/make-folder.js";
import { GENERATIONS } from "../format/generations.js";
import type { Preset } from "../library/presets/preset.js";
import type { BlendPart } from "../model/blend.js";
import type { Device } from "../model/load.js";
import type { LoadedModel } from "../model/loaded-model.js";
import { optionsModel } from "../model/options-model.js";
import { addCommonOptions } from "./common-options.js";
import { type Io, writeJson } from "./io.js";
import {
  addModelsDirOption,
  type BlendSetting,
  type FolderSettings,
  numberChoice,
  parseBitDepth,
  parseBlend,
  parseCount,
  parseInteger,
  parseNumber,
  parseSlider,
  type SliderSetting,
} from "./options.js";
import { withProgress } from "./progress.js";
import { resolveModel } from "./refs.js";
import { sliderPositions } from "./slider-positions.js";
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
  sda generate kitchen.sda --preset Cellar --history  a preset's sound, also kept in the history
  sda generate kitchen.sda --format flac              lossless; also mp3 and ogg
  sda generate rain --blend wires:40 --blend-mode audio  two models together

Each file carries a recipe in its tags: sda reproduce makes the same sound again.

Each file is named after the model and the seed, for example kitchen_42.wav. Beside it,
kitchen_42.json lists the settings of the sound. Files of the same model and seed are replaced; if
another sound has the name, the new one becomes kitchen_42_2.wav.`;

interface Settings extends FolderSettings {
  plot?: boolean;
  preset?: string;
  history?: boolean;
  duration?: number;
  seed?: number;
  count: number;
  slider?: SliderSetting[];
  outputDir: string;
  sampleRate?: (typeof SAMPLE_RATES)[number];
  format: SoundFormat;
  bitDepth?: BitDepth;
  kbps?: number;
  quality?: number;
  title?: string;
  artist?: string;
  album?: string;
  spatialMode: (typeof SPATIAL_MODES)[number];
  width?: number;
  depth?: number;
  spatialWidth?: number;
  spatialDepth?: number;
  evolution?: number;
  vocoder?: string;
  temperature?: number;
  topK?: number;
  topP?: number;
  blend?: BlendSetting[];
  weight?: number;
  blendMode?: "latent" | "audio";
  device: string;
  json?: boolean;
}

export function addGenerateCommand(program: Command, io: Io): void {
  const command = program
    .command("generate")
    .summary("make sounds with a model")
    .description("Make sounds with a model and write them as sound files.")
    .argument("<ref>", "id, name, part of a name, or path of a model file")
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
    .addOption(
      new Option(
        "--preset <preset>",
        "slider positions and seed of a preset: its id, name or part of its name",
      ).conflicts("slider"),
    )
    .option("--history", "also keep the sounds in the history: sda history shows them")
    .option("-o, --output-dir <folder>", "folder for the files; created if it is missing", ".")
    .addOption(
      numberChoice(
        "--sample-rate <hz>",
        "sample rate of the files (default: 48000, of .distillgan models 44100)",
        SAMPLE_RATES,
      ),
    )
    .addOption(
      new Option("--format <format>", "format of the files; ogg is Vorbis")
        .choices(SOUND_FORMATS)
        .default("wav"),
    )
    .option(
      "--bit-depth <bits>",
      "bit depth of WAV and FLAC files: 16, 24 or 32; also 16-bit, 24-bit and 32-bit float " +
        "(default: 24; FLAC has no 32)",
      parseBitDepth,
    )
    .option(
      "--kbps <number>",
      `bit rate of MP3 files: ${KBPS.join(", ")} (default: 192)`,
      parseInteger,
    )
    .option("--quality <number>", "quality of Ogg files, -1 to 10 (default: 6)", parseNumber)
    .option("--title <text>", "title in the files' tags (default: the model's name and the seed)")
    .option("--artist <text>", 'artist in the files\' tags (default: "Small DataSet Audio")')
    .option("--album <text>", "album in the files' tags (default: the model's name)")
    .addOption(
      new Option("--spatial-mode <mode>", "mono, or stereo from one sound or from two sounds")
        .choices(SPATIAL_MODES)
        .default("mono")
        .argParser(parseSpatialMode),
    )
    .option(
      "--width <number>",
      `width of the mode "stereo", ${range(LIMITS.width)} (default: 0.5, since the second ` +
        "Distill 0.7)",
      parseNumber,
    )
    .addOption(
      new Option("--spatial-width <number>", "the same").argParser(parseNumber).conflicts("width"),
    )
    .option(
      "--depth <number>",
      `level and delay of a reflection in the mode "stereo", ${range(LIMITS.depth)} ` +
        "(default: 0.3, since the second Distill 0.5)",
      parseNumber,
    )
    .addOption(
      new Option("--spatial-depth <number>", "the same").argParser(parseNumber).conflicts("depth"),
    )
    .option(
      "--evolution <number>",
      `how far the sound moves away from its sliders, ${range(LIMITS.evolution)} (default: 0.5); ` +
        "only models since the second Distill",
      parseNumber,
    )
    .option(
      "--vocoder <name>",
      "auto, model or griffin_lim, or a model whose vocoder plays (default: auto)",
    )
    .option(
      "--temperature <number>",
      "of drawing codes (default: 1); only models of codes",
      parseNumber,
    )
    .option(
      "--top-k <number>",
      "draw from that many likeliest codes (default: 0, all)",
      parseInteger,
    )
    .option(
      "--top-p <number>",
      "draw from codes with chances up to this (default: 0.9)",
      parseNumber,
    )
    .option(
      "--blend <name:weight>",
      "blend another model in, by this weight; repeatable, up to three",
      parseBlend,
    )
    .option("--weight <number>", "weight of the first model in a blend (default: 25)", parseNumber)
    .addOption(
      new Option("--blend-mode <mode>", "blend latents or sounds (default: latent)").choices([
        "latent",
        "audio",
      ]),
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
  const encoder = checkEncoder(settings.format, encoderOptions(settings));
  if (settings.sampleRate) checkSound(encoder, { sampleRate: settings.sampleRate, channels: 1 });
  const tags = checkTags(tagsOf(settings));
  const { path: file, entry } = await resolveModel(ref, settings.modelsDir);
  const { loadModel } = await import("../model/load.js");
  const device = settings.device as Device; // loadModel checks it
  await using loaded = await loadModel(file, { device, signal: io.signal });
  const preset = await presetOf(ref, settings);
  const firstSeed = seedOrRandom(settings.seed ?? preset?.seed ?? undefined, LIMITS);
  const parts = await loadParts(settings, io, device);
  await using _others = { [Symbol.asyncDispose]: async () => parts.dispose() };
  const options = { ...generateOptions(settings, loaded, preset), ...parts.options };
  checkOptions(options, firstSeed + settings.count - 1, loaded, encoder);
  const make = await maker(loaded, parts.blended, settings);
  await makeFolder(settings.outputDir);
  const history = settings.history
    ? await (await import("./history-refs.js")).openHistory(settings)
    : undefined;

  const files = [];
  for (let i = 0; i < settings.count; i++) {
    const label = settings.count === 1 ? "" : `${i + 1}/${settings.count} `;
    const result = await withProgress(io, `${label}making sound`, (onProgress) =>
      make({ ...options, seed: firstSeed + i, signal: io.signal, onProgress }),
    );
    const file = { encoder, tags: { ...tags, ...(preset && { preset: tagText(preset.name) }) } };
    const written = await write(result, loaded, options, file, settings, io);
    const also = "plot" in written ? ` (and ${written.plot})` : "";
    const how = written.replaced ? " (replaced)" : "";
    const names = printable(`${written.path}${also}`);
    io.stderr.write(`${label}${names}${how}: ${describe(result)}\n`);
    const kept = await history?.add(result, {
      model: loaded,
      options,
      bitDepth: settings.bitDepth ?? DEFAULT_BIT_DEPTH,
      ...(preset && { presetName: preset.name }),
      signal: io.signal,
    });
    files.push({ ...written, ...(kept && { historyEntry: kept.entryId }) });
  }
  if (settings.json) {
    const { modelId, name } = entry ?? loaded.metadata;
    writeJson(io, { model: { modelId, name, path: file }, device: loaded.device, files });
  }
}

function encoderOptions({ bitDepth, kbps, quality }: Settings) {
  return {
    ...(bitDepth !== undefined && { bitDepth }),
    ...(kbps !== undefined && { kbps }),
    ...(quality !== undefined && { quality }),
  };
}

function tagsOf({ title, artist, album }: Settings): SoundTags {
  return {
    ...(title !== undefined && { title }),
    ...(artist !== undefined && { artist }),
    ...(album !== undefined && { album }),
  };
}

/** Writes the sound, its sidecar and its picture. Each file appears complete or not at all. */
async function write(
  result: GenerationResult,
  loaded: LoadedModel,
  options: GenerateOptions,
  { encoder, tags }: { encoder: EncoderSettings; tags: SoundTags },
  { outputDir, plot }: Settings,
  { signal }: Io,
) {
  const { writeSidecar } = await import("../model/sidecar.js");
  const wanted = join(outputDir, `${soundStem(loaded.metadata.name)}_${result.seed}`);
  const file = { ...encoder, tags, signal };
  const { stem, replaced } = await writeSoundFile(wanted, result, loaded, file);
  const path = `${stem}.${encoder.format}`;
  const bitDepth = "bitDepth" in encoder ? encoder.bitDepth : DEFAULT_BIT_DEPTH;
  const sidecar = await writeSidecar(path, result, loaded, { options, bitDepth });
  const { audio: _, ...facts } = result;
  const report = { path, ...facts, ...encoder, sidecar, ...(replaced && { replaced }) };
  if (!plot) return report;
  const { writePlot } = await import("./plot.js");
  await writePlot(`${stem}.svg`, result, loaded);
  return { ...report, plot: `${stem}.svg` };
}

/** Checks the options before any sound is made. `sliderPositions` has checked the sliders. */
function checkOptions(
  { sliders: _, ...options }: GenerateOptions,
  lastSeed: number,
  { generation, vae }: LoadedModel,
  encoder: EncoderSettings,
): void {
  const facts = optionsModel(GENERATIONS[generation], { latentDim: vae.latentDim, analysis: null });
  const { sampleRate } = resolveGenerateOptions({ ...options, seed: lastSeed }, facts);
  checkSound(encoder, { sampleRate, channels: 1 });
}

/** The other models that the sound needs. */
async function loadParts({ vocoder, blend, modelsDir }: Settings, io: Io, device: Device) {
  const opened: LoadedModel[] = [];
  const open = async (ref: string) => {
    const { loadModel } = await import("../model/load.js");
    const { path } = await resolveModel(ref, modelsDir);
    const model = await loadModel(path, { device, signal: io.signal });
    opened.push(model);
    return model;
  };
  const dispose = () => {
    for (const model of opened) model.dispose();
  };
  try {
    const isName = vocoder === undefined || VOCODERS.includes(vocoder);
    const options: Pick<GenerateOptions, "vocoder"> = {
      ...(vocoder !== undefined && {
        vocoder: isName ? (vocoder as "auto") : await open(vocoder),
      }),
    };
    const blended: BlendPart[] = [];
    for (const { ref, weight } of blend ?? []) blended.push({ model: await open(ref), weight });
    return { options, blended, dispose };
  } catch (error) {
    dispose();
    throw error;
  }
}

/** Words that name no model. The package's options refuse the last one with the reason. */
const VOCODERS = ["auto", "model", "griffin_lim", "bigvgan"];

async function maker(
  loaded: LoadedModel,
  others: BlendPart[],
  { weight, blendMode: domain }: Settings,
): Promise<(options: GenerateOptions) => Promise<GenerationResult>> {
  if (others.length === 0) {
    if (weight !== undefined || domain !== undefined) throw lonely();
    return (options) => loaded.generate(options);
  }
  const { blend } = await import("../model/blend.js");
  const first = { model: loaded, ...(weight !== undefined && { weight }) };
  return (options) => blend([first, ...others], { ...options, ...(domain && { domain }) });
}

function lonely(): SdaError {
  const problem = "--weight and --blend-mode are for blends: give another model with --blend";
  return new SdaError("ERR_SDA_ARGUMENT", problem, { option: "blend" });
}

function parseSpatialMode(text: string): (typeof SPATIAL_MODES)[number] {
  const mode = SPATIAL_MODES.find((known) => known === text);
  if (mode) return mode;
  if (text !== "binaural") {
    throw new InvalidArgumentError(`Allowed choices are ${SPATIAL_MODES.join(", ")}.`);
  }
  throw new InvalidArgumentError(
    "binaural needs measurements of a head (SOFA files, which are HDF5), which this program does " +
      `not read yet. Allowed choices are ${SPATIAL_MODES.join(", ")}.`,
  );
}

async function presetOf(ref: string, settings: Settings): Promise<Preset | undefined> {
  if (settings.preset === undefined) return undefined;
  const { findPreset, openPresets } = await import("./preset-refs.js");
  return findPreset(settings.preset, await openPresets(ref, settings));
}

function generateOptions(
  settings: Settings,
  loaded: LoadedModel,
  preset: Preset | undefined,
): GenerateOptions {
  const { duration, slider, sampleRate, spatialMode: mode } = settings;
  const { spatialWidth, spatialDepth, width = spatialWidth, depth = spatialDepth } = settings;
  const { evolution, temperature, topK, topP } = settings;
  const isSpatial = mode !== "mono" || width !== undefined || depth !== undefined;
  return {
    ...(sampleRate !== undefined && { sampleRate }),
    ...(isSpatial && {
      spatial: {
        mode,
        ...(width !== undefined && { width }),
        ...(depth !== undefined && { depth }),
      },
    }),
    ...(evolution !== undefined && { evolution }),
    ...(temperature !== undefined && { temperature }),
    ...(topK !== undefined && { topK }),
    ...(topP !== undefined && { topP }),
    ...(duration !== undefined && { durationS: duration }),
    ...(preset && { sliders: preset.sliderPositions }),
    ...(slider && { sliders: sliderPositions(slider, loaded.sliders()) }),
  };
}

function describe({ durationS, sampleRate, channels, quality }: GenerationResult): string {
  const shape = channels === 1 ? "mono" : "stereo";
  return `${durationS.toFixed(2)} s, ${sampleRate} Hz, ${shape}. ${quality.ratingReason}`;
}
