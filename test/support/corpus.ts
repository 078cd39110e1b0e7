import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { needs } from "./needs.js";

const standard = fileURLToPath(new URL("../../../shared/corpus", import.meta.url));
const place = process.env["SDA_CORPUS"] ?? standard;

/** The folder of real files and the values Python computed from them; null if there is none. */
export const corpus: string | null = existsSync(join(place, "golden")) ? place : null;

needs(corpus !== null, "no corpus of real files (SDA_CORPUS)");

export function corpusFile(...parts: string[]): string {
  return join(corpus ?? place, ...parts);
}

/** golden/<name>.json, or {} without a corpus, so that tables of tests can be built from it. */
// biome-ignore lint/suspicious/noExplicitAny: the corpus's README describes the files
export function golden(name: string): any {
  return corpus === null
    ? {}
    : JSON.parse(readFileSync(corpusFile("golden", `${name}.json`), "utf8"));
}

/** The values of a golden .f32 file (little-endian float32). `file` is the path in its JSON. */
export function goldenFloats(file: string): Float32Array {
  const bytes = readFileSync(corpusFile(file));
  return new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length));
}
