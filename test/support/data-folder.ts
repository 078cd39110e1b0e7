/** The folders of the Python program: those of the repository, and real ones where they are. */
import { cpSync, existsSync, readdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { corpusFile } from "./corpus.js";
import { temporaryFolder } from "./folder.js";
import { needs } from "./needs.js";

/** Made by scripts/python/make_folders.py. */
export const FIXTURES = fileURLToPath(new URL("../fixtures/data", import.meta.url));
/** The model of the presets in `FIXTURES`. */
export const MODEL_ID = "11111111-2222-4333-8444-555555555555";

const corpusData = join(dirname(corpusFile()), "corpus-distill");
const hasCorpus = existsSync(join(corpusData, "presets"));
needs(hasCorpus, "no corpus of the program's folders (beside SDA_CORPUS)");

/** All folders with `presets`, `history` and `exported`. */
export const DATA_FOLDERS = hasCorpus ? [FIXTURES, corpusData] : [FIXTURES];

/** Pairs of a folder of presets and the id of its model. */
export const PRESETS = DATA_FOLDERS.flatMap((data) =>
  readdirSync(join(data, "presets")).map((id) => [join(data, "presets"), id] as const),
);

/** A copy of the repository's folders, which a test may change. */
export function dataFolder(): string {
  const folder = temporaryFolder();
  cpSync(FIXTURES, folder, { recursive: true });
  return folder;
}
