/** Loads the engine, as load.ts loads the reader; backend.ts loads LibTorch's part. */
import { errorText, type Probe, probe, requireAddon, requireFile } from "./addon.js";
import { prepare } from "./load.js";
import { guardEngine } from "./permission.js";
import type { EngineAddon } from "./types.js";

let engine: EngineAddon | undefined;

/** @throws SdaError ERR_SDA_NATIVE: the addon is missing or cannot be loaded */
export function engineAddon(): EngineAddon {
  if (!engine) {
    const addon = requireAddon<EngineAddon>("sda_engine");
    prepare(addon);
    engine = guardEngine(addon);
  }
  return engine;
}

/** Loads the engine in a child process, so that a crash of the engine does not end this process. */
export function probeEngine(): Promise<Probe> {
  let file: string;
  try {
    file = requireFile("sda_engine");
  } catch (error) {
    return Promise.resolve({ ok: false, message: errorText(error) });
  }
  const script = `console.log("threads: " + require(process.argv[1]).configureEngine({}).threads);`;
  return probe("sda_engine", script, [file]);
}
