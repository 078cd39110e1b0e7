/** The command line in a terminal: typed input, and the screen as a person sees it. */
import { spawnSync } from "node:child_process";
import { chmodSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { ModelLibrary, saveModelFromCheckpoint } from "../../lib/index.js";
import { compiled } from "../support/compiled.js";
import { fixture } from "../support/fixtures.js";
import { temporaryFolder } from "../support/folder.js";
import { engineBuilt } from "../support/native.js";
import { Terminal, type TerminalOptions } from "../support/terminal.js";

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));
const main = compiled("lib/cli/main.ts");
const demo = here("../../assets/models/synthetic-plucks.sda");
const CTRL_C = "\x03";
const CTRL_D = "\x04";
const COLOR = new RegExp(`${String.fromCharCode(27)}\\[\\d+m`);

let folder: string;
const open: Terminal[] = [];
beforeEach(() => {
  folder = temporaryFolder();
});
afterEach(() => {
  for (const terminal of open.splice(0)) terminal.kill();
});

function start(command: string, args: string[], options: TerminalOptions = {}): Terminal {
  const env = { SDA_MODELS_DIR: folder, ...options.env };
  const terminal = new Terminal(command, args, { ...options, env });
  open.push(terminal);
  return terminal;
}

const sda = (args: string[], options?: TerminalOptions) =>
  start(process.execPath, [main, ...args], options);

const add = (name: string) =>
  saveModelFromCheckpoint(fixture("checkpoints/tiny.pt"), { name }, folder);
const count = async () => (await ModelLibrary.open(folder)).count();

describe("sda model list in a terminal", () => {
  it("is coloured, and no line is wider than the terminal", async () => {
    await add(`A very long name ${"that goes on and on ".repeat(10)}`);
    await add("日本語のモデル".repeat(10));
    const terminal = sda(["model", "list"], { columns: 80 });
    expect(await terminal.exited).toBe(0);
    const lines = await terminal.lines();
    expect(lines[0]).toMatch(/^NAME +ID +SAVED/);
    expect(lines).toHaveLength(4); // no line was wrapped
    expect(lines[1]).toContain("…");
    expect(terminal.raw).toMatch(COLOR);
  });

  it("has no colours if NO_COLOR is set", async () => {
    await add("Alpha");
    const terminal = sda(["model", "list"], { env: { NO_COLOR: "1" } });
    expect(await terminal.exited).toBe(0);
    expect(terminal.raw).not.toMatch(COLOR);
  });
});

describe("sda model delete in a terminal", () => {
  it.each([
    ["y\r", 0, 0, "Deleted Alpha"],
    ["n\r", 1, 1, "Nothing was deleted."],
    ["\r", 1, 1, "\nNothing was deleted."],
    [CTRL_D, 1, 1, "Nothing was deleted."],
    [CTRL_C, 130, 1, "interrupted"],
  ])("asks, and understands %j", async (answer, code, left, message) => {
    await add("Alpha");
    const terminal = sda(["model", "delete", "alpha"], { columns: 160 });
    await terminal.see(/Delete Alpha \(.*\)\s+from .*\? \[y\/N\]/s);
    terminal.type(answer);
    expect(await terminal.exited).toBe(code);
    expect(await terminal.text()).toContain(message);
    expect(await count()).toBe(left);
  });
});

describe.skipIf(!engineBuilt)("sda generate in a terminal", () => {
  it("shows a bar while it works, and only the results in the end", async () => {
    const args = ["generate", demo, "-d", "25", "-n", "3", "-s", "1", "-o", folder];
    const terminal = sda([...args, "--device", "cpu"], { env: { SDA_ENGINE_THREADS: "1" } });
    expect(await terminal.exited).toBe(0);
    expect(terminal.raw).toMatch(/[1-3]\/3 making sound █+░* +\d+ %/);
    const lines = await terminal.lines();
    expect(lines.join("\n")).not.toContain("making sound");
    expect(lines.join("")).toMatch(/1\/3 .*_1\.wav: .*2\/3 .*_2\.wav: .*3\/3 .*_3\.wav: /);
  });

  it("ends at Ctrl-C with 130, clears the bar and leaves no partial file", async () => {
    const terminal = sda(["generate", demo, "-d", "60", "-n", "100", "-o", folder]);
    await terminal.see("making sound");
    terminal.type(CTRL_C);
    expect(await terminal.exited).toBe(130);
    const text = await terminal.text();
    expect(text).not.toContain("making sound");
    expect(text).toContain("interrupted (SIGINT)");
    expect(terminal.raw.lastIndexOf("\u001b[?25l")).toBe(-1); // the cursor was never hidden
    expect(readdirSync(folder).filter((name) => !/_\d+\.(wav|json)$/.test(name))).toEqual([]);
  });
});

describe("sda bench in a terminal", () => {
  it("shows how far it is, and only the table in the end", async () => {
    const terminal = sda(["bench", demo, "--seconds", "1.5", "--device", "cpu"]);
    expect(await terminal.exited).toBe(0);
    expect(terminal.raw).toMatch(/measuring █+░* +\d+ %/);
    expect(await terminal.text()).not.toContain("measuring");
    expect(await terminal.text()).toContain("load, mapped");
  });
});

const bash = spawnSync("bash", ["--version"]).status === 0;

describe.skipIf(!bash)("completion in bash", () => {
  /** A shell with `sda` on its PATH and the completion loaded. */
  async function shell(): Promise<Terminal> {
    const bin = temporaryFolder();
    const script = `#!/bin/sh\nexec "${process.execPath}" "${main}" "$@"\n`;
    writeFileSync(join(bin, "sda"), script);
    chmodSync(join(bin, "sda"), 0o755);
    const env = { PATH: `${bin}:${process.env["PATH"]}`, PS1: "READY> " };
    const terminal = start("bash", ["--norc", "--noprofile", "-i"], { env });
    await terminal.see("READY>");
    terminal.type('source <(sda completion bash); echo lo""aded\r');
    await terminal.see("loaded");
    return terminal;
  }

  it("completes commands, options, choices, models and files", async () => {
    await add("Warm_Pad");
    await add("Two Words");
    writeFileSync(join(folder, "some-checkpoint.pt"), "");
    const terminal = await shell();
    const complete = async (line: string, expected: string | RegExp) => {
      terminal.type(`${line}\t`);
      await terminal.see(expected);
      terminal.type("\x15"); // empties the line
    };
    await complete("sda mod", "sda model ");
    await complete("sda model inf", "sda model info ");
    await complete("sda model info War", "sda model info Warm_Pad");
    await complete("sda generate x --spatial-mode du", "--spatial-mode dual_seed");
    await complete("sda generate x --bit", "--bit-depth");
    await complete(`sda inspect ${folder}/some`, "some-checkpoint.pt");
  });
});
