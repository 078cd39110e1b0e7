import { type ChildProcess, type SpawnSyncOptions, spawn, spawnSync } from "node:child_process";
import { chmodSync, existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { saveModelFromCheckpoint } from "../../lib/index.js";
import { compiled } from "../support/compiled.js";
import { corpus, corpusFile } from "../support/corpus.js";
import { effort } from "../support/effort.js";
import { fixture } from "../support/fixtures.js";
import { temporaryFolder } from "../support/folder.js";
import { engineBuilt } from "../support/native.js";

const main = compiled("lib/cli/main.ts");

function start(...args: string[]) {
  const child = spawn(process.execPath, [main, ...args]);
  let stdout = "";
  let stderr = "";
  child.stdout.on("data", (text) => {
    stdout += text;
  });
  child.stderr.on("data", (text) => {
    stderr += text;
  });
  const ended = new Promise<{ code: number | null; stdout: string; stderr: string }>((done) => {
    child.on("close", (code) => done({ code, stdout, stderr }));
  });
  return { child, ended };
}

describe("the sda process", () => {
  it("exits with the command's code", async () => {
    expect((await start("--version").ended).code).toBe(0);
    expect((await start("generate").ended).code).toBe(2);
  });
});

describe.skipIf(corpus === null || !engineBuilt)("sda generate, in a process of its own", () => {
  const model = corpusFile("models", "default.sda");

  it("moves sliders and writes the same WAV each time", async () => {
    const folders = [temporaryFolder(), temporaryFolder()];
    for (const folder of folders) {
      const args = ["-s", "5", "--slider", "0:5", "--slider", "2:-3", "-o", folder, "--json"];
      const { code, stdout } = await start("generate", model, "--device", "cpu", ...args).ended;
      expect(code).toBe(0);
      expect(JSON.parse(stdout).files[0]).toMatchObject({ seed: 5, sampleRate: 48000 });
    }
    const [first, second] = folders.map((folder) =>
      readFileSync(join(folder, "kitchen_drums_5.wav")),
    );
    expect(first).toEqual(second);
    expect(first?.length).toBeGreaterThan(100_000);
  });

  it.each([
    ["SIGINT", 130],
    ["SIGHUP", 129],
    ["SIGTERM", 143],
  ] as const)("ends at %s with %i and leaves nothing behind", async (signal, expected) => {
    const folder = join(temporaryFolder(), "sounds");
    const { child, ended } = start("generate", model, "-d", "60", "-n", "100", "-o", folder);
    await untilWorking(child, folder);
    child.kill(signal);
    const { code, stderr } = await ended;
    expect(code).toBe(expected);
    expect(stderr).toContain("interrupted");
    expect(readdirSync(folder).filter((name) => !name.endsWith(".wav"))).toEqual([]);
  });
});

/** The folder is made once the model is loaded, right before the first sound. */
async function untilWorking(child: ChildProcess, folder: string): Promise<void> {
  while (!existsSync(folder)) {
    if (child.exitCode !== null) throw new Error(`it ended with ${child.exitCode}`);
    await new Promise((done) => setTimeout(done, 10));
  }
}

const demo = fileURLToPath(new URL("../../assets/models/synthetic-plucks.sda", import.meta.url));
const linux = process.platform === "linux";

/** Runs a line of shell, in which $SDA is the command. */
function shell(line: string, options: SpawnSyncOptions = {}) {
  const SDA = `"${process.execPath}" "${main}"`;
  const env = { ...process.env, ...options.env };
  const child = spawnSync("bash", ["-c", line.replaceAll("$SDA", SDA)], {
    ...options,
    env,
    encoding: "utf8",
  });
  return { code: child.status, stdout: child.stdout, stderr: child.stderr };
}

describe.skipIf(!engineBuilt || !linux)("sda generate where there is no room", () => {
  it("leaves nothing half written, says so in one line and fails", () => {
    const folder = temporaryFolder();
    // At most 50 kB a file: too little for the sound, as on a full disk
    const { code, stderr } = shell(
      `ulimit -f 50; $SDA generate "${demo}" -d 2 -o "${folder}" --device cpu --plot`,
    );
    expect(code).toBe(1);
    expect(stderr).toMatch(/^error: [^\n]*\.wav can't be written: [^\n]*\(ERR_SDA_IO\)\n$/);
    expect(readdirSync(folder)).toEqual([]);
  });

  it.each(["-o /proc/nowhere", `-o "${demo}"`, `-o "${demo}/below"`])("refuses %s", (output) => {
    const { code, stderr } = shell(`$SDA generate "${demo}" -d 0.2 --device cpu ${output}`);
    expect(code).toBe(1);
    expect(stderr).toMatch(/^error: the folder [^\n]* can't be created: [^\n]*\(ERR_SDA_IO\)\n$/);
  });
});

describe.runIf(process.platform !== "win32")("sda in a pipe or a poor environment", () => {
  it("ends quietly when its reader closes the pipe", () => {
    const many = `$SDA inspect "${demo}" --json`;
    const { code, stdout, stderr } = shell(`${many} | head -c 1; echo " \${PIPESTATUS[0]}"`);
    // 0 if the whole output was written before the pipe was closed
    expect(stdout).toMatch(/^\{ (141|0)\n$/);
    expect(stderr).toBe("");
    expect(code).toBe(0);
    const closed = shell(`$SDA model list --models-dir "${temporaryFolder()}" --json | true`);
    expect(closed.stderr).toBe("");
  });

  it.runIf(linux)("says in one line that stdout's disk is full, and fails", () => {
    const { code, stderr } = shell(`$SDA inspect "${demo}" --json > /dev/full`);
    expect(code).toBe(1);
    expect(stderr).toMatch(/^error: stdout: ENOSPC.*\n$/);
  });

  it.runIf(linux)("fails when only a part of its output was written", () => {
    const file = join(temporaryFolder(), "found.json");
    const { code, stderr } = shell(`ulimit -f 1; $SDA inspect "${demo}" --json > "${file}"`);
    expect(code).toBe(1);
    expect(stderr).toMatch(/^error: .*EFBIG.*\n$/);
  });

  it("prints only JSON on stdout, whatever the warnings", () => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, "model_library.json"), "{ damaged");
    const { code, stdout, stderr } = shell(`$SDA model list --models-dir "${folder}" --json`);
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toEqual([]);
    expect(stderr).toMatch(/^warning: .*model_library\.json is damaged/);
    expect(stderr).not.toContain("node:");
  });

  it("needs no HOME", () => {
    const folder = temporaryFolder();
    const homes = ["unset HOME;", "HOME=/nonexistent;", "HOME=;"];
    for (const home of homes) {
      const listed = shell(`${home} $SDA model list --models-dir "${folder}"`);
      expect(listed).toMatchObject({ code: 0, stdout: "" });
    }
    // `sda doctor` starts LibTorch, which takes long.
    for (const home of effort({ quick: homes.slice(0, 1), full: homes })) {
      const checked = shell(`${home} $SDA doctor --json`);
      expect(JSON.parse(checked.stdout).reader.ok).toBe(true);
    }
  });

  it("never asks where there is no terminal", () => {
    const folder = temporaryFolder();
    const copied = shell(
      `cp "${demo}" "${folder}/a.sda" && $SDA model repair --models-dir "${folder}" && yes | $SDA model delete "${folder}/a.sda" --models-dir "${folder}"`,
    );
    expect(copied.code).toBe(2);
    expect(copied.stderr).toContain("no terminal to ask on; use --force to delete");
    expect(readdirSync(folder)).toContain("a.sda");
  });
});

/** Root may read and write anything, so these tests run as user nobody. */
const NOBODY = 65534;
const asNobody: SpawnSyncOptions | null =
  process.getuid?.() !== 0
    ? {}
    : spawnSync(process.execPath, [main], { uid: NOBODY, gid: NOBODY }).error === undefined &&
        spawnSync("cat", [main], { uid: NOBODY, gid: NOBODY }).status === 0
      ? { uid: NOBODY, gid: NOBODY, env: { HOME: "/nonexistent" } }
      : null;

describe.skipIf(!linux || asNobody === null)("sda without the rights", () => {
  const one = (line: string) => shell(line, { ...asNobody });
  const oneLine = (stderr: string) => expect(stderr).toMatch(/^error: [^\n]*\(ERR_SDA_\w+\)\n$/);

  it("reports a folder and files that may not be read", () => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, "secret.sda"), "");
    chmodSync(join(folder, "secret.sda"), 0o600);
    chmodSync(folder, 0o755);
    if (process.getuid?.() === 0) {
      const inspected = one(`$SDA inspect "${folder}/secret.sda"`);
      expect(inspected.code).toBe(1);
      oneLine(inspected.stderr);
      expect(inspected.stderr).toContain("ERR_SDA_IO");
    }
    chmodSync(folder, 0o000);
    const commands = [
      "model list --models-dir",
      "model repair --models-dir",
      "model verify --models-dir",
      "inspect --all",
    ];
    for (const command of commands) {
      const { code, stderr } = one(`$SDA ${command} "${folder}"`);
      expect([command, code]).toEqual([command, 1]);
      oneLine(stderr);
      expect(stderr).toContain("EACCES");
    }
    const debug = one(`$SDA model list --models-dir "${folder}" --debug`);
    expect(debug.stderr).toMatch(/\n +at /);
    chmodSync(folder, 0o700);
  });

  it("reads a library that may not be written, and changes nothing in it", async () => {
    const folder = temporaryFolder();
    await saveModelFromCheckpoint(fixture("checkpoints/tiny.pt"), { name: "Alpha" }, folder);
    chmodSync(folder, 0o555);
    const before = readdirSync(folder).sort();
    const dir = `--models-dir "${folder}"`;
    expect(one(`$SDA model list ${dir}`)).toMatchObject({ code: 0 });
    expect(one(`$SDA model info alpha ${dir}`)).toMatchObject({ code: 0 });
    expect(one(`$SDA model verify ${dir}`)).toMatchObject({ code: 0 });
    for (const command of [
      "model delete alpha --force",
      `model import "${fixture("checkpoints/tiny.pt")}"`,
    ]) {
      const { code, stderr } = one(`$SDA ${command} ${dir}`);
      expect([command, code, stderr]).toEqual([
        command,
        1,
        expect.stringMatching(/EACCES|Permission denied/),
      ]);
      oneLine(stderr);
    }
    chmodSync(folder, 0o755);
    expect(readdirSync(folder).sort()).toEqual(before);
  });
});
