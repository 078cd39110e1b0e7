/** Models that make sound, and the settings and load of the engine in this process. */
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

/** Models of 48 kHz: their sound is not resampled by default. */
export const models48k: [string, string][] = [["the bundled model", bundledModel]];
if (corpus !== null) models48k.push(["the default model", corpusFile("models/default.sda")]);

export const models: [string, string][] = [
  ...models48k,
  ["a tiny model of 8 kHz", fixture("models/tiny.sda")],
];

/** Runs `f` with other engine settings. The whole process shares the engine. */
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
 * Waits until this process is idle. @returns the CPU time that it took until then, in milliseconds:
 * a measure of the remaining work that does not depend on how busy the machine is.
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

/** The CPU time of `f` and of work that it leaves running, in milliseconds. */
export async function cpuOf(f: () => Promise<unknown>): Promise<number> {
  const before = process.cpuUsage();
  await f();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000 + (await cpuUntilIdle());
}

/** A model that is loaded before the tests of one `describe` and disposed of after them. */
export function ofModel(path: string): () => LoadedModel {
  let model: LoadedModel;
  beforeAll(async () => {
    model = await loadModel(path, { device: "cpu" });
  });
  afterAll(() => model.disposeAsync());
  return () => model;
}

/** Generates interleaved samples. */
export async function generated(
  model: LoadedModel,
  options: GenerateOptions,
): Promise<Float32Array> {
  return interleave((await model.generate(options)).audio);
}
