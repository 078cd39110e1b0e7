/** Writes the figures of bench/results into README's marked sections: npm run bench:readme, after a full npm run bench. */
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { withFigures } from "./support/readme.js";
import { KEPT } from "./support/results.js";

const README = fileURLToPath(new URL("../README.md", import.meta.url));

try {
  writeFileSync(README, withFigures(readFileSync(README, "utf8"), KEPT));
} catch (error) {
  process.stderr.write(`error: ${error instanceof Error ? error.message : error}\n`);
  process.exitCode = 2;
}
