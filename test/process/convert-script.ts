// Converts files of 256 MiB in 16 tensors both ways. argv: a folder for them. Prints by how many
// bytes the process's own memory has grown at most: RssAnon, without the pages of mapped files.
import { closeSync, openSync, readFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { convertCheckpoint } from "../../lib/torch/index.js";

const [folder = ""] = process.argv.slice(2);
const COUNT = 16;
const BYTES = 16 * 2 ** 20;
const INTERVAL_MS = 1;

/** Written by hand, so that the process does not hold the tensors. */
function write(path: string): void {
  const entry = (i: number) => ({
    dtype: "F32",
    shape: [BYTES / 4],
    data_offsets: [i * BYTES, (i + 1) * BYTES],
  });
  const entries = Array.from({ length: COUNT }, (_, i) => [`w${i}`, entry(i)]);
  const header = Buffer.from(JSON.stringify(Object.fromEntries(entries)));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(header.length));
  const file = openSync(path, "w");
  for (const bytes of [length, header]) writeSync(file, bytes);
  const piece = Buffer.alloc(2 ** 20, 7);
  for (let at = 0; at < COUNT * BYTES; at += piece.length) writeSync(file, piece);
  closeSync(file);
}

function ownMemory(): number {
  const [, kilobytes] =
    /^RssAnon:\s+(\d+) kB$/m.exec(readFileSync("/proc/self/status", "utf8")) ?? [];
  return Number(kilobytes) * 1024;
}

async function growth(work: () => Promise<unknown>): Promise<number> {
  const before = ownMemory();
  let most = before;
  const timer = setInterval(() => {
    most = Math.max(most, ownMemory());
  }, INTERVAL_MS);
  await work();
  clearInterval(timer);
  return Math.max(most, ownMemory()) - before;
}

const path = (name: string) => join(folder, name);
write(path("a.safetensors"));
await convertCheckpoint(path("a.safetensors"), path("a.pt"));
const grown = {
  "to safetensors": await growth(() => convertCheckpoint(path("a.pt"), path("b.safetensors"))),
  "to torch": await growth(() => convertCheckpoint(path("b.safetensors"), path("b.pt"))),
};
process.stdout.write(JSON.stringify(grown));
