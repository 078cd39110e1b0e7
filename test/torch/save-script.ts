// Saves one large tensor. argv: path, MiB. Prints how much the process's memory peaked above what it had
// with the tensor in it, in bytes, or the code of the error.
import { writeSync } from "node:fs";
import { save, Tensor } from "../../lib/torch/index.js";

const MIB = 2 ** 20;
const KIB = 2 ** 10;

const [path = "", size = "1"] = process.argv.slice(2);
const data = new Uint8Array(Number(size) * MIB);
for (let i = 0; i < data.length; i += 1024) data[i] = i; // pages of zeros take no memory

await save(new Map([["warm-up", new Tensor("uint8", [1], Uint8Array.of(1))]]), `${path}.warm-up`);
const before = process.resourceUsage().maxRSS * KIB;
writeSync(1, "saving\n");
try {
  await save(new Map([["tensor", new Tensor("uint8", [data.length], data)]]), path);
  console.log(process.resourceUsage().maxRSS * KIB - before);
} catch (error) {
  const { code, details } = error as { code?: string; details?: { errno?: number } };
  console.log(code, details?.errno);
}
