/**
 * How long sound takes: one request, long ones and many at once, the decoder and Griffin-Lim alone, the first piece of a stream;
 * beside Python with torch, where one is found, in alternating rounds of the same run. And what it costs others: memory, and the
 * event loop's delay.
 */
import { configureEngine, type LoadedModel, loadModel } from "../dist/index.js";
import { Tensor } from "../dist/torch/index.js";
import { engineTimes } from "./support/engine-steps.js";
import { machine } from "./support/environment.js";
import { eventLoopDelay } from "./support/event-loop-delay.js";
import { BATCHES, figures, MANY, references } from "./support/generate-figures.js";
import { peakMemory } from "./support/peak-memory.js";
import { Peer } from "./support/python.js";
import { Rounds } from "./support/rounds.js";
import type { Measured } from "./support/schema.js";
import { timeStream, together } from "./support/sound-works.js";
import { type Context, NO_PYTHON, type Suite } from "./support/suite.js";
import { measureThroughput } from "./support/throughput.js";
import { writeThroughputChart } from "./support/throughput-chart.js";
import { writeTimeChart } from "./support/time-chart.js";

const FIRST_WARM_UP = { rounds: 1, runs: 1, warmUp: 500 };
const ONE_LONG = { rounds: 1, runs: 1, warmUp: 0 };
/** `pairs`: many at once beside one long one, without Python's turns between: each pair from the same second and a half. */
const FULL = {
  short: { rounds: 20, runs: 5, warmUp: 100 },
  long: 5,
  pairs: 24,
  throughput: 10,
  others: 5,
};
const QUICK = {
  short: { rounds: 2, runs: 2, warmUp: 10 },
  long: 1,
  pairs: 2,
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
  const long = { "60 s": () => model.generate({ durationS: 60, seed: 1 }) };
  const many = {
    [`${BATCHES} × ${MANY} × 1 s`]: async () => {
      for (let batch = 0; batch < BATCHES; batch++) await together(model, MANY, 1);
    },
  };
  const besideMany = { "60 s, beside many": long["60 s"] };

  say("short works");
  await rounds.run(short, peer, Object.keys(short), FIRST_WARM_UP, false);
  await rounds.run(short, peer, Object.keys(short), counts.short);
  say("many at once");
  await rounds.run(long, null, [], ONE_LONG, false);
  for (let pair = 0; pair < counts.pairs; pair++) {
    const turns = [() => rounds.run(many, null, [], ONE_LONG)];
    turns.splice(pair % 2, 0, () => rounds.run(besideMany, null, [], ONE_LONG));
    for (const turn of turns) await turn();
  }
  say("60 s, as a stream");
  for (let round = 0; round < counts.long; round++) {
    await rounds.run(long, peer, Object.keys(long), ONE_LONG);
    const { first, whole } = await timeStream(model, 60);
    rounds.collect("60 s streamed: first piece", [first]);
    rounds.collect("60 s streamed", [whole]);
  }
  return rounds;
}

async function run({ file, python, quick, out, say }: Context): Promise<Measured> {
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
  // It is built first, which takes minutes.
  const engine = quick ? "left out of a quick run" : engineTimes(file, counts.others);

  const subtitle = `${file.split("/").at(-1)}, ${machine()}, CPU`;
  const charts = [
    writeThroughputChart(
      out,
      throughput,
      references(rounds),
      `${subtitle}; medians and quartiles of ${counts.throughput} rounds`,
    ),
  ];
  if (typeof engine !== "string") {
    const how = `${subtitle}, without Node; medians of ${counts.others} rounds`;
    charts.push(writeTimeChart(out, engine.steps, how));
  }
  return {
    ...figures({ rounds, memory, delay, engine }),
    notes: [
      ...(python === null ? [NO_PYTHON] : []),
      ...(typeof engine === "string" ? [`where the time of one request goes: ${engine}`] : []),
    ],
    peers,
    charts,
    details: { threads, throughput },
  };
}

export const suite: Suite = { title: "Making sound", usesModel: true, run };
