/**
 * Measures generation: single, long and concurrent requests, the decoder and Griffin-Lim alone, the
 * first piece of a stream, memory, and the event loop's delay. Compares with Python and torch, if
 * found, in alternating rounds.
 */
import { configureEngine, type LoadedModel, loadModel } from "../dist/index.js";
import { Tensor } from "../dist/torch/index.js";
import { engineTimes } from "./support/engine-steps.js";
import { eventLoopDelay } from "./support/event-loop-delay.js";
import { figures, references } from "./support/generate-figures.js";
import { peakMemory } from "./support/peak-memory.js";
import { Peer } from "./support/python.js";
import { Rounds } from "./support/rounds.js";
import type { Measured } from "./support/schema.js";
import { BATCHES, LONG_S, MANY, soundNames, timeStream, together } from "./support/sound-works.js";
import type { Context, Suite } from "./support/suite.js";
import { measureThroughput } from "./support/throughput.js";

const ONE = { rounds: 1, runs: 1, warmUp: 0 };
/** `pairs`: rounds of many short requests and one long one, measured directly after each other. */
const FULL = {
  firstWarmUp: { rounds: 1, runs: 1, warmUp: 500 },
  short: { rounds: 20, runs: 5, warmUp: 100 },
  longS: LONG_S,
  long: 7,
  pairs: 24,
  throughput: 10,
  others: 7,
};
/** Python needs many seconds for a minute of sound on a busy machine. */
const QUICK = {
  firstWarmUp: ONE,
  short: { rounds: 2, runs: 1, warmUp: 0 },
  longS: 3,
  long: 1,
  pairs: 1,
  throughput: 1,
  others: 1,
};

async function measureSound(
  model: LoadedModel,
  peer: Peer | null,
  counts: typeof FULL,
  say: Context["say"],
): Promise<Rounds> {
  const rounds = new Rounds();
  const z = new Tensor(
    "float32",
    [1, model.model.latentDim],
    new Float32Array(model.model.latentDim),
  );
  const mel = await model.model.decode(z);
  const short = {
    "1 s": () => model.generate({ durationS: 1, seed: 1 }),
    decode: () => model.model.decode(z),
    griffin_lim: () => model.spectrogram.melToWaveform(mel, { seed: 1 }),
  };
  const names = soundNames(counts.longS);
  const generateLong = () => model.generate({ durationS: counts.longS, seed: 1 });
  const long = { [names.long]: generateLong };
  const many = {
    [names.many]: async () => {
      for (let batch = 0; batch < BATCHES; batch++) await together(model, MANY, 1);
    },
  };
  const besideMany = { [names.besideMany]: generateLong };

  say("short works");
  await rounds.run(short, peer, Object.keys(short), counts.firstWarmUp, false);
  await rounds.run(short, peer, Object.keys(short), counts.short);
  say("many at once");
  await rounds.run(long, null, [], ONE, false);
  for (let pair = 0; pair < counts.pairs; pair++) {
    const turns = [() => rounds.run(many, null, [], ONE)];
    turns.splice(pair % 2, 0, () => rounds.run(besideMany, null, [], ONE));
    for (const turn of turns) await turn();
  }
  say(`${names.long}, as a stream`);
  for (let round = 0; round < counts.long; round++) {
    await rounds.run(long, peer, Object.keys(long), ONE);
    const { first, whole } = await timeStream(model, counts.longS);
    rounds.collect(names.firstPiece, [first]);
    rounds.collect(names.streamed, [whole]);
  }
  return rounds;
}

async function run({ file, python, notes, quick, out, machine, say }: Context): Promise<Measured> {
  const counts = quick ? QUICK : FULL;
  const model = await loadModel(file, { device: "cpu" });
  const peer = python === null ? null : new Peer(python, "generate_peer.py", [file]);
  let rounds: Rounds;
  let peers = {};
  try {
    if (peer !== null) peers = (await peer.about()).versions;
    rounds = await measureSound(model, peer, counts, say);
  } finally {
    peer?.close();
  }
  say("throughput");
  const throughput = await measureThroughput(model, counts.throughput);
  say("event loop");
  const delay = await eventLoopDelay(() => together(model, MANY, 4), counts.others);
  const { threads } = configureEngine();
  await model.disposeAsync();
  say("memory");
  const memory = peakMemory(file, counts.others);
  say("the engine's steps");
  // Builds the engine's benchmark first, which takes minutes.
  const engine = quick ? "left out of a quick run" : engineTimes(file, counts.others);

  const subtitle = `${file.split("/").at(-1)}, ${machine}, CPU`;
  const roundsText = quick
    ? "quick run, one round"
    : `medians and quartiles of ${counts.throughput} rounds`;
  // Imported after all measurements: a large heap makes garbage collection slower.
  const { writeThroughputChart } = await import("./support/throughput-chart.js");
  const { writeTimeChart } = await import("./support/time-chart.js");
  const charts = [
    writeThroughputChart(
      out,
      throughput,
      references(rounds, counts.longS),
      `${subtitle}; ${roundsText}`,
    ),
  ];
  if (typeof engine !== "string") {
    const how = `${subtitle}, without Node; medians of ${counts.others} rounds`;
    charts.push(writeTimeChart(out, engine.steps, how));
  }
  return {
    ...figures({ rounds, longS: counts.longS, memory, delay, engine }),
    notes: [
      ...notes,
      ...(typeof engine === "string" ? [`where the time of one request goes: ${engine}`] : []),
    ],
    peers,
    charts,
    details: { threads, throughput },
  };
}

export const suite: Suite = { title: "Making sound", usesModel: true, run };
