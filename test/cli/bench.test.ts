import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { describe, expect, it } from "vitest";
import { Interrupted } from "../../lib/cli/io.js";
import { run } from "../../lib/cli/program.js";
import { compiled } from "../support/compiled.js";
import { fixture } from "../support/fixtures.js";
import { temporaryFolder } from "../support/folder.js";
import { keepingIo } from "../support/io.js";
import { engineBuilt } from "../support/native.js";

const model = fixture("models/tiny.sda");
const main = compiled("lib/cli/main.ts");

/** The output on stderr, as a terminal gets it. */
async function onTerminal(args: string[]): Promise<string> {
  const terminal = Object.assign(new PassThrough(), { isTTY: true, columns: 100 });
  await run(args, { ...keepingIo().io, stderr: terminal });
  return String(terminal.read());
}

async function sda(args: string[], signal?: AbortSignal) {
  const { io, kept } = keepingIo(signal);
  return { code: await run(args, io), ...kept };
}

describe.skipIf(!engineBuilt)("sda bench", () => {
  const args = ["bench", model, "--seconds", "0.2", "--device", "cpu"];

  it("gives load, decode and sound as JSON on stdout", async () => {
    const { code, stdout, stderr } = await sda([...args, "--json"]);
    expect(stderr).toBe("");
    expect(code).toBe(0);
    const { device, missing, figures, machine } = JSON.parse(stdout);
    expect({ device, missing, node: machine.node }).toEqual({
      device: "cpu",
      missing: null,
      node: process.version,
    });
    const keys = figures.map(({ key }: { key: string }) => key);
    expect(keys).toEqual(["load", "load-mapped", "metadata", "decode", "sound-1s", "sound-10s"]);
    for (const { samples, low, median, high } of figures) {
      expect(samples).toBeGreaterThan(0);
      expect(low).toBeGreaterThan(0);
      expect(low <= median && median <= high).toBe(true);
    }
  });

  it("shows a table, and a bar on a terminal only", async () => {
    const plain = await sda(args);
    expect(plain.stdout).toBe("");
    expect(plain.stderr).toMatch(/10 s of sound +[\d.]+ ms +[\d.]+ to [\d.]+ ms +\d+\n/);
    expect(plain.stderr).not.toContain("\r");
    expect(plain.stderr).not.toContain("█");
    expect(await onTerminal(["bench", model, "--seconds", "1", "--device", "cpu"])).toMatch(
      /measuring █.* \d+ %/,
    );
  });

  it("stops at Ctrl-C", async () => {
    const controller = new AbortController();
    setTimeout(() => controller.abort(new Interrupted("SIGINT")), 100);
    const { code, stdout } = await sda(
      ["bench", model, "--seconds", "600", "--json"],
      controller.signal,
    );
    expect(code).toBe(130);
    expect(stdout).toBe("");
  });
});

it("sda bench without the engine measures reading, and says why it has no sound", () => {
  const nowhere = join(temporaryFolder(), "nowhere");
  const { status, stdout } = spawnSync(
    process.execPath,
    [main, "bench", model, "--seconds", "0.1", "--json"],
    { encoding: "utf8", env: { ...process.env, SDA_ENGINE_ADDON: nowhere } },
  );
  expect(status).toBe(0);
  const { device, missing, figures } = JSON.parse(stdout);
  expect(device).toBe(null);
  expect(missing.code).toBe("ERR_SDA_NATIVE");
  expect(figures.map(({ key }: { key: string }) => key)).toEqual([
    "read",
    "read-mapped",
    "metadata",
  ]);
});

it.each([
  ["0", "Expected a number above 0 and up to 600."],
  ["601", "Expected a number above 0 and up to 600."],
  ["long", "Expected a number."],
])("sda bench refuses --seconds %s", async (seconds, message) => {
  const { code, stderr } = await sda(["bench", model, "--seconds", seconds]);
  expect(code).toBe(2);
  expect(stderr).toContain(message);
});

it("sda bench of a file that is not there exits with 2", async () => {
  const { code, stderr } = await sda(["bench", join(temporaryFolder(), "none.sda")]);
  expect(code).toBe(2);
  expect(stderr).toContain("ERR_SDA_NOT_FOUND");
});
