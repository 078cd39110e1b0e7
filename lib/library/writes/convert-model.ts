/** Carries models between the versions of the Python program, where that is honest. */
import { randomUUID } from "node:crypto";
import { join } from "node:path";
import { badArgument, checkBoolean, checkOneOf, toFilePath } from "../../base/check.js";
import { SdaError } from "../../base/errors.js";
import { isMap } from "../../base/realm.js";
import { warn } from "../../base/warnings.js";
import { fileContent } from "../../format/file-content.js";
import { GENERATIONS, type Generation, type GenerationName } from "../../format/generations.js";
import { type ModelContent, parseModel } from "../../format/schema.js";
import { checkFileTensors } from "../../format/state-dict.js";
import { callNative } from "../../native/call.js";
import { checkpointAddon } from "../../native/load.js";
import { readValues } from "../../native/read-values.js";
import { Carried, encode } from "../../torch/encode.js";
import { PyObject } from "../../values/values.js";
import { checkLockOptions, type FolderOptions, LOCK_OPTIONS } from "../index/lock.js";
import { type OpenFile, useFile } from "./open-file.js";
import { newOrOpenIndex, splitLock } from "./open-index.js";
import { publish } from "./publish.js";

/** Options of `convertModel`. */
export interface ConvertModelOptions extends FolderOptions {
  /** The kind of the new file, by its suffix */
  to: "sda" | "distill" | "distillgan";
  /** The library of the new file: its folder, created if it is missing */
  modelsDir: string | URL;
  /** A `.distillgan` file whose vocoder the new file gets; only to "distillgan" */
  vocoderFrom?: string | URL;
  /** false: the new file has no vocoder; default true */
  vocoder?: boolean;
}

const OPTIONS = ["to", "modelsDir", "vocoderFrom", "vocoder", ...LOCK_OPTIONS];
const TARGETS = ["sda", "distill", "distillgan"] as const;

/** The generation of the new file, by that of the old one. Missing pairs would sound wrong. */
const ROUTES: Readonly<
  Partial<Record<GenerationName, Partial<Record<ConvertModelOptions["to"], GenerationName>>>>
> = {
  sda: { distill: "distill-1" },
  "distill-1": { sda: "sda" },
  "distill-2": { distillgan: "distillgan" },
  distillgan: { distill: "distill-2", distillgan: "distillgan" },
};

/**
 * Writes a model for another version of the Python program and adds it to a library. The weights,
 * settings and analysis stay as they are; the kernel copies the weights where it can.
 *
 * - `.distill` of the second Distill ↔ `.distillgan`: the same network. A vocoder can be added from
 *   another file, or left out; a `.distill` file has none
 * - `.sda` ↔ `.distill` of the first Distill: the same network. The later Distill opens such a
 *   `.distill` file without complaint and decodes it with another activation, so it sounds wrong
 *   there: a process warning (SDA_SOUNDS_DIFFERENT) says so
 *
 * Everything else is refused, with the reason. The new model keeps its id where the library has no
 * other model with it.
 *
 * @param path of the model file, which stays as it is
 * @returns the new file's path
 * @throws SdaError ERR_SDA_ARGUMENT (`details.option`: a kind that would sound wrong, or a vocoder
 *   for other mels); otherwise as `importModel`
 * @example
 * ```js
 * const path = await convertModel("rain.distill", { to: "distillgan", modelsDir: "data/models" });
 * console.log(path); // data/models/rain.distillgan
 * ```
 */
export async function convertModel(
  path: string | URL,
  options: ConvertModelOptions,
): Promise<string> {
  const [lockKind, others] = splitLock(options, OPTIONS);
  const { to, modelsDir, vocoderFrom, vocoder = true, ...lock } = others;
  checkBoolean("vocoder", vocoder);
  checkOneOf("to", to, TARGETS);
  checkLockOptions(lock);
  if (vocoderFrom !== undefined && (to !== "distillgan" || !vocoder)) {
    throw badArgument("vocoderFrom", "absent, or the new file is to be a .distillgan", vocoderFrom);
  }
  const folder = toFilePath(modelsDir);
  const open = newOrOpenIndex(folder, lockKind);
  return useFile(toFilePath(path), lock.signal, async (opened) => {
    const model = checkedModel(opened);
    const target = targetOf(model, to, opened.path);
    const given =
      vocoderFrom === undefined ? undefined : await vocoderOf(vocoderFrom, model, lock.signal);
    const keeps = vocoder && target.hasVocoder && model.generation.hasVocoder;
    const extras = new Map<string, unknown>(
      [...(opened.content as Map<string, unknown>).keys()]
        .filter((key) => !BASIC.has(key) && (key !== VOCODER || (keeps && !given)))
        .map((key) => [key, new Carried(key)]),
    );
    if (given) extras.set(VOCODER, given.state);
    const queue = await open();
    const isTaken = queue.store.image.get(model.metadata.modelId) !== null;
    const metadata = {
      ...model.metadata,
      ...((isTaken || model.metadata.modelId === "") && { modelId: randomUUID() }),
    };
    const plan = encode(
      fileContent({
        generation: target,
        stateDict: new Carried("model_state_dict"),
        latentDim: model.latentDim,
        spectrogramConfig: new Carried("spectrogram_config"),
        analysis: new Carried("latent_analysis", null),
        trainingConfig: trainingConfig(opened.content, target),
        metadata,
        extras,
      }),
    );
    const addon = checkpointAddon();
    const kept = keeps ? model.vocoder : null;
    const { filePath } = await publish(
      queue,
      { metadata, suffix: target.suffix, vocoder: given?.info ?? kept },
      (place) =>
        callNative(addon, lock.signal, (cancel) => addon.save(plan, place, opened.source, cancel)),
      { ...lock, existing: "refuse" },
    );
    if (target.name === "distill-1") {
      const problem = "the later Distill opens it, but decodes it so that it sounds wrong";
      warn("SDA_SOUNDS_DIFFERENT", `${join(folder, filePath)}: ${problem}`);
    }
    return join(folder, filePath);
  });
}

const VOCODER = "vocoder_state";
/** The keys that every new file has. */
const BASIC = new Set([
  "format",
  "version",
  "model_state_dict",
  "latent_dim",
  "spectrogram_config",
  "latent_analysis",
  "training_config",
  "metadata",
]);

function checkedModel({ content, path }: OpenFile): ModelContent {
  const model = parseModel(content, path);
  checkFileTensors(content as ReadonlyMap<unknown, unknown>, model, path);
  return model;
}

function targetOf(
  { generation }: ModelContent,
  to: ConvertModelOptions["to"],
  path: string,
): Generation {
  const name = ROUTES[generation.name]?.[to];
  if (name !== undefined) return GENERATIONS[name];
  throw new SdaError(
    "ERR_SDA_ARGUMENT",
    `${path} is ${generation.name}: ${reason(generation, to)}`,
    {
      option: "to",
      path,
      generation: generation.name,
    },
  );
}

function reason({ suffix, network }: Generation, to: ConvertModelOptions["to"]): string {
  if (suffix === `.${to}` && network !== "complex" && network !== "codes")
    return "it is of that kind already";
  if (network === "codes" || network === "complex")
    return "no other version of the program has its network";
  const ends = (kind: string) => (kind === "sigmoid" ? "a sigmoid" : "a softplus");
  const wanted = to === "sda" ? "sigmoid" : "softplus";
  const found = `its decoder ends in ${ends(network)}`;
  return `${found}, one of .${to} in ${ends(wanted)}: it would sound wrong`;
}

/** The vocoder of another file, as values, without what a cancelled training left there. */
async function vocoderOf(
  from: string | URL,
  model: ModelContent,
  signal: AbortSignal | undefined,
): Promise<{ state: Map<unknown, unknown>; info: ModelContent["vocoder"] }> {
  const path = toFilePath(from);
  const addon = checkpointAddon();
  const options = {
    verify: true,
    weights: true,
    withoutTraining: true,
    unknownGlobals: "reject",
  } as const;
  const content = await callNative(addon, signal, (c) =>
    readValues(addon, path, options, c, signal),
  );
  const other = parseModel(content, path);
  const state = isMap(content) ? content.get(VOCODER) : undefined;
  if (other.vocoder === null || !isMap(state)) {
    throw badArgument("vocoderFrom", "a file with a vocoder", path);
  }
  checkFileTensors(content as ReadonlyMap<unknown, unknown>, other, path);
  const { nMels, hopLength, sampleRate } = model.spectrogramConfig;
  const { vocoder } = other.parts;
  if (
    vocoder?.nMels !== nMels ||
    vocoder.hopLength !== hopLength ||
    vocoder.sampleRate !== sampleRate
  ) {
    const wanted = `a vocoder for ${nMels} mel bands, hop ${hopLength} and ${sampleRate} Hz`;
    throw badArgument("vocoderFrom", wanted, path);
  }
  return { state, info: other.vocoder };
}

/** The key that tells the second Distill's files from the first's. */
const MARK = "kl_weight_max";
const MARK_DEFAULT = 0.01;

/**
 * The training settings, with the classes of the target's package and the key by which its files
 * are told. Changes the values in place, so that the others keep their Python types.
 */
function trainingConfig(content: unknown, target: Generation): unknown {
  const found = isMap(content) ? content.get("training_config") : undefined;
  const settings = isMap(found) ? found : new Map<unknown, unknown>();
  if (target.network === "sigmoid") settings.delete(MARK);
  else if (!settings.has(MARK)) settings.set(MARK, MARK_DEFAULT);
  rename(settings, target.package, new Set());
  return settings;
}

const PROGRAM = /^(small_dataset_audio|distill)(?=\.|$)/;

/** Gives the program's objects in a container the target's package. */
function rename(container: unknown, name: string, done: Set<unknown>): void {
  if (done.has(container)) return;
  done.add(container);
  const replace = (value: unknown, put: (value: unknown) => void) => {
    if (value instanceof PyObject && PROGRAM.test(value.module)) {
      const copy = new PyObject(
        value.module.replace(PROGRAM, name),
        value.name,
        value.args,
        value.state,
      );
      const { allocated, kwargs, items, entries } = value;
      put(Object.assign(copy, { allocated, kwargs, items, entries }));
    } else rename(value, name, done);
  };
  if (isMap(container)) {
    for (const [key, value] of container) replace(value, (changed) => container.set(key, changed));
  } else if (Array.isArray(container)) {
    container.forEach((value, i) => {
      replace(value, (changed) => {
        container[i] = changed;
      });
    });
  }
}
