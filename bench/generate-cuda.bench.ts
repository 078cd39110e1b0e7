/**
 * Compares 60 s of sound on a GPU with the CPU, in alternating rounds. Without a GPU, the result
 * holds a note with the reason.
 */
import { type LoadedModel, loadModel, SdaError } from "../dist/index.js";
import { judged } from "./support/goals.js";
import { Rounds } from "./support/rounds.js";
import type { Measured } from "./support/schema.js";
import type { Context, Suite } from "./support/suite.js";

const WARM_UP = { rounds: 1, runs: 1, warmUp: 0 };
const GOAL = { atLeast: 20 };

async function run({ file, quick, say }: Context): Promise<Measured> {
  let cuda: LoadedModel;
  try {
    cuda = await loadModel(file, { device: "cuda" });
  } catch (error) {
    if (!(error instanceof SdaError) || error.code !== "ERR_SDA_DEVICE") throw error;
    return { rows: [], ratios: [], peers: {}, notes: [`no CUDA device: ${error.message}`] };
  }
  const cpu = await loadModel(file, { device: "cpu" });
  const works = {
    cuda: () => cuda.generate({ durationS: 60, seed: 1 }),
    cpu: () => cpu.generate({ durationS: 60, seed: 1 }),
  };
  const rounds = new Rounds();
  say("60 s on the GPU and on the CPU");
  await rounds.run(works, null, [], WARM_UP, false);
  await rounds.run(works, null, [], { rounds: quick ? 2 : 7, runs: 1, warmUp: 0 });
  const { median, fastest } = rounds.compare("cpu", "cuda");
  const { device } = cuda;
  cuda.dispose();
  cpu.dispose();
  return {
    rows: rounds.rows(),
    ratios: [{ ours: "cuda", theirs: "cpu", ratio: median, fastest, ...judged(median, GOAL) }],
    notes: [`on ${device}`],
    peers: {},
  };
}

export const suite: Suite = { title: "60 s of sound on a GPU", usesModel: true, run };
