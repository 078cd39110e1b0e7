// Uses models in worker threads. argv: scenario, model, how often (a share of 1). Prints "done" on
// success.
import { once } from "node:events";
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { isMainThread, parentPort, threadId, Worker, workerData } from "node:worker_threads";
import { loadModel } from "../../lib/index.js";
import { inspect, load, save, Tensor } from "../../lib/torch/index.js";

interface Task {
  path: string;
  /** What the worker does with the loaded model */
  then:
    | "decode"
    | "generate on"
    | "read a stream"
    | "leave streams unread"
    | "queue streams"
    | "exit"
    | "stay"
    | "queue"
    | "save"
    | "make handles";
}

/** For the files that workers save */
const folder = mkdtempSync(join(tmpdir(), "sda-worker-"));

function ownMemory(): Tensor {
  return new Tensor("float32", [16 << 20], new Float32Array(16 << 20));
}

async function decoded(path: string): Promise<Float32Array> {
  const model = await loadModel(path);
  const { latentDim } = model.model;
  const mel = await model.model.decode({
    dtype: "float32",
    shape: [1, latentDim],
    data: new Float32Array(latentDim).fill(0.5),
  });
  model.dispose();
  return mel.data as Float32Array;
}

async function work({ path, then }: Task): Promise<void> {
  if (then === "decode") {
    parentPort?.postMessage(await decoded(path));
    return;
  }
  if (then === "make handles") {
    // Each call with a signal makes a native object.
    parentPort?.postMessage("making");
    for (;;) await inspect(path, { signal: new AbortController().signal });
  }
  if (then === "save") {
    // The reader's own buffers, mapped and in memory, and one that only JavaScript owns
    const values = [await load(path, { verify: false }), await load(path), ownMemory()];
    for (const value of values)
      for (let i = 0; i < 2; i++) void save(value, join(folder, `${threadId}-${i}.pt`));
    parentPort?.postMessage("saving");
    await new Promise((later) => setTimeout(later, 1000));
  }
  const model = await loadModel(path);
  if (then === "queue") {
    for (let i = 0; i < 40; i++) void model.generate({ durationS: 10, seed: i });
    model.dispose();
  }
  if (then === "generate on") {
    const onProgress = () => parentPort?.postMessage("generating");
    await model.generate({ durationS: 60, seed: 1, onProgress });
  }
  if (then === "read a stream") {
    for (;;) {
      for await (const piece of model.stream({ durationS: 60 })) {
        parentPort?.postMessage(piece.length);
      }
    }
  }
  if (then === "leave streams unread") {
    const streams = Array.from({ length: 8 }, (_, seed) => model.stream({ durationS: 60, seed }));
    for (const stream of streams) await stream.next();
    setInterval(() => streams.length, 1000);
  }
  if (then === "queue streams") {
    for (let seed = 0; seed < 20; seed++) {
      void model.stream({ durationS: 60, seed }).next();
      void model.generate({ durationS: 60, seed });
    }
    model.dispose();
  }
  parentPort?.postMessage("loaded");
  if (then === "exit") process.exit();
  setInterval(() => model.metadata.name, 1000);
}

function worker(path: string, then: Task["then"]): Worker {
  return new Worker(new URL(import.meta.url), {
    workerData: { path, then } satisfies Task,
  });
}

const often = (times: number) => Math.ceil(times * Number(process.argv[4]));

const same = (a: Float32Array, b: Float32Array) =>
  a.length === b.length && a.every((value, i) => value === b[i]);

const scenarios: Record<string, (path: string) => Promise<void>> = {
  async "several at once"(path) {
    const here = await decoded(path);
    const workers = Array.from({ length: 4 }, () => worker(path, "decode"));
    const messages = await Promise.all(workers.map((one) => once(one, "message")));
    for (const [mel] of messages) {
      if (!same(here, mel)) throw new Error("a worker decodes differently");
    }
    await Promise.all(workers.map((one) => one.terminate()));
  },
  async "terminated while generating"(path) {
    for (let i = 0; i < often(3); i++) {
      const one = worker(path, "generate on");
      await once(one, "message");
      await one.terminate();
    }
    await decoded(path); // the addon still works in this thread
  },
  async "terminated while it reads a stream"(path) {
    for (let i = 0; i < often(5); i++) {
      const one = worker(path, "read a stream");
      for (let piece = 0; piece < 2 * i + 1; piece++) await once(one, "message");
      await one.terminate();
    }
    await decoded(path);
  },
  async "terminated while streams wait for their readers"(path) {
    for (let i = 0; i < often(3); i++) {
      const one = worker(path, "leave streams unread");
      await once(one, "message");
      await new Promise((resolve) => setTimeout(resolve, 100 * i));
      await one.terminate();
    }
    await decoded(path);
  },
  async "terminated with streams and requests queued"(path) {
    for (let i = 0; i < often(5); i++) {
      const one = worker(path, "queue streams");
      await once(one, "message");
      await one.terminate();
    }
    await decoded(path);
  },
  async "terminated while another goes on"(path) {
    const model = await loadModel(path);
    const { audio } = await model.generate({ durationS: 10, seed: 1, loudness: "running" });
    const expected = audio[0] as Float32Array;
    const one = worker(path, "queue streams");
    await once(one, "message");
    let at = 0;
    for await (const piece of model.stream({ durationS: 10, seed: 1 })) {
      if (at === 0) await one.terminate();
      if (!same(piece, expected.subarray(at, at + piece.length)))
        throw new Error("the stream differs");
      at += piece.length;
    }
    if (at !== expected.length) throw new Error("the stream is not complete");
    await model.disposeAsync();
  },
  async "terminated with a model loaded"(path) {
    const one = worker(path, "stay");
    await once(one, "message");
    await one.terminate();
    await decoded(path);
  },
  async "terminated at random moments"(path) {
    for (let i = 0; i < often(12); i++) {
      const one = worker(path, "generate on");
      await new Promise((resolve) => setTimeout(resolve, 60 * i));
      await one.terminate();
    }
    await decoded(path);
  },
  async "terminated while native objects are made"(path) {
    for (let i = 0; i < often(25); i++) {
      const one = worker(path, "make handles");
      await once(one, "message");
      await new Promise((resolve) => setTimeout(resolve, Math.random() * 20));
      await one.terminate();
    }
  },
  async "terminated while it saves"(path) {
    for (let i = 0; i < often(25); i++) {
      const one = worker(path, "save");
      await once(one, "message");
      await new Promise((resolve) => setTimeout(resolve, Math.random() * 10));
      await one.terminate();
    }
  },
  async "disposed of, then terminated, with work queued"(path) {
    for (let i = 0; i < often(5); i++) {
      const one = worker(path, "queue");
      await once(one, "message");
      await one.terminate();
    }
    await decoded(path);
  },
  async "the process exits while a worker's work is queued"(path) {
    await decoded(path);
    const one = worker(path, "queue");
    await once(one, "message");
    console.log("done");
    process.exit();
  },
  async "a worker that exits by itself"(path) {
    const one = worker(path, "exit");
    await once(one, "exit");
    await decoded(path);
  },
};

if (isMainThread) {
  const [scenario = "", path = ""] = process.argv.slice(2);
  const run = scenarios[scenario];
  if (run === undefined) throw new Error(`no scenario "${scenario}"`);
  await run(path);
  console.log("done");
} else {
  await work(workerData as Task);
}
