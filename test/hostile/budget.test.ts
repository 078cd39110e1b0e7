import { spawn } from "node:child_process";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { bombs } from "../support/bombs.js";
import { compiled } from "../support/compiled.js";
import { NONE, pickle } from "../support/pickle-builder.js";
import { fileOf } from "../support/torch-file.js";
import { torchZip } from "../support/zip-builder.js";

const MEGABYTE = 2 ** 20;
// The most that a hostile file may cost: a requirement, not a benchmark.
const MS_PER_MEGABYTE = 100;
const LEAST_MS = 250;
const EXTRA_BYTES = 64 * MEGABYTE;

const root = join(fileURLToPath(new URL(".", import.meta.url)), "../..");
const refused = ["ERR_SDA_LIMIT", "ERR_SDA_CORRUPT"];
// The sanitizers take memory and time themselves.
const sanitized = process.env["ASAN_OPTIONS"] !== undefined;

interface Cost {
  outcome: string;
  ms: number;
  growth: number;
}

/** Reads the file in a process of its own, so that a crash fails this test only. */
function costOf(path: string, how: string): Promise<Cost> {
  const small = fileOf(torchZip(pickle(NONE)).bytes, "small.pt");
  const args = ["--expose-gc", compiled("test/support/budget-child.ts"), path, how, small];
  return new Promise((done, fail) => {
    const run = spawn(process.execPath, args, { cwd: root });
    let [stdout, stderr] = ["", ""];
    run.stdout.on("data", (text) => {
      stdout += text;
    });
    run.stderr.on("data", (text) => {
      stderr += text;
    });
    run.on("error", fail);
    run.on("close", (code, signal) => {
      if (code === 0) done(JSON.parse(stdout));
      else fail(new Error(`ended by ${signal ?? `exit ${code}`}: ${stderr.slice(0, 2000)}`));
    });
  });
}

describe.skipIf(process.platform !== "linux")("memory and time", () => {
  test.each(bombs.map((bomb) => [bomb.name, bomb] as const))("%s", async (_, bomb) => {
    const content = bomb.make();
    const { outcome, ms, growth } = await costOf(fileOf(content), bomb.via ?? "load");
    expect(bomb.harmless ? ["success", ...refused] : refused).toContain(outcome);
    if (sanitized) return;
    expect(growth).toBeLessThanOrEqual(content.length + EXTRA_BYTES);
    expect(ms).toBeLessThanOrEqual(
      Math.max(LEAST_MS, (content.length / MEGABYTE) * MS_PER_MEGABYTE),
    );
  });
});
