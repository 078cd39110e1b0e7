/** Models to make sound with, and what the engine of this process is doing. */
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll } from "vitest";
import {
  configureEngine,
  type EngineOptions,
  type GenerateOptions,
  type LoadedModel,
  loadModel,
} from "../../lib/index.js";
import { bundledModel } from "../process/run.js";
import { corpus, corpusFile } from "./corpus.js";
import { fixture } from "./fixtures.js";
import { interleave } from "./sound.js";

export { bundledModel };

/** Those of 48 kHz, which aren't resampled by default. */
export const models48k: [string, string][] = [["the bundled model", bundledModel]];
if (corpus !== null) models48k.push(["the default model", corpusFile("models/default.sda")]);

export const models: [string, string][] = [
  ...models48k,
  ["a tiny model of 8 kHz", fixture("models/tiny.sda")],
];

/** Runs `f` under other settings of the engine, which all of the process shares. */
export async function withEngine<T>(settings: EngineOptions, f: () => Promise<T>): Promise<T> {
  const before = configureEngine();
  configureEngine(settings);
  try {
    return await f();
  } finally {
    configureEngine(before);
  }
}

const WINDOW_MS = 100;
const IDLE_CPU_MS = 25;

/**
 * Waits until this process does nothing, and gives the CPU time that it took until then, in milliseconds: how much there was
 * still to do, however busy the machine is.
 */
export async function cpuUntilIdle(): Promise<number> {
  let total = 0;
  for (;;) {
    const before = process.cpuUsage();
    await sleep(WINDOW_MS);
    const { user, system } = process.cpuUsage(before);
    total += (user + system) / 1000;
    if ((user + system) / 1000 < IDLE_CPU_MS) return total;
  }
}

/** The CPU time of `f` and of what it leaves running, in milliseconds. */
export async function cpuOf(f: () => Promise<unknown>): Promise<number> {
  const before = process.cpuUsage();
  await f();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000 + (await cpuUntilIdle());
}

/** A model for the tests of one `describe`: loaded before them, gone after them. */
export function ofModel(path: string): () => LoadedModel {
  let model: LoadedModel;
  beforeAll(async () => {
    model = await loadModel(path, { device: "cpu" });
  });
  afterAll(() => model.disposeAsync());
  return () => model;
}

/** Interleaved */
export async function generated(
  model: LoadedModel,
  options: GenerateOptions,
): Promise<Float32Array> {
  return interleave((await model.generate(options)).audio);
}
