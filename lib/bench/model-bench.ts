/** The measurements of `sda bench`: how fast a model loads and makes sound on this machine. */
import { Bench } from "tinybench";
import { SdaError } from "../base/errors.js";
import { readMetadata } from "../format/read-metadata.js";
import { type Device, loadModel } from "../model/load.js";
import type { LoadedModel } from "../model/loaded-model.js";
import { load } from "../torch/load.js";
import { Tensor } from "../values/values.js";
import { type Summary, summarize } from "./statistics.js";

export interface ModelBenchOptions {
  device?: Device;
  /** Time for all works together. Each work runs once at least, even beyond this time. */
  seconds: number;
  signal?: AbortSignal;
  /** Called before each work with its name and the share of the time that has passed, 0 to 1 */
  onProgress?: (name: string, done: number) => void;
}

/** The result of one work; times are in milliseconds */
export interface ModelFigure extends Summary {
  key: string;
  name: string;
}

export interface ModelBench {
  /** null without an engine */
  device: string | null;
  figures: ModelFigure[];
  /** Why the engine can't be loaded; null if it is loaded */
  missing: { code: string; message: string } | null;
}

interface Work {
  key: string;
  name: string;
  run: () => Promise<unknown>;
}

/** Works take turns in rounds, so that a short disturbance of the machine affects all of them. */
const ROUNDS = 5;

/**
 * Measures loading, metadata, one decode, and 1 s and 10 s of sound. Without an engine, only
 * reading the file and its metadata.
 *
 * @throws SdaError as `loadModel`, except for a missing engine; the signal's reason
 */
export async function benchModel(path: string, options: ModelBenchOptions): Promise<ModelBench> {
  const { device = "auto", signal } = options;
  const abort = signal ? { signal } : {};
  const metadata: Work = {
    key: "metadata",
    name: "read the metadata",
    run: () => readMetadata(path),
  };
  await metadata.run(); // fails first if the file is not a model
  let model: LoadedModel;
  try {
    model = await loadModel(path, { device, ...abort });
  } catch (error) {
    if (!lacksEngine(error)) throw error;
    const figures = await measure([...readingWorks(path, abort), metadata], options);
    return { device: null, figures, missing: { code: error.code, message: error.message } };
  }
  try {
    const opening = openingWorks(path, { device, ...abort });
    const figures = await measure([...opening, metadata, ...soundWorks(model, abort)], options);
    return { device: model.device, figures, missing: null };
  } finally {
    await model.disposeAsync();
  }
}

function lacksEngine(error: unknown): error is SdaError {
  return error instanceof SdaError && error.code === "ERR_SDA_NATIVE";
}

function openingWorks(path: string, options: { device: Device; signal?: AbortSignal }): Work[] {
  const open = async (verify: boolean) =>
    (await loadModel(path, { ...options, verify })).disposeAsync();
  return [
    { key: "load", name: "load, every checksum verified", run: () => open(true) },
    { key: "load-mapped", name: "load, mapped", run: () => open(false) },
  ];
}

/** The works that need no engine. */
function readingWorks(path: string, options: { signal?: AbortSignal }): Work[] {
  return [
    {
      key: "read",
      name: "read the file, every checksum verified",
      run: () => load(path, options),
    },
    {
      key: "read-mapped",
      name: "read the file, mapped",
      run: () => load(path, { ...options, verify: false }),
    },
  ];
}

function soundWorks(model: LoadedModel, abort: { signal?: AbortSignal }): Work[] {
  const { latentDim } = model.vae;
  const z = new Tensor("float32", [1, latentDim], new Float32Array(latentDim));
  const sound = (durationS: number) => () => model.generate({ durationS, seed: 1, ...abort });
  return [
    { key: "decode", name: "decode one latent", run: () => model.vae.decode(z) },
    { key: "sound-1s", name: "1 s of sound", run: sound(1) },
    { key: "sound-10s", name: "10 s of sound", run: sound(10) },
  ];
}

async function measure(works: Work[], options: ModelBenchOptions): Promise<ModelFigure[]> {
  const { seconds, signal, onProgress } = options;
  const started = performance.now();
  const passed = () => (performance.now() - started) / (seconds * 1e3);
  const share = (seconds * 1e3) / ROUNDS / works.length;
  const samples = works.map((): number[] => []);
  for (let round = 0; round < ROUNDS && (round === 0 || passed() < 1); round++) {
    for (const [i, work] of works.entries()) {
      onProgress?.(work.name, Math.min(1, passed()));
      samples[i]?.push(...(await sample(work, share, signal)));
    }
  }
  return works.map(({ key, name }, i) => ({ key, name, ...summarize(samples[i] ?? []) }));
}

/**
 * Runs a work for `time` milliseconds, a tenth of it as warm-up. Returns each run's milliseconds.
 */
async function sample({ name, run }: Work, time: number, signal?: AbortSignal): Promise<number[]> {
  let failure: unknown;
  const bench = new Bench({
    time: time * 0.9,
    iterations: 1,
    warmupTime: time * 0.1,
    warmupIterations: 1,
    retainSamples: true,
  }).add(name, async () => {
    try {
      signal?.throwIfAborted(); // some works take no signal
      await run();
    } catch (error) {
      failure ??= error;
      throw error;
    }
  });
  const [task] = await bench.run();
  signal?.throwIfAborted();
  if (failure !== undefined) throw failure;
  const result = task?.result;
  if (result?.state !== "completed") throw new Error(`${name}: ${result?.state}`);
  return [...(result.latency.samples ?? [])];
}
