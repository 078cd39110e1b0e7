/**
 * Measures the server under load: 32 connections request one-second sounds of 20 models in turn,
 * for five minutes in all. These rounds alternate with the same calls of the engine alone, in
 * another process. The client runs on the same machine and shares its processors.
 */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { loadModel, ModelLibrary, saveModel } from "../dist/index.js";
import { Child } from "./support/child.js";
import { keepBusy } from "./support/load-client.js";
import type { Measured } from "./support/schema.js";
import { CONNECTIONS, figures, type Minute } from "./support/server-figures.js";
import type { Context, Suite } from "./support/suite.js";
import { temporaryFolder } from "./support/temporary.js";

const MODELS = 20;
const FULL = { rounds: 10, serverS: 30, engineS: 15, warmUpS: 10 };
const QUICK = { rounds: 1, serverS: 3, engineS: 2, warmUpS: 1 };

async function run({ file, quick, notes, say }: Context): Promise<Measured> {
  const counts = quick ? QUICK : FULL;
  const folder = join(temporaryFolder(), "models");
  mkdirSync(folder);
  const ids = await fill(folder, file);
  const server = new Child("serve-child.mjs", [folder]);
  const engine = new Child("engine-child.mjs", [folder, String(CONNECTIONS)]);
  const minutes: Minute[] = [];
  const alone: number[] = [];
  try {
    const { url } = (await server.ask({})) as { url: string };
    say("warming up");
    await load(url, ids, counts.warmUpS);
    await engine.ask({ seconds: counts.warmUpS });
    for (let round = 0; round < counts.rounds; round++) {
      say(`round ${round + 1} of ${counts.rounds}`);
      const { secondsPerSecond } = (await engine.ask({ seconds: counts.engineS })) as {
        secondsPerSecond: number;
      };
      alone.push(secondsPerSecond);
      minutes.push(await load(url, ids, counts.serverS));
    }
  } finally {
    await Promise.all([server.close(), engine.close()]);
  }
  return { ...figures(minutes, alone), notes, peers: {}, details: { minutes, alone } };
}

/** Saves the same weights under 20 ids. To the server they are 20 models. */
async function fill(folder: string, file: string): Promise<string[]> {
  const model = await loadModel(file, { device: "cpu" });
  for (let i = 0; i < MODELS; i++) {
    await saveModel(model, { modelsDir: folder, metadata: { modelId: "", name: `model ${i}` } });
  }
  await model.disposeAsync();
  const library = await ModelLibrary.open(folder);
  return library.listAll().map(({ modelId }) => modelId);
}

async function load(url: string, ids: readonly string[], seconds: number): Promise<Minute> {
  let next = 0;
  await figuresOf(url); // each look at the metrics resets the event loop's delays
  const answers = await keepBusy(url, CONNECTIONS, seconds, () => {
    const seed = next++;
    return {
      path: `/api/models/${ids[seed % ids.length]}/generate`,
      body: { durationS: 1, seed },
    };
  });
  const measured = await figuresOf(url);
  const latencies = answers.latencies.sort((a, b) => a - b);
  const at = (share: number) => latencies[Math.ceil(share * latencies.length) - 1] as number;
  return {
    secondsPerSecond: answers.count / answers.seconds,
    latency: { p50: at(0.5), p99: at(0.99), max: at(1) },
    loopP99: measured("sda_event_loop_delay_p99_seconds") * 1e3,
    memoryMB: measured("process_resident_memory_bytes") / 1e6,
  };
}

async function figuresOf(url: string): Promise<(name: string) => number> {
  const text = await (await fetch(new URL("/metrics", url))).text();
  return (name) => {
    const value = Number(new RegExp(`^${name} (\\S+)$`, "m").exec(text)?.[1]);
    if (!Number.isFinite(value)) throw new Error(`/metrics has no ${name}`);
    return value;
  };
}

export const suite: Suite = { title: "The server under load", usesModel: true, run };
