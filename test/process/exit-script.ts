// Brings a model to one stage of its life, then ends the process. argv: stage, model.
import { type LoadedModel, loadModel } from "../../lib/index.js";
import { load } from "../../lib/torch/index.js";

const [stage = "", path = ""] = process.argv.slice(2);
const EXPECTED_EXIT = 7;
const leave = (): never => process.exit(EXPECTED_EXIT);

/** Resolves when the first of many pieces has been generated. */
function generating(model: LoadedModel): Promise<void> {
  return new Promise((begun, failed) => {
    model.generate({ durationS: 60, seed: 1, onProgress: () => begun() }).catch(failed);
  });
}

const latent = (model: LoadedModel) =>
  model.model.decode({
    dtype: "float32",
    shape: [1, model.model.latentDim],
    data: new Float32Array(model.model.latentDim),
  });

const stages: Record<string, () => unknown> = {
  "nothing loaded": leave,
  async "while a file is read"() {
    void load(path);
    leave();
  },
  async "while a model is loaded"() {
    void loadModel(path);
    leave();
  },
  async "with a model loaded"() {
    await loadModel(path);
    leave();
  },
  async "while decoding"() {
    void latent(await loadModel(path));
    leave();
  },
  async "while generating"() {
    await generating(await loadModel(path));
    leave();
  },
  async "while generating, disposed of"() {
    const model = await loadModel(path);
    await generating(model);
    model.dispose();
    leave();
  },
  async "while work is queued"() {
    const model = await loadModel(path);
    for (let i = 0; i < 64; i++) void model.generate({ durationS: 10, seed: i });
    leave();
  },
  async "while a stream is read"() {
    for await (const _ of (await loadModel(path)).stream({ durationS: 60 })) leave();
  },
  async "while streams wait for their readers"() {
    const model = await loadModel(path);
    for (let i = 0; i < 8; i++) await model.stream({ durationS: 60 }).next();
    leave();
  },
  async "while streams are queued"() {
    const model = await loadModel(path);
    for (let i = 0; i < 64; i++) void model.stream({ durationS: 60 }).next();
    leave();
  },
  async "by an uncaught error while generating"() {
    await generating(await loadModel(path));
    setImmediate(() => {
      throw new Error("on purpose");
    });
  },
  async "by itself, model kept"() {
    await latent(await loadModel(path));
    process.exitCode = EXPECTED_EXIT;
  },
  async "by itself, work not awaited"() {
    const model = await loadModel(path);
    // Pending work keeps the process alive until it is done.
    void model.generate({ durationS: 1, seed: 1 }).then(() => {
      process.exitCode = EXPECTED_EXIT;
    });
  },
  async "by itself, a stream left early"() {
    const model = await loadModel(path);
    for await (const _ of model.stream({ durationS: 60 })) break;
    process.exitCode = EXPECTED_EXIT;
  },
  async "by itself, a stream not read to its end"() {
    const model = await loadModel(path);
    await model.stream({ durationS: 60 }).next();
    process.exitCode = EXPECTED_EXIT;
  },
  async "by itself, a piece not awaited"() {
    const model = await loadModel(path);
    void model
      .stream()
      .next()
      .then(() => {
        process.exitCode = EXPECTED_EXIT;
      });
  },
  async "by itself, with work begun in an exit handler"() {
    const model = await loadModel(path);
    process.once("exit", () => {
      void model.generate({ durationS: 10, seed: 1 });
    });
    process.exitCode = EXPECTED_EXIT;
  },
  async "by itself, disposal not awaited"() {
    const model = await loadModel(path);
    model.dispose();
    process.exitCode = EXPECTED_EXIT;
  },
};

const run = stages[stage];
if (run === undefined) throw new Error(`no stage "${stage}"`);
await run();
