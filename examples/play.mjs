import { loadModel, writeWav } from "small-dataset-audio";

const model = await loadModel("assets/models/synthetic-plucks.sda");
const positions = model.sliders().map(() => 0);
positions[0] = 5; // the first slider, half way to its end

const sound = await model.generate({ sliders: positions, durationS: 2, seed: 7 });
await writeWav("moved.wav", sound);
console.log(model.metadata.name, sound.durationS, "s,", sound.quality.ratingReason);
model.dispose();
