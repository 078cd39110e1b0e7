/**
 * Reads one file, as the arguments say, and prints the time and memory it took. A reading that
 * takes longer than allowed is repeated, up to three times in all, and the fastest one counts: on a
 * busy machine a single reading may be late.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { SdaError } from "../../lib/base/errors.js";
import { checkpointAddon } from "../../lib/native/load.js";
import { inspect, load } from "../../lib/torch/index.js";

// Under the sanitizers only survival matters, and one round takes long enough.
const ROUNDS = process.env["ASAN_OPTIONS"] === undefined ? 3 : 1;

const [, , path = "", how = "load", small = "", allowedMs = "0"] = process.argv;

const read: Record<string, (file: string) => Promise<unknown>> = {
  load,
  inspect,
  verify: (file) => checkpointAddon().verify(file),
};

function kilobytes(field: string): number {
  const found = new RegExp(`${field}:\\s+(\\d+) kB`).exec(
    readFileSync("/proc/self/status", "utf8"),
  );
  return Number(found?.[1]);
}

// Load the addon, start its thread and compile the code before the measurement.
for (let i = 0; i < ROUNDS; ++i) await read[how]?.(small);
global.gc?.();
writeFileSync("/proc/self/clear_refs", "5"); // resets the peak
const before = kilobytes("VmRSS");
let [peak, outcome] = [0, "success"];
const milliseconds: number[] = [];
for (let i = 0; i < ROUNDS && !(Math.min(...milliseconds) <= Number(allowedMs)); ++i) {
  const [start, cpu] = [performance.now(), process.cpuUsage()];
  try {
    await read[how]?.(path);
  } catch (error) {
    outcome = error instanceof SdaError ? error.code : String(error);
  }
  // On a busy machine, CPU time is the better measure. With two reading threads, the clock is.
  const { user, system } = process.cpuUsage(cpu);
  milliseconds.push(Math.min(performance.now() - start, (user + system) / 1000));
  // In later rounds, garbage of earlier ones may still take memory.
  if (i === 0) peak = kilobytes("VmHWM");
}
console.log(
  JSON.stringify({ outcome, ms: Math.min(...milliseconds), growth: (peak - before) * 1024 }),
);
