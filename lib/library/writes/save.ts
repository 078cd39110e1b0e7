import { join } from "node:path";
import { checkOptions, toFilePath } from "../../base/check.js";
import { isUrl } from "../../base/realm.js";
import { modelSourceOf } from "../../format/model-source.js";
import { type ModelWeights, type NewFileOptions, newFile } from "../../format/new-file.js";
import { callNative } from "../../native/call.js";
import { checkpointAddon } from "../../native/load.js";
import type { SavePlan, SaveResult, SaveTarget } from "../../native/types.js";
import { encode } from "../../torch/encode.js";
import type { ModelEntry } from "../index/entry.js";
import {
  checkLockOptions,
  type FolderOptions,
  LOCK_OPTIONS,
  type LockOptions,
} from "../index/lock.js";
import { newOrOpenIndex, splitLock, type Target } from "./open-index.js";
import { publish } from "./publish.js";

/** The content of a new model file other than its weights, and how to wait for the library. */
export interface SaveOptions extends NewFileOptions, LockOptions {}

/** `SaveOptions` and the library's folder. */
export interface SaveModelOptions extends SaveOptions, FolderOptions {
  /** The library's folder; created if it is missing */
  modelsDir: string | URL;
}

/** A `LoadedModel`. */
export interface SavableModel {
  readonly device: string;
  readonly byteLength: number;
  /** Frees the model. */
  dispose(): void;
}

const OPTIONS = ["metadata", "spectrogramConfig", "trainingConfig", "analysis", ...LOCK_OPTIONS];

/**
 * Writes a new model file into a library and adds its entry. The file gets an unused name, made
 * from the model's name, and appears complete or not at all. The content of a loaded model's file,
 * weights included, is copied value for value with the file's dtypes. An entry with the same id is
 * replaced; its file stays. `ModelLibrary.save` does the same for an open library.
 *
 * @param source a `LoadedModel`, or weights
 * @param modelsDir the library's folder, created if it is missing; or an object with `modelsDir`
 *   and all options
 * @returns the new file's path
 * @throws SdaError ERR_SDA_ARGUMENT (`details.option` or `details.tensor`), ERR_SDA_SCHEMA (an
 *   analysis or config that does not fit), ERR_SDA_DISPOSED, ERR_SDA_IO, ERR_SDA_LOCKED;
 *   `signal.reason`. There is no new file then.
 * @example
 * ```js
 * const model = await loadModel("data/models/pads.sda");
 * const path = await saveModel(model, "data/models", { metadata: { name: "Pads, second take" } });
 * console.log(path);
 * model.dispose();
 * ```
 */
export async function saveModel(
  source: SavableModel | ModelWeights,
  modelsDir: string | URL | SaveModelOptions,
  options: SaveOptions & FolderOptions = {},
): Promise<string> {
  const { modelsDir: at, ...rest } = withFolder(modelsDir, options);
  const [lock, others] = splitLock(rest, OPTIONS);
  const folder = toFilePath(at);
  const { filePath } = await saveInto(newOrOpenIndex(folder, lock), source, others);
  return join(folder, filePath);
}

function withFolder(
  modelsDir: string | URL | SaveModelOptions,
  options: SaveOptions & FolderOptions,
): SaveModelOptions {
  const isPath = typeof modelsDir !== "object" || modelsDir === null || isUrl(modelsDir);
  return isPath ? { ...options, modelsDir } : modelsDir;
}

/** As `saveModel`, into an open index. */
export async function saveInto(
  target: Target,
  source: SavableModel | ModelWeights,
  options: SaveOptions = {},
): Promise<ModelEntry> {
  checkOptions("options", options, OPTIONS);
  checkLockOptions(options);
  const { lockTimeoutMs, signal, ...parts } = options;
  const { content, metadata, generation } = newFile(source, parts);
  const plan = encode(content);
  const model = modelSourceOf(source);
  const write = (to: SaveTarget) =>
    model ? model.write(plan, to, signal) : writeValues(plan, to, signal);
  const lock = { ...(lockTimeoutMs !== undefined && { lockTimeoutMs }), ...(signal && { signal }) };
  return publish(
    await target(),
    { metadata, suffix: generation.suffix, vocoder: model?.vocoder ?? null },
    write,
    { ...lock, existing: "replace" },
  );
}

function writeValues(
  plan: SavePlan,
  target: SaveTarget,
  signal: AbortSignal | undefined,
): Promise<SaveResult> {
  const addon = checkpointAddon();
  return callNative(addon, signal, (cancel) => addon.save(plan, target, undefined, cancel));
}
