/** npm run bench:docs: writes the figures of bench/results into doc/benchmarks.md. */
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { withFigures } from "./support/document.js";
import { KEPT } from "./support/results.js";

const DOCUMENT = fileURLToPath(new URL("../doc/benchmarks.md", import.meta.url));

try {
  writeFileSync(DOCUMENT, withFigures(readFileSync(DOCUMENT, "utf8"), KEPT));
} catch (error) {
  process.stderr.write(`error: ${error instanceof Error ? error.message : error}\n`);
  process.exitCode = 2;
}
