// npm runs this after `npm install` and `npm ci` in a checkout, never for users of the published
// package. Plain JavaScript, because an install without development dependencies has no tsx.
import { spawnSync } from "node:child_process";
import { createRequire } from "node:module";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";

try {
  createRequire(import.meta.url).resolve("tsx");
} catch {
  console.error("small-dataset-audio: no development dependencies, so nothing is built.");
  process.exit(0);
}
const args = ["--import", "tsx", "scripts/build.ts", "all"];
const cwd = dirname(dirname(fileURLToPath(import.meta.url)));
process.exit(spawnSync(process.execPath, args, { cwd, stdio: "inherit" }).status ?? 1);
