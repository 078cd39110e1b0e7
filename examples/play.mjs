import { loadModel, writeWav } from "small-dataset-audio";

const model = await loadModel("assets/models/synthetic-plucks.sda");
const sliders = model.sliders().map((_, i) => (i === 0 ? 5 : 0)); // the first one half way up
const sound = await model.generate({ sliders, durationS: 2, seed: 7 });
await writeWav("moved.wav", sound);
console.log(model.metadata.name, sound.durationS, "s,", sound.quality.ratingReason);
model.dispose();
