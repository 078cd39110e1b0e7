/**
 * Loads the file reader, once and only on first use. Each worker thread has its own instance of
 * this module and loads the reader for itself, as Node-API requires.
 */
import { isMainThread } from "node:worker_threads";
import { requireAddon } from "./addon.js";
import { addonFile } from "./addon-file.js";
import { guardCheckpoint } from "./permission.js";
import { valueFactories } from "./read-values.js";
import type { CheckpointAddon, EngineAddon } from "./types.js";

let checkpoint: CheckpointAddon | undefined;

/** @throws SdaError ERR_SDA_NATIVE: the addon is missing or cannot be loaded */
export function checkpointAddon(): CheckpointAddon {
  if (!checkpoint) {
    const addon = requireAddon<CheckpointAddon>("sda_checkpoint");
    prepare(addon);
    checkpoint = guardCheckpoint(addon);
  }
  return checkpoint;
}

/** The reader's file, which may be missing. */
export function checkpointFile(): string {
  return addonFile("sda_checkpoint");
}

export function prepare(addon: CheckpointAddon | EngineAddon): void {
  addon.prepare(valueFactories(addon));
  // Native threads must stop computing before the process exits. A worker stops its own work
  // itself.
  if (isMainThread) process.once("exit", () => addon.stopWork());
}
