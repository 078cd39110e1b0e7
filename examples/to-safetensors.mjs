// node to-safetensors.mjs IN.pt OUT.safetensors: converts a checkpoint's weights to safetensors,
// a format that holds tensors only
import { load, saveSafetensors, stateDict } from "small-dataset-audio/torch";

const [input, output] = process.argv.slice(2);
const tensors = stateDict(await load(input));
await saveSafetensors(tensors, output, { metadata: { format: "pt" } });

const full = [...tensors.values()].map(({ data }) => data).filter((data) => data.length > 0);
const bytes = full.reduce((sum, data) => sum + data.byteLength, 0);
console.log(`${tensors.size} tensors, ${bytes} bytes of elements`);
const sharing = full.length - new Set(full.map((data) => data.buffer)).size;
if (sharing > 0)
  console.log(`${sharing} tensors shared memory with others; the new file holds full copies`);
