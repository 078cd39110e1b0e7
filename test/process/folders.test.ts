/** Presets and history with many writers, killed writers, and a Python program beside them. */
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { expect, test } from "vitest";
import { parsePythonJson } from "../../lib/base/python-json.js";
import { History, PresetStore } from "../../lib/index.js";
import { compiled } from "../support/compiled.js";
import { count } from "../support/effort.js";
import { temporaryFolder } from "../support/folder.js";
import { python } from "../support/python.js";
import { warningsOf } from "../support/warnings.js";
import { LONG_TEST } from "./run.js";

const WRITERS = 4;
const CHANGES = count({ quick: 9, full: 60 });
const KILLS = count({ quick: 15, full: 200 });
const LONGEST_LIFE_MS = 150;

/** What was last said about each preset and sound: "adding", "added", "removing" or "removed". */
type Fates = Map<string, string>;

function start(folder: string, name: string, changes: number): ChildProcess {
  const script = fileURLToPath(new URL("folders-child.mjs", import.meta.url));
  const args = [script, pathToFileURL(compiled("lib")).href, folder, name, String(changes)];
  return spawn(process.execPath, args, {
    stdio: ["ignore", "pipe", "inherit"],
    env: { ...process.env, NODE_NO_WARNINGS: "1" },
  });
}

/** Waits for the child's end. @returns whether it made all its changes */
async function follow(child: ChildProcess, fates: Fates, onReady?: () => void): Promise<boolean> {
  let output = "";
  child.stdout?.setEncoding("utf8").on("data", (text: string) => {
    if (output === "") onReady?.();
    output += text;
  });
  await new Promise((done) => child.on("close", done));
  for (const line of output.split("\n")) {
    const [fate = "", kind, label] = line.split(" ");
    if (label !== undefined) fates.set(`${kind} ${label}`, fate);
  }
  return output.endsWith("end\n");
}

/** Compares the folders with what was acknowledged. */
async function check(folder: string, fates: Fates): Promise<void> {
  const presets = await PresetStore.open(join(folder, "presets"), "model");
  const history = await History.open(join(folder, "history"));
  const sounds = history.list();
  const found = new Set([
    ...presets.list().map((p) => `preset ${p.name}`),
    ...sounds.map((e) => `sound ${e.presetName}`),
  ]);
  for (const [label, fate] of fates) {
    if (fate === "added") expect(found, label).toContain(label);
    if (fate === "removed") expect(found, label).not.toContain(label);
  }
  for (const label of found) expect(fates.has(label), label).toBe(true);
  // Each entry has its files, whole.
  for (const { audioFile, thumbnailFile } of sounds) {
    expect(readFileSync(join(folder, "history", audioFile)).length).toBe(44 + 300);
    expect(existsSync(join(folder, "history", thumbnailFile))).toBe(true);
  }
}

test(`${WRITERS} processes add and delete presets and sounds`, LONG_TEST, async () => {
  const folder = temporaryFolder();
  const fates: Fates = new Map();
  const writers = Array.from({ length: WRITERS }, (_, i) => start(folder, `w${i}`, CHANGES));
  const ended = await Promise.all(writers.map((writer) => follow(writer, fates)));
  expect(ended).toEqual(Array(WRITERS).fill(true));
  expect(fates.size).toBe(2 * WRITERS * CHANGES);
  await check(folder, fates);
  expect([...fates.values()].filter((fate) => fate === "added")).toHaveLength(
    (2 * WRITERS * CHANGES * 2) / 3,
  );
  // No file is left of a deleted sound, and no temporary file.
  const left = (2 * WRITERS * CHANGES) / 3;
  expect(readdirSync(join(folder, "history/audio"))).toHaveLength(left);
  expect(readdirSync(join(folder, "history/thumbnails"))).toHaveLength(left);
  expect(readdirSync(join(folder, "presets/model")).sort()).toEqual([
    ".presets.lock",
    "presets.json",
    "presets.json.bak",
  ]);
});

test(`${KILLS} killed processes leave whole files`, LONG_TEST, async () => {
  const folder = temporaryFolder();
  const fates: Fates = new Map();
  let interrupted = 0;
  const warnings = await warningsOf(async () => {
    for (let i = 0; i < KILLS; i++) {
      const child = start(folder, `k${i}`, 1_000_000);
      // Some processes end before their first change, others after many.
      const life = (LONGEST_LIFE_MS * (i + 1)) / KILLS;
      await follow(child, fates, () => setTimeout(() => child.kill("SIGKILL"), life));
      await check(folder, fates);
      // An unacknowledged change is settled by what the files say now.
      for (const [label, fate] of fates) if (fate.endsWith("ing")) fates.set(label, "unknown");
      interrupted += [...fates.values()].some((fate) => fate === "unknown") ? 1 : 0;
    }
  });
  expect(interrupted).toBeGreaterThan(0);
  expect(warnings).toEqual([]); // nothing had to be restored
  const presets = await PresetStore.open(join(folder, "presets"), "model");
  await presets.save({ name: "last", sliderPositions: [1] });
  expect(readdirSync(presets.path).filter((name) => name.endsWith(".tmp"))).toEqual([]);
});

const PYTHON_WRITER = `
import json, os, sys, time
path, count = sys.argv[1], int(sys.argv[2])
for i in range(count):
    with open(path) as file: data = json.load(file)
    data["presets"][f"python-{i}"] = {"preset_id": f"python-{i}", "name": f"python-{i}",
        "folder": "", "slider_positions": [i], "n_components": 1, "seed": None, "created": "",
        "modified": "", "description": "", "of python": 0.0}
    with open(path + ".new", "w") as file: json.dump(data, file, indent=2)
    os.replace(path + ".new", path)
    time.sleep(0.003)`;

test.skipIf(python === null)(
  "no preset of a Python program that takes no lock is lost",
  LONG_TEST,
  async () => {
    const folder = join(temporaryFolder(), "presets");
    const presets = await PresetStore.open(folder, "model");
    await presets.save({ name: "first", sliderPositions: [0] });
    const path = join(folder, "model/presets.json");
    const writer = spawn(python as string, ["-c", PYTHON_WRITER, path, "100"], {
      stdio: ["ignore", "ignore", "inherit"],
    });
    let code: number | null | undefined;
    const ended = new Promise<void>((done) => {
      writer.on("close", (status) => {
        code = status;
        done();
      });
    });
    let saved = 0;
    while (code === undefined)
      await presets.save({ name: `ours-${saved++}`, sliderPositions: [1] });
    await ended;
    expect(code).toBe(0);
    expect(saved).toBeGreaterThan(5);
    await presets.refresh();
    const found = presets.list().map((p) => p.name);
    // The Python program may overwrite a preset of ours, as it takes no lock; we overwrite none.
    for (let i = 0; i < 100; i++) expect(found).toContain(`python-${i}`);
    expect(found).toContain("first");
    expect(readFileSync(path, "utf8").match(/"of python": 0\.0/g)).toHaveLength(100);
    parsePythonJson(readFileSync(path, "utf8"));
  },
);
