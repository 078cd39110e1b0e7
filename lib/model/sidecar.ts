import { join, parse } from "node:path";
import type { GenerationResult } from "../audio/generation.js";
import { LIMITS } from "../audio/limits.js";
import { type GenerateOptions, resolveGenerateOptions, SAMPLE_RATES } from "../audio/options.js";
import type { QualityReport } from "../audio/quality.js";
import { type BitDepth, DEFAULT_BIT_DEPTH } from "../audio/wav-format.js";
import { checkOptions, toFilePath } from "../base/check.js";
import { SdaError } from "../base/errors.js";
import { writeOutput } from "../base/output-file.js";
import { outputTarget } from "../base/output-target.js";
import {
  PythonJsonError,
  type PyValue,
  parsePythonJson,
  writePythonJson,
} from "../base/python-json.js";
import { readRecord, writeRecord } from "../base/python-record.js";
import { readText } from "../base/read-file.js";
import { isMap } from "../base/realm.js";
import { pythonIsoDate } from "../format/file-content.js";
import { GENERATIONS } from "../format/generations.js";
import { slidersToLatent } from "../latent/sliders.js";
import type { LoadedModel } from "./loaded-model.js";
import { optionsModel } from "./options-model.js";
import {
  fromCodesForm,
  fromFirstForm,
  type Generation,
  SIDECAR,
  type SidecarAudio,
  type SidecarContent,
  toCodesForm,
} from "./sidecar-fields.js";

export type { SidecarAudio };

/** Facts that a sidecar states and that the `GenerationResult` does not hold. */
export interface SidecarOptions {
  /** The options that `generate` was called with; the seed comes from the result */
  options?: GenerateOptions;
  /** Bit depth of the WAV file; default 24 */
  bitDepth?: BitDepth;
}

/** The model of a sound: a `LoadedModel`, or these parts of one. */
export type SidecarModel = Pick<LoadedModel, "metadata"> &
  Partial<Pick<LoadedModel, "analysis" | "generation">>;

/** What a sidecar says, as `readSidecar` returns it. */
export interface Sidecar {
  /** null: the Python program does not write it */
  modelId: string | null;
  modelName: string;
  seed: number;
  /** ISO 8601 in UTC; "" when unknown */
  timestamp: string;
  /** Makes the sound again, with the same model. Sliders come before the latent they stand for. */
  options: GenerateOptions;
  /** The first latent vector; null: random */
  latent: Float32Array | null;
  /** A setting of later versions of the Python program; null: the version has none */
  evolution: number | null;
  /** The stereo of old versions of the Python program, which `generate` can't make; else "mono" */
  stereoMode: string;
  /** The strength of that stereo */
  stereoWidth: number;
  audio: SidecarAudio;
  /** null: the Python program measures none for a model of codes */
  quality: QualityReport | null;
}

const VERSION = 1;
/** Bytes of a sidecar. */
const MOST_BYTES = 16 * 2 ** 20;
/** Settings of the Python program that this package does not have: its defaults. */
const CHUNK_DURATION_S = 1;
const STEREO_WIDTH = 0.7;

/**
 * Writes a JSON file beside a sound file that tells how to make the sound again: model, seed, every
 * setting with its default filled in, and the quality report. It has the form of the Python
 * program's files; what that form lacks is in the object `sda` at its end. The JSON file has the
 * sound file's name with `.json` in place of the suffix.
 *
 * As Python does, it writes infinities as `Infinity`, which `JSON.parse` refuses and `readSidecar`
 * reads.
 *
 * @param path of the sound file, which need not exist
 * @param result as `LoadedModel.generate` returned it
 * @returns the path of the JSON file
 * @throws SdaError ERR_SDA_ARGUMENT, ERR_SDA_NOT_FOUND (no such folder), ERR_SDA_IO
 * @example
 * ```js
 * const model = await loadModel("data/models/pads.sda");
 * const options = { durationS: 2, seed: 42 };
 * const sound = await model.generate(options);
 * await writeWav("pads.wav", sound);
 * await writeSidecar("pads.wav", sound, model, { options }); // pads.json
 * model.dispose();
 * ```
 */
export async function writeSidecar(
  path: string | URL,
  result: GenerationResult,
  model: SidecarModel,
  sidecar: SidecarOptions = {},
): Promise<string> {
  checkOptions("options", sidecar, ["options", "bitDepth"]);
  const { options = {}, bitDepth = DEFAULT_BIT_DEPTH } = sidecar;
  const soundFile = toFilePath(path);
  const { dir, name, base } = parse(soundFile);
  const file = join(dir, `${name}.json`);
  if (outputTarget(soundFile).kind === "stream") {
    const problem = `${soundFile} is a device or a pipe: there is no place beside it for a file`;
    throw new SdaError("ERR_SDA_ARGUMENT", problem, { option: "path", path: soundFile });
  }
  const form = writeRecord(SIDECAR, content(base, result, model, options, bitDepth));
  const isOfCodes = GENERATIONS[model.generation ?? "sda"].program.synthesis === "codes";
  const text = writePythonJson(isOfCodes ? toCodesForm(form) : form);
  await writeOutput(file, (append) => append(text));
  return file;
}

function content(
  file: string,
  { seed, sampleRate, channels, durationS, quality }: GenerationResult,
  { metadata, analysis = null, generation: program = "sda" }: SidecarModel,
  options: GenerateOptions,
  bitDepth: BitDepth,
): SidecarContent {
  const { sliders, latent, ...others } = options;
  const facts = optionsModel(GENERATIONS[program], { latentDim: latent?.length ?? 0, analysis });
  const used = resolveGenerateOptions({ ...others, seed }, facts);
  const isOfCodes = facts.synthesis === "codes";
  const { spatialMode: mode, width, depth } = used;
  const first = latent ?? (sliders && analysis ? slidersToLatent(analysis, sliders) : undefined);
  const generation: Omit<Generation, "evolution"> & { evolution?: number } = {
    durationS: used.durationS,
    maxDurationS: LIMITS.durationS.max,
    seed,
    chunkDurationS: CHUNK_DURATION_S,
    concatMode: used.concatMode,
    stereoMode: "mono",
    stereoWidth: STEREO_WIDTH,
    spatial: mode === "mono" ? null : { mode, width, depth },
    exportFormat: "wav",
    sampleRate: used.sampleRate,
    bitDepth,
    stepsBetween: used.stepsBetween,
    overlapSamples: used.overlapSamples,
    ...(facts.synthesis === "overlap-add" && { evolution: used.evolution }),
    latentVector: first ? Array.from(first) : null,
  };
  return {
    version: VERSION,
    timestamp: pythonIsoDate(new Date()),
    modelName: metadata.name,
    seed,
    generation: generation as Generation,
    quality,
    audio: { file, format: "WAV", sampleRate, bitDepth, channels, durationS },
    sda: {
      modelId: metadata.modelId,
      joint: used.joint,
      loudness: used.loudness,
      sliders: sliders ?? null,
      vocoder: typeof used.vocoder === "string" ? used.vocoder : "other",
      temperature: isOfCodes ? used.temperature : null,
      topK: isOfCodes ? used.topK : null,
      topP: isOfCodes ? used.topP : null,
    },
  };
}

/**
 * Reads the JSON file beside a sound, as `writeSidecar`, the Python program, and version 0.1 of
 * this package write it.
 *
 * @param path of the JSON file
 * @throws SdaError ERR_SDA_NOT_FOUND; ERR_SDA_FORMAT: the file is no sidecar; ERR_SDA_SCHEMA: a
 *   field is missing or wrong (`details.field`); ERR_SDA_VERSION: the file is newer than supported;
 *   ERR_SDA_LIMIT: the file has more than 16 MiB; ERR_SDA_IO
 * @example
 * ```js
 * const model = await loadModel("data/models/pads.sda");
 * const sound = await model.generate({ durationS: 2, seed: 42 });
 * await writeSidecar("pads.wav", sound, model, { options: { durationS: 2 } });
 * const { options } = await readSidecar("pads.json");
 * const again = await model.generate(options);
 * console.log(again.seed, again.durationS); // 42 1.934
 * model.dispose();
 * ```
 */
export async function readSidecar(path: string | URL): Promise<Sidecar> {
  const file = toFilePath(path);
  const { generation, sda, audio, quality, modelName, seed, timestamp } = contentOf(
    parseJson(await readText(file, MOST_BYTES), file),
    file,
  );
  const { durationS, concatMode, stepsBetween, overlapSamples, spatial, sampleRate } = generation;
  const known = SAMPLE_RATES.find((rate) => rate === sampleRate);
  const { temperature, topK, topP } = sda;
  const isOfCodes = temperature !== null; // their sound keeps the model's rate
  if (known === undefined && !isOfCodes) {
    throw schemaError(file, `sample_rate is ${sampleRate}, not one of ${SAMPLE_RATES.join(", ")}`);
  }
  const latent = generation.latentVector && Float32Array.from(generation.latentVector);
  return {
    modelId: sda.modelId,
    modelName,
    seed,
    timestamp,
    options: {
      durationS,
      seed,
      ...(isOfCodes
        ? {
            temperature,
            ...(topK !== null && { topK }),
            ...(topP !== null && { topP }),
          }
        : {
            concatMode,
            ...(sda.sliders ? { sliders: sda.sliders } : latent && { latent }),
            stepsBetween,
            ...(known && { sampleRate: known }),
          }),
      overlapSamples,
      ...(generation.evolution !== null && { evolution: generation.evolution }),
      ...(sda.vocoder !== "auto" &&
        sda.vocoder !== "other" && { vocoder: sda.vocoder as "model" | "griffin_lim" }),
      joint: sda.joint,
      loudness: sda.loudness,
      ...(spatial && { spatial }),
    },
    latent,
    evolution: generation.evolution,
    stereoMode: generation.stereoMode,
    stereoWidth: generation.stereoWidth,
    audio,
    quality,
  };
}

function parseJson(text: string, path: string): PyValue {
  try {
    return parsePythonJson(text);
  } catch (error) {
    if (!(error instanceof PythonJsonError)) throw error;
    const problem = `${path} is no JSON file: ${error.message}`;
    throw new SdaError("ERR_SDA_FORMAT", problem, { path, offset: error.offset });
  }
}

function contentOf(value: PyValue, path: string): SidecarContent {
  const form =
    isMap(value) && (value.has("generation") ? fromCodesForm(value) : fromFirstForm(value));
  if (!form) {
    throw new SdaError("ERR_SDA_FORMAT", `${path} is not the sidecar of a sound`, { path });
  }
  const version = SIDECAR.version.kind.read(form.get("version") ?? BigInt(VERSION));
  if (version !== undefined && version > VERSION) {
    const problem = `${path} has version ${version}, newer than supported (${VERSION})`;
    throw new SdaError("ERR_SDA_VERSION", problem, { path, version, supported: VERSION });
  }
  const found = readRecord(SIDECAR, form);
  if (typeof found === "string") {
    // fromCodesForm() has moved these settings: the error names their place in the file.
    const isMoved = form !== value && /^sda\.(?:temperature|top_)/.test(found);
    throw schemaError(path, isMoved ? found.replace("sda", "generation") : found);
  }
  return found;
}

/** @param problem begins with the field's name */
function schemaError(path: string, problem: string): SdaError {
  const [field] = problem.split(" ", 1);
  return new SdaError("ERR_SDA_SCHEMA", `${path}: ${problem}`, { path, field });
}
