/** Finds the presets of the model that a person names, and one of them. */
import { join } from "node:path";
import { badArgument } from "../base/check.js";
import { SdaError } from "../base/errors.js";
import { fileIdentity } from "../base/file-identity.js";
import type { LockKind } from "../library/index/lock-kind.js";
import type { Preset } from "../library/presets/preset.js";
import type { PresetStore } from "../library/presets/preset-store.js";
import type { FolderSettings } from "./options.js";
import { findByName, resolveModel } from "./refs.js";
import { plural } from "./text.js";

export interface PresetSettings extends FolderSettings {
  lock?: LockKind;
}

/**
 * Opens the presets of a model.
 *
 * @param ref as for `resolveModel`, or the id of a model that has presets
 * @throws SdaError as `resolveModel` and `PresetStore.open`
 */
export async function openPresets(ref: string, settings: PresetSettings): Promise<PresetStore> {
  const [{ PresetStore }, { dataFolders }] = await Promise.all([
    import("../library/presets/preset-store.js"),
    import("../library/data-folders.js"),
  ]);
  const { presets } = await dataFolders(settings.dataDir);
  const { lock = "flock" } = settings;
  const isId = /^[\w-]+$/.test(ref) && (await fileIdentity(join(presets, ref))) !== null;
  const modelId = isId ? ref : await modelIdOf(ref, settings.modelsDir);
  return PresetStore.open(presets, modelId, { lock });
}

async function modelIdOf(ref: string, modelsDir: string): Promise<string> {
  const { path, entry } = await resolveModel(ref, modelsDir);
  if (entry) return entry.modelId;
  const { readMetadata } = await import("../format/read-metadata.js");
  const { modelId } = await readMetadata(path);
  if (modelId === "") throw badArgument("ref", "a model with an id, which presets need", ref);
  return modelId;
}

/** @throws SdaError ERR_SDA_NOT_FOUND; ERR_SDA_ARGUMENT: several presets match */
export function findPreset(ref: string, store: PresetStore): Preset {
  const all = store.list();
  const found = findByName(ref, all, ({ presetId, name }) => ({ id: presetId, name }), "presets");
  if (found) return found;
  const has = `${store.path} has ${plural(all.length, "preset")}`;
  const problem = `no preset is called ${JSON.stringify(ref)}; ${has}, sda preset list shows them`;
  throw new SdaError("ERR_SDA_NOT_FOUND", problem, { ref });
}
