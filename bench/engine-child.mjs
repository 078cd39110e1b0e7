// Measures seconds of sound per second for a number of concurrent calls, using all models of a
// folder in turn. Ends when its parent disconnects.
import { ModelCache, ModelLibrary } from "../dist/index.js";

const [folder, atOnce] = process.argv.slice(2);
const library = await ModelLibrary.open(folder);
const paths = await Promise.all(library.listAll().map(({ modelId }) => library.pathOf(modelId)));
const cache = new ModelCache({ device: "cpu" });
let next = 0;

process.on("message", async ({ seconds }) => {
  const begin = performance.now();
  const end = begin + seconds * 1e3;
  let done = 0;
  const caller = async () => {
    while (performance.now() < end) {
      const seed = next++;
      await cache.use(paths[seed % paths.length], (model) =>
        model.generate({ durationS: 1, seed }),
      );
      done++;
    }
  };
  await Promise.all(Array.from({ length: Number(atOnce) }, caller));
  process.send({ secondsPerSecond: (done * 1e3) / (performance.now() - begin) });
});
process.once("disconnect", () => cache.dispose());
