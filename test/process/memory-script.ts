// Repeats an action on a model. argv: action, model, how often, number of readings.
// Prints the growth of RSS in bytes.
import { type GenerateOptions, type LoadedModel, loadModel } from "../../lib/index.js";
import { load } from "../../lib/torch/index.js";

const WARM_UP_SHARE = 0.1;
/** A request that is stopped early. Until then it holds several megabytes. */
const LONG: GenerateOptions = { durationS: 60, spatial: { mode: "dual_seed" } };
const CHUNKS_UNTIL_STOPPED = 8;

const [what = "", path = "", times = "", readingCount = ""] = process.argv.slice(2);
const collect = globalThis.gc;
if (collect === undefined) throw new Error("needs --expose-gc");

let kept: Promise<LoadedModel> | undefined;
const keptModel = () => (kept ??= loadModel(path));

const cycles: Record<string, (i: number) => Promise<void>> = {
  async "disposed of"(i) {
    const model = await loadModel(path, { verify: i % 2 === 0 });
    model.dispose();
  },
  // Only the garbage collector frees these models.
  async forgotten(i) {
    await loadModel(path, { verify: i % 2 === 0 });
    if (i % 20 === 0) collect();
  },
  async "read as a plain torch file"(i) {
    await load(path, { verify: i % 2 === 0 });
    if (i % 20 === 0) collect();
  },
  async "failing to load"(i) {
    await loadModel(`${path}.${i}`).catch(() => {});
  },
  async "stopping requests"(i) {
    const model = await keptModel();
    const controller = new AbortController();
    const { signal } = controller;
    const onProgress = (done: number) => done >= CHUNKS_UNTIL_STOPPED && controller.abort();
    await model.generate({ ...LONG, seed: i, signal, onProgress }).then(
      () => Promise.reject(new Error("it was not stopped")),
      () => {},
    );
  },
  async "leaving streams"(i) {
    const model = await keptModel();
    const controller = new AbortController();
    const aborted = model.stream({ ...LONG, seed: i, signal: controller.signal });
    await aborted.next();
    for await (const _ of model.stream({ ...LONG, seed: i })) break;
    controller.abort();
    await aborted.next().catch(() => {});
  },
};

const cycle = cycles[what];
if (cycle === undefined) throw new Error(`no cycle "${what}"`);

async function settledRss(): Promise<number> {
  for (let i = 0; i < 4; i++) {
    collect?.();
    await new Promise((resolve) => setTimeout(resolve, 20)); // finalizers run in between
  }
  return process.memoryUsage.rss();
}

// The allocator keeps freed memory to a varying degree, so the lowest of several readings counts. A
// leak raises the lowest one too.
const count = Number(times);
const READINGS = Number(readingCount);

async function lowest(cycles: number): Promise<number> {
  const readings: number[] = [];
  for (let i = 0; i < cycles; i++) {
    await cycle?.(i);
    if (i % (cycles / READINGS) === 0) readings.push(await settledRss());
  }
  return Math.min(...readings);
}

for (let i = 0; i < count * WARM_UP_SHARE; i++) await cycle(i);
const before = await lowest(count / 2);
console.log((await lowest(count)) - before);
