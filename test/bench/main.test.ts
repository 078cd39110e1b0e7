import { spawn } from "node:child_process";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { earlierResults, writeResult } from "../../bench/support/results.js";
import type { Result } from "../../bench/support/schema.js";
import { temporaryFolder } from "../support/folder.js";
import { engineBuilt } from "../support/native.js";
import { around, result, row } from "./made-up.js";

const MAIN = fileURLToPath(new URL("../../bench/main.ts", import.meta.url));

const BUNDLED = fileURLToPath(new URL("../../assets/models/synthetic-plucks.sda", import.meta.url));

function bench(
  env: NodeJS.ProcessEnv,
  ...args: string[]
): Promise<{ code: number | null; stdout: string; stderr: string }> {
  const child = spawn(process.execPath, ["--import", "tsx", MAIN, ...args], {
    env: { ...process.env, ...env },
  });
  let [stdout, stderr] = ["", ""];
  child.stdout.on("data", (text) => {
    stdout += text;
  });
  child.stderr.on("data", (text) => {
    stderr += text;
  });
  return new Promise((done) => child.on("close", (code) => done({ code, stdout, stderr })));
}

const compare = (...args: string[]) => bench({}, ...args);

function folderOf(...results: Result[]): string {
  const folder = temporaryFolder();
  for (const each of results) writeResult(folder, each);
  return folder;
}

const taking = (ms: number, cpu?: string) => result([row("one", around(ms))], [], cpu);

describe("npm run bench", () => {
  it.skipIf(!engineBuilt)(
    "measures each suite in a process of its own, without Python, too",
    async () => {
      const out = join(temporaryFolder(), "out");
      const args = ["torch", "cuda", BUNDLED, "--quick", "--out", out];
      const { code, stdout } = await bench({ SDA_PYTHON: "/nonexistent" }, ...args);
      expect(code).toBe(0);
      expect(readdirSync(out)).toEqual(
        expect.arrayContaining(["cuda.json", "torch.json", "torch.svg"]),
      );
      const torch = earlierResults(out, ["torch", "cuda"]).get("torch");
      expect(torch).toMatchObject({
        quick: true,
        peers: {},
        model: { file: "synthetic-plucks.sda" },
      });
      expect(torch?.environment.engine?.threads).toBeGreaterThanOrEqual(1);
      expect(torch?.environment.memory).toBeGreaterThan(2 ** 28);
      expect(torch?.rows.map(({ name }) => name)).toEqual([
        "load, verify: false",
        "load",
        "inspect",
        "load many",
      ]);
      expect(stdout).toContain("(SDA_PYTHON: /nonexistent cannot be started)");
    },
  );

  it("leaves nothing behind at Ctrl-C", async () => {
    const folder = temporaryFolder();
    const env = { ...process.env, SDA_BENCH_DIR: folder, SDA_PYTHON: "/nonexistent" };
    const args = ["--import", "tsx", MAIN, "library", "--quick", "--out", join(folder, "out")];
    const child = spawn(process.execPath, args, { env, stdio: ["ignore", "ignore", "pipe"] });
    child.stderr.once("data", () => child.kill("SIGINT")); // its folder exists by then
    const code = await new Promise((done) => child.on("close", done));
    expect({ code, left: readdirSync(folder) }).toEqual({ code: 130, left: [] });
  });
});

describe("npm run bench -- --compare OLD --with NEW", () => {
  it("tells what got slower, and measures nothing", async () => {
    const args = ["--compare", folderOf(taking(10)), "--with", folderOf(taking(20))];
    const { code, stdout, stderr } = await compare(...args);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout).toContain("load, beside 2026-01-02");
    expect(stdout).toMatch(/^one +0\.50 +own figure +slower$/m);
  });

  it("calls unclear what too few runs can't tell, and says so", async () => {
    const few = (ms: number) => folderOf(result([row("one", around(ms, 0.01, 5))]));
    const args = ["--compare", few(10), "--with", few(20), "--fail-on-slower"];
    const { code, stdout, stderr } = await compare(...args);
    expect({ code, stderr }).toEqual({ code: 2, stderr: "error: nothing could be compared\n" });
    expect(stdout).toMatch(/^one +0\.50 +own figure +unclear$/m);
    expect(stdout).toContain("unclear: with fewer than 6 runs");
  });

  it("ends with 1 when something got slower, in whichever suite, with --fail-on-slower", async () => {
    const old = folderOf(taking(10), { ...taking(10), suite: "torch" });
    const slower = folderOf(taking(10), { ...taking(11), suite: "torch" });
    const args = ["--compare", old, "--fail-on-slower", "--with"];
    const [same, worse] = await Promise.all([compare(...args, old), compare(...args, slower)]);
    expect(same).toMatchObject({ code: 0, stderr: "" });
    expect(same.stdout).toMatch(/^one +1\.00 +own figure +same$/m);
    expect(worse).toMatchObject({ code: 1, stderr: "" });
  });

  it("says why another machine's figures are not compared, and doesn't pass that off as no slower", async () => {
    const args = ["--compare", folderOf(taking(10, "B")), "--with", folderOf(taking(20))];
    const [told, asked] = await Promise.all([
      compare(...args),
      compare(...args, "--fail-on-slower"),
    ]);
    expect(told.code).toBe(0);
    expect(told.stdout).toContain("processor: B then, A now");
    expect(asked).toMatchObject({ code: 2, stderr: "error: nothing could be compared\n" });
  });

  it("ends with 2 and one line when it can't do what it is asked to", async () => {
    const there = folderOf(taking(10));
    const missing = join(there, "none");
    const [noFolder, noSuite, unknown] = await Promise.all([
      compare("--compare", missing, "--with", there),
      compare("torch", "--compare", there, "--with", there),
      compare("--quik"),
    ]);
    expect(noFolder).toMatchObject({ code: 2, stderr: `error: ${missing} is not there\n` });
    expect(noSuite).toMatchObject({ code: 2, stderr: `error: ${there} has no results of torch\n` });
    expect(unknown.code).toBe(2);
    expect(unknown.stderr).toMatch(/^error: Unknown option '--quik'.*\n$/);
  });
});
