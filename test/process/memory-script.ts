// Loads and disposes of a model many times. argv: what, model. Prints the growth of RSS in bytes.
import { loadModel } from "../../lib/index.js";
import { load } from "../../lib/torch/index.js";

const WARM_UP = 200;
const CYCLES = 2000;
const READINGS = 10;

const [what = "", path = ""] = process.argv.slice(2);
const collect = globalThis.gc;
if (collect === undefined) throw new Error("needs --expose-gc");

const cycles: Record<string, (i: number) => Promise<void>> = {
  async "disposed of"(i) {
    const model = await loadModel(path, { verify: i % 2 === 0 });
    model.dispose();
  },
  // Only the garbage collector knows that these are gone.
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

// The allocator keeps more of what was freed at one moment than at another, so the lowest of several
// readings counts: a leak raises that, too.
async function lowest(cycles: number): Promise<number> {
  const readings: number[] = [];
  for (let i = 0; i < cycles; i++) {
    await cycle?.(i);
    if (i % (cycles / READINGS) === 0) readings.push(await settledRss());
  }
  return Math.min(...readings);
}

for (let i = 0; i < WARM_UP; i++) await cycle(i);
const before = await lowest(CYCLES / 2);
console.log((await lowest(CYCLES / 2)) - before);
