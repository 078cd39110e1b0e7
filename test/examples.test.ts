/** The README's first code is examples/play.mjs, and it runs as it stands, from the built package. */
import { spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, readFileSync, statSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { temporaryFolder } from "./support/folder.js";
import { engineBuilt } from "./support/native.js";

const root = fileURLToPath(new URL("..", import.meta.url));
const example = readFileSync(join(root, "examples/play.mjs"), "utf8");

test("the README shows examples/play.mjs", () => {
  expect(readFileSync(join(root, "README.md"), "utf8")).toContain(`\`\`\`js\n${example}\`\`\``);
});

test.skipIf(!engineBuilt || !existsSync(join(root, "dist/index.js")))("it plays", () => {
  const folder = temporaryFolder();
  mkdirSync(join(folder, "node_modules"));
  symlinkSync(root, join(folder, "node_modules/small-dataset-audio"), "dir");
  mkdirSync(join(folder, "assets/models"), { recursive: true });
  const model = "assets/models/synthetic-plucks.sda";
  cpSync(join(root, model), join(folder, model));
  cpSync(join(root, "examples/play.mjs"), join(folder, "play.mjs"));
  const ended = spawnSync(process.execPath, ["play.mjs"], { cwd: folder, encoding: "utf8" });
  expect(ended).toMatchObject({ status: 0, stderr: "" });
  expect(ended.stdout).toMatch(/^Synthetic Plucks 1\.\d+ s, /);
  expect(statSync(join(folder, "moved.wav")).size).toBeGreaterThan(200_000);
});
