// node concurrency-child.mjs COMPILED-LIB FOLDER FIXTURES NAME COUNT
// Adds COUNT models. Deletes every second one; edits the others and the model that all processes
// share. With COUNT 0 it only reads the library, until its input ends. Prints the ids that must be
// in the library afterwards.
import { readFileSync } from "node:fs";
import { join } from "node:path";

const [compiled, folder, fixtures, name, count] = process.argv.slice(2);
const { ModelLibrary } = await import(`${compiled}/library/model-library.js`);
const { deleteModel } = await import(`${compiled}/library/writes/delete.js`);
const { updateModel } = await import(`${compiled}/library/writes/update.js`);
const { saveModelFromCheckpoint } = await import(`${compiled}/library/writes/convert.js`);

const library = await ModelLibrary.open(folder);
process.stdout.write("ready\n");

async function write() {
  const kept = [];
  for (let i = 0; i < count; i++) {
    const modelId = `${name}-${i}`;
    const checkpoint = join(fixtures, "checkpoints/tiny.pt");
    // All processes ask for the same file names.
    await saveModelFromCheckpoint(checkpoint, { modelId, name: `model ${i % 5}` }, folder);
    if (i % 2 === 0) {
      kept.push(modelId);
      await updateModel(modelId, folder, { description: `of ${modelId}` });
      if (change) await updateModel(shared.modelId, folder, change(modelId));
    } else if (!(await deleteModel(modelId, folder))) throw new Error(`${modelId} was not there`);
  }
  return kept;
}

/** Each of the first four processes edits another field of the shared model. */
const fields = [
  (text) => ({ name: text }),
  (text) => ({ description: text }),
  (text) => ({ tags: [text] }),
  (text) => ({ componentLabels: [text, "b", "c"] }),
];
const change = fields[Number(/\d+$/.exec(name)?.[0])];
const shared = library.listAll().find((e) => e.filePath === "first.sda");

async function read() {
  let reads = 0;
  let ended = false;
  process.stdin.on("end", () => {
    ended = true;
  });
  process.stdin.resume();
  for (; !ended; reads++) {
    const changed = await library.refresh();
    for (const { modelId } of changed ? library.listAll() : []) library.get(modelId).name.length;
    // The index is whole whenever another program reads it. Python writes NaN, which is not JSON.
    JSON.parse(readFileSync(join(folder, "model_library.json"), "utf8").replaceAll(" NaN", " 0"));
    await new Promise((done) => setTimeout(done, 2));
  }
  return [String(reads)];
}

const result = Number(count) === 0 ? await read() : await write();
process.stdout.write(`${result.join(" ")}\n`);
