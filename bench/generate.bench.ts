/**
 * How long sound takes: one request, long ones and many at once, the decoder and Griffin-Lim alone, the first piece of a stream;
 * beside Python with torch, where one is found, in alternating rounds of the same run. And what it costs others: memory, and the
 * event loop's delay.
 *
 *     npm run bench:generate [-- FILE.sda]
 */
import { configureEngine, loadModel } from "../dist/index.js";
import { Tensor } from "../dist/torch/index.js";
import { ROUNDS as ENGINE_ROUNDS, engineTimes } from "./support/engine-steps.js";
import { machine } from "./support/environment.js";
import { eventLoopDelay } from "./support/event-loop-delay.js";
import { BATCHES, generateFigures, MANY, references } from "./support/generate-figures.js";
import { met, printFigures } from "./support/goals.js";
import { modelFile } from "./support/model-file.js";
import { peakMemory } from "./support/peak-memory.js";
import { Peer, python } from "./support/python.js";
import { writeResults } from "./support/results.js";
import { Rounds } from "./support/rounds.js";
import { timeStream, together } from "./support/sound-works.js";
import { measureThroughput, ROUNDS as THROUGHPUT_ROUNDS } from "./support/throughput.js";
import { writeThroughputChart } from "./support/throughput-chart.js";
import { writeTimeChart } from "./support/time-chart.js";

const FIRST_WARM_UP = { rounds: 1, runs: 1, warmUp: 500 };
const SHORT = { rounds: 20, runs: 5, warmUp: 100 };
const LONG_ROUNDS = 5;
const ONE_LONG = { rounds: 1, runs: 1, warmUp: 0 };
/** Many at once beside one long one, without Python's turns between: each pair of figures from the same second and a half. */
const PAIRS = 24;

const file = modelFile();
const model = await loadModel(file, { device: "cpu" });
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

const say = (text: string) => process.stderr.write(`${text} …\n`);
const peer = python === null ? null : new Peer(python, "generate_peer.py", [file]);
try {
  say("short works");
  await rounds.run(short, peer, Object.keys(short), FIRST_WARM_UP, false);
  await rounds.run(short, peer, Object.keys(short), SHORT);
  say("many at once");
  await rounds.run(long, null, [], ONE_LONG, false);
  for (let pair = 0; pair < PAIRS; pair++) {
    const turns = [() => rounds.run(many, null, [], ONE_LONG)];
    turns.splice(pair % 2, 0, () => rounds.run(besideMany, null, [], ONE_LONG));
    for (const turn of turns) await turn();
  }
  say("60 s, as a stream");
  for (let round = 0; round < LONG_ROUNDS; round++) {
    await rounds.run(long, peer, Object.keys(long), ONE_LONG);
    const { first, whole } = await timeStream(model, 60);
    rounds.collect("60 s streamed: first piece", [first]);
    rounds.collect("60 s streamed", [whole]);
  }
} finally {
  peer?.close();
}
say("throughput");
const throughput = await measureThroughput(model);
say("event loop");
const delay = await eventLoopDelay(() => together(model, MANY, 4));
const { threads } = configureEngine();
await model.disposeAsync();
say("memory");
const memory = peakMemory(file);
say("the engine's steps");
const engine = engineTimes(file);

const figures = generateFigures({ rounds, memory, delay, engine });

console.log(`${file}, CPU, ${threads} engine threads\n${machine()}\n`);
printFigures(figures);
if (python === null)
  console.log("\nNo Python with torch was found (SDA_PYTHON names one): no comparison.");

const subtitle = `${file.split("/").at(-1)}, ${machine()}, CPU`;
const lines = references(rounds);
const drawn = [
  writeThroughputChart(
    throughput,
    lines,
    `${subtitle}; medians and quartiles of ${THROUGHPUT_ROUNDS} rounds`,
  ),
];
if (typeof engine === "string") console.log(`\nWhere the time of one request goes: ${engine}`);
else
  drawn.push(
    writeTimeChart(engine.steps, `${subtitle}, without Node; medians of ${ENGINE_ROUNDS} rounds`),
  );
console.log(`\n${drawn.join("\n")}`);

writeResults("generate.json", file, {
  threads,
  milliseconds: Object.fromEntries(rounds.summaries()),
  figures: figures.map((figure) => ({ ...figure, met: met(figure) })),
  eventLoopDelay: delay,
  throughput,
  engine: typeof engine === "string" ? null : engine,
});
