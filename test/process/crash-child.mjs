// Plain JavaScript on the compiled library, because hundreds of these processes are killed.
//   node crash-child.mjs COMPILED-LIB FOLDER FIXTURES SEED [OPERATION...]
// Changes the folder's library until it is killed; or does the named operations and ends. Prints
// each change before it begins and again after it was acknowledged. What is written to a pipe
// survives the writer.
import { writeSync } from "node:fs";
import { join } from "node:path";

const [compiled, folder, fixtures, seed, ...operations] = process.argv.slice(2);
// Importing index.js would take longer than most of these processes live.
const { ModelLibrary } = await import(`${compiled}/library/model-library.js`);
const { deleteModel } = await import(`${compiled}/library/writes/delete.js`);
const { saveModelFromCheckpoint } = await import(`${compiled}/library/writes/convert.js`);
const { updateModel } = await import(`${compiled}/library/writes/update.js`);
const { saveModel } = await import(`${compiled}/library/writes/save.js`);
const { load, Tensor } = await import(`${compiled}/torch/index.js`);
const say = (...words) => writeSync(1, `${words.join(" ")}\n`);

let state = Number(seed);
const random = (n) => {
  state = (state * 48271 + 11) % 0x7fffffff;
  return state % n;
};
let count = 0;
const newId = (kind) => `${kind}-${seed}-${count++}`;

let library;
const known = (kind) => library.listAll().filter((e) => e.modelId.startsWith(`${kind}-`));
const pick = (list) => list[random(list.length)]?.modelId;

function entry(modelId) {
  return { ...library.listAll()[0], modelId, name: modelId, filePath: "keep.sda" };
}

/** Arguments of `saveModel` for a small model. */
async function smallModel() {
  const content = await load(join(fixtures, "models/tiny.sda"));
  const config = content.get("spectrogram_config");
  // The fixture's weights are expanded from a few numbers; a model's own take several writes.
  const weights = [...content.get("model_state_dict")].map(([name, { dtype, shape, data }]) => [
    name,
    new Tensor(dtype, shape, data.slice()),
  ]);
  return {
    source: { stateDict: new Map(weights), latentDim: content.get("latent_dim") },
    spectrogramConfig: {
      sampleRate: config.get("sample_rate"),
      nFft: config.get("n_fft"),
      hopLength: config.get("hop_length"),
      nMels: config.get("n_mels"),
    },
  };
}

const does = {
  async save() {
    const id = newId("model");
    const { source, spectrogramConfig } = small;
    say("adding", id);
    const metadata = { modelId: id, name: `crash ${random(5)}` };
    await saveModel(source, { modelsDir: folder, metadata, spectrogramConfig });
    say("added", id);
  },
  async convert() {
    const id = newId("model");
    say("adding", id);
    const metadata = { modelId: id, name: `crash ${random(5)}` };
    await saveModelFromCheckpoint(join(fixtures, "checkpoints/tiny.pt"), metadata, folder);
    say("added", id);
  },
  async add() {
    const ids = Array.from({ length: 1 + random(3) }, () => newId("entry"));
    for (const id of ids) say("adding", id);
    await Promise.all(ids.map((id) => library.addEntry(entry(id))));
    for (const id of ids) say("added", id);
  },
  async remove() {
    const id = pick(known("entry"));
    if (id === undefined) return;
    say("removing", id);
    await library.remove(id);
    say("removed", id);
  },
  /** Texts of different lengths also change the file's size. */
  async update() {
    const id = pick(known("model"));
    if (id === undefined) return;
    const name = `edited-${seed}-${count++}`;
    say("renaming", id, name);
    await updateModel(id, folder, { name, description: "x".repeat(random(500)), tags: [name] });
    say("renamed", id, name);
  },
  async relabel() {
    const id = pick(known("model").filter((e) => e.hasAnalysis));
    if (id === undefined) return;
    const label = `label-${seed}-${count++}`;
    say("labelling", id, label);
    await updateModel(id, folder, { componentLabels: [label, "b", "c"] });
    say("labelled", id, label);
  },
  async delete() {
    const id = pick(known("model"));
    if (id === undefined) return;
    say("removing", id);
    await deleteModel(id, folder);
    say("removed", id);
  },
};

// "ready" starts the clock of the kill, so the preparation comes before it.
const small = await smallModel();
say("ready");
try {
  library = await ModelLibrary.open(folder);
  for (const operation of operations) await does[operation]();
  const grow = ["save", "convert", "add", "update", "relabel"];
  const shrink = ["delete", "remove"];
  while (operations.length === 0) {
    // From 8 entries on, deletions outnumber additions.
    const order = library.count() < 8 ? grow : [...grow, ...shrink, ...shrink];
    await does[order[random(order.length)]]();
    await library.refresh();
  }
  say("end");
} catch (error) {
  say("failed", error.code, error.message);
}
