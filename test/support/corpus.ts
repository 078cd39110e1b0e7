import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { needs } from "./needs.js";

const standard = fileURLToPath(new URL("../../../shared/corpus", import.meta.url));
const place = process.env["SDA_CORPUS"] ?? standard;

/** The folder of real files and of what the Python program computed from them; null where it is absent. */
export const corpus: string | null = existsSync(join(place, "golden")) ? place : null;

needs(corpus !== null, "no corpus of real files (SDA_CORPUS)");

export function corpusFile(...parts: string[]): string {
  return join(corpus ?? place, ...parts);
}

/** golden/<name>.json; {} where the corpus is absent, so that tables of tests can be built from it. */
// biome-ignore lint/suspicious/noExplicitAny: the files are the corpus's, their shape is its README's
export function golden(name: string): any {
  return corpus === null
    ? {}
    : JSON.parse(readFileSync(corpusFile("golden", `${name}.json`), "utf8"));
}

/** A golden .f32 file, little-endian float32, by the path its JSON gives. */
export function goldenFloats(file: string): Float32Array {
  const bytes = readFileSync(corpusFile(file));
  return new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length));
}
