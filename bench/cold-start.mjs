// Loads a model and decodes one mel. The caller times the whole process.
import { loadModel } from "../dist/index.js";

const { model } = await loadModel(process.argv[2]);
const shape = [1, model.latentDim];
const mel = await model.decode({ dtype: "float32", shape, data: new Float32Array(shape[1]) });
console.log(mel.shape, mel.data.length);
