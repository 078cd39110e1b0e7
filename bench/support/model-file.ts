import { existsSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** The model to measure: the named one, or else the corpus's default, or else the bundled one. */
export function modelFile(named?: string): string {
  if (named !== undefined) return named;
  const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));
  const corpus = process.env["SDA_CORPUS"] ?? here("../../../shared/corpus");
  const model = join(corpus, "models/default.sda");
  return existsSync(model) ? model : here("../../assets/models/synthetic-plucks.sda");
}
