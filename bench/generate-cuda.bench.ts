/**
 * 60 s of sound on a GPU, beside the same on the CPU, in alternating rounds of the same run. Without a GPU it says why there is
 * none.
 *
 *     npm run bench:cuda [-- FILE.sda]
 */
import { type LoadedModel, loadModel, SdaError } from "../dist/index.js";
import { machine } from "./support/environment.js";
import { printFigures } from "./support/goals.js";
import { modelFile } from "./support/model-file.js";
import { writeResults } from "./support/results.js";
import { Rounds } from "./support/rounds.js";
import { show, summarize } from "./support/statistics.js";

const WARM_UP = { rounds: 1, runs: 1, warmUp: 0 };
const ROUNDS = { rounds: 5, runs: 1, warmUp: 0 };

const file = modelFile();

async function loadOnCuda(): Promise<LoadedModel | null> {
  try {
    return await loadModel(file, { device: "cuda" });
  } catch (error) {
    if (!(error instanceof SdaError) || error.code !== "ERR_SDA_DEVICE") throw error;
    console.log(`no CUDA device: ${error.message}`);
    return null;
  }
}

async function compare(cuda: LoadedModel, cpu: LoadedModel): Promise<void> {
  const works = {
    cuda: () => cuda.generate({ durationS: 60, seed: 1 }),
    cpu: () => cpu.generate({ durationS: 60, seed: 1 }),
  };
  const rounds = new Rounds();
  await rounds.run(works, null, [], WARM_UP, false);
  await rounds.run(works, null, [], ROUNDS);
  const summaries = rounds.summaries();
  const { median, fastest } = rounds.compare("cpu", "cuda");

  console.log(`${file}, on ${cuda.device} and on the CPU: ${machine()}\n`);
  for (const [name, ms] of summaries) console.log(`60 s, ${name.padEnd(6)} ${show(ms)}`);
  console.log();
  printFigures([
    {
      what: "60 s of sound: CUDA, than the CPU",
      ours: show(summaries.get("cuda") ?? summarize([])).split("  ")[0] ?? "",
      compared: median,
      fastest,
      unit: "×",
      goal: { atLeast: 20 },
    },
  ]);
  writeResults("generate-cuda.json", file, {
    device: cuda.device,
    milliseconds: Object.fromEntries(summaries),
    ratio: { median, fastest },
  });
}

const cuda = await loadOnCuda();
if (cuda !== null) {
  const cpu = await loadModel(file, { device: "cpu" });
  await compare(cuda, cpu);
  cuda.dispose();
  cpu.dispose();
}
