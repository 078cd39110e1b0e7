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
// The most that a hostile file may cost: a requirement, not a benchmark. Memory is in proportion to
// the file, with a part that any file may take. The worst known file is 0.96 MiB of empty lists,
// each of one byte, which take 222 MiB.
const MS_PER_MEGABYTE = 2500;
const LEAST_MS = 1000;
const EXTRA_BYTES = 64 * MEGABYTE;
const MEMORY_FACTOR = 240;

const root = join(fileURLToPath(new URL(".", import.meta.url)), "../..");
const refused = ["ERR_SDA_LIMIT", "ERR_SDA_CORRUPT"];
// The sanitizers take memory and time themselves.
const sanitized = process.env["ASAN_OPTIONS"] !== undefined;

interface Cost {
  outcome: string;
  ms: number;
  growth: number;
}

const small = fileOf(torchZip(pickle(NONE)).bytes, "small.pt");

/** Reads the file in a process of its own, so that a crash fails this test only. */
function costOf(path: string, how: string, allowedMs: number): Promise<Cost> {
  const child = compiled("test/support/budget-child.ts");
  const args = ["--expose-gc", child, path, how, small, String(allowedMs)];
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
    const allowedMs = Math.max(LEAST_MS, (content.length / MEGABYTE) * MS_PER_MEGABYTE);
    const { outcome, ms, growth } = await costOf(fileOf(content), bomb.via ?? "load", allowedMs);
    expect(bomb.harmless ? ["success", ...refused] : refused).toContain(outcome);
    if (sanitized) return;
    expect(growth).toBeLessThanOrEqual(MEMORY_FACTOR * content.length + EXTRA_BYTES);
    expect(ms).toBeLessThanOrEqual(allowedMs);
  });
});
