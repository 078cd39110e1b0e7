// Saves one large value. argv: path, MiB, kind of value. Prints the growth of the process's peak
// memory during the save in bytes, or the code of the error.
import { writeSync } from "node:fs";
import { NdArray, save, Tensor } from "../../lib/torch/index.js";

const MIB = 2 ** 20;
const KIB = 2 ** 10;

const [path = "", size = "1", kind = "tensor"] = process.argv.slice(2);
const data = new Uint8Array(Number(size) * MIB);
for (let i = 0; i < data.length; i += 1024) data[i] = i / 1024; // untouched pages take no memory
const { length } = data;
const values = {
  tensor: () => new Tensor("uint8", [length], data),
  array: () => new NdArray("float32", [length / 4], new Float32Array(data.buffer)),
  columns: () => new NdArray("float32", [16, length / 64], new Float32Array(data.buffer), true),
  bytes: () => data,
};

await save(new Map([["warm-up", new Tensor("uint8", [1], Uint8Array.of(1))]]), `${path}.warm-up`);
const before = process.resourceUsage().maxRSS * KIB;
writeSync(1, "saving\n");
try {
  await save(new Map([["value", values[kind as keyof typeof values]()]]), path);
  console.log(process.resourceUsage().maxRSS * KIB - before);
} catch (error) {
  const { code, details } = error as { code?: string; details?: { errno?: number } };
  console.log(code, details?.errno);
}
