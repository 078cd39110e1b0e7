import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { corpus, corpusFile } from "../support/corpus.js";
import { temporaryFolder } from "../support/folder.js";
import { engineBuilt } from "../support/native.js";

const main = fileURLToPath(new URL("../../lib/cli/main.ts", import.meta.url));

function start(...args: string[]) {
  const child = spawn(process.execPath, ["--import", "tsx", main, ...args]);
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

  it("ends with 130 at Ctrl-C and leaves nothing behind", async () => {
    const folder = join(temporaryFolder(), "sounds");
    const { child, ended } = start("generate", model, "-d", "60", "-n", "100", "-o", folder);
    await untilWorking(child, folder);
    child.kill("SIGINT");
    const { code, stderr } = await ended;
    expect(code).toBe(130);
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
