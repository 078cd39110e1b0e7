/** README's recipes run unchanged with the built packages, and README stays short. */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, describe, expect, test, vi } from "vitest";
import { engineBuilt } from "../support/native.js";
import { call, global, pickle, str } from "../support/pickle-builder.js";
import { torchZip } from "../support/zip-builder.js";
import { fixture, readText, root } from "./tables.js";
import { codeBlocks, workplace } from "./workplace.js";

const readme = readText("README.md");
const recipes = codeBlocks(readme);
const [play, plugin, read] = recipes as [string, string, string];
const MODEL = "assets/models/synthetic-plucks.sda";

/** A folder with the recipe as code.mjs, where it finds the packages. */
function recipeWorkplace(code: string): string {
  const folder = workplace("small-dataset-audio-server", "fastify");
  writeFileSync(join(folder, "code.mjs"), code);
  return folder;
}

function run(folder: string) {
  return spawnSync(process.execPath, ["code.mjs"], { cwd: folder, encoding: "utf8" });
}

test("README has at most 120 lines, and three recipes of at most eight", () => {
  expect(readme.trimEnd().split("\n").length).toBeLessThanOrEqual(120);
  expect(recipes).toHaveLength(3);
  for (const recipe of recipes) expect(recipe.trimEnd().split("\n").length).toBeLessThanOrEqual(8);
});

test("README's screenshot has at most 200 KB", () => {
  const [, picture = ""] = /!\[[^\]]+\]\(([^)]+\.png)\)/.exec(readme) ?? [];
  expect(statSync(join(root, picture)).size).toBeLessThanOrEqual(200_000);
});

test("README's commands for a checkout are npm scripts", () => {
  const { scripts } = JSON.parse(readText("package.json"));
  const setUp = [...readme.matchAll(/^(\.\/\S+) && npm ci && npm (?:run )?(\w+)$/gm)];
  expect(setUp.map(([, script, command]) => [script, command])).toEqual([
    ["./scripts/setup.sh", "play"],
    ["./scripts/setup.sh", "test"],
  ]);
  for (const [, , command = ""] of setUp) expect(scripts).toHaveProperty(command);
});

const built = existsSync(join(root, "dist/index.js"));
const serverBuilt = existsSync(join(root, "server/dist/index.js"));

test.skipIf(!built || !engineBuilt)("the first recipe makes a sound", () => {
  const folder = recipeWorkplace(play);
  mkdirSync(join(folder, "assets/models"), { recursive: true });
  cpSync(join(root, MODEL), join(folder, MODEL));
  const ended = run(folder);
  expect(ended).toMatchObject({ status: 0, stderr: "" });
  expect(ended.stdout).toMatch(/^Synthetic Plucks 1\.\d+ s, /);
  expect(statSync(join(folder, "moved.wav")).size).toBeGreaterThan(200_000);
});

describe.skipIf(!built || !serverBuilt || !engineBuilt)("the second recipe", () => {
  let child: ChildProcess | undefined;
  afterEach(() => child?.kill());

  test("serves the page and its API", async () => {
    expect(plugin).toContain("port: 8080");
    const tell = "\nprocess.send(app.server.address().port);\n";
    const folder = recipeWorkplace(plugin.replace("port: 8080", "port: 0") + tell);
    mkdirSync(join(folder, "data/models"), { recursive: true });
    cpSync(join(root, MODEL), join(folder, "data/models/plucks.sda"));
    child = spawn(process.execPath, ["code.mjs"], {
      cwd: folder,
      stdio: ["ignore", "inherit", "inherit", "ipc"],
    });
    const told = vi.fn();
    child.on("message", told);
    await vi.waitFor(() => expect(told).toHaveBeenCalled(), 100_000);
    const url = `http://localhost:${told.mock.calls[0]?.[0]}`;
    const page = await fetch(url);
    expect(await page.text()).toContain("<title>Small DataSet Audio</title>");
    const models = (await (await fetch(`${url}/api/models`)).json()) as { total: number };
    expect(models.total).toBe(1);
  });
});

test.skipIf(!built)("the third recipe reads a checkpoint, and refuses one that runs code", () => {
  const folder = recipeWorkplace(`${read}\nconsole.log([...checkpoint.keys()].join(" "));\n`);
  cpSync(fixture("checkpoints/tiny.pt"), join(folder, "model.pt"));
  const ended = run(folder);
  expect(ended).toMatchObject({ status: 0, stderr: "" });
  expect(ended.stdout).toContain("model_state_dict");
  const hostile = torchZip(pickle(call(global("os", "system"), str("echo owned")))).bytes;
  writeFileSync(join(folder, "model.pt"), hostile);
  const refused = run(folder);
  expect(refused.status).toBe(1);
  expect(refused.stderr).toContain("Python would run os.system");
});
