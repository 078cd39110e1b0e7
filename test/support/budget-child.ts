/** Reads one file as the arguments say, three times, and prints what that cost. */
import { readFileSync, writeFileSync } from "node:fs";
import { SdaError } from "../../lib/base/errors.js";
import { checkpointAddon } from "../../lib/native/load.js";
import { inspect, load } from "../../lib/torch/index.js";

// Only whether it survives is asked for under the sanitizers, and there once takes long enough.
const ROUNDS = process.env["ASAN_OPTIONS"] === undefined ? 3 : 1;

const [, , path = "", how = "load", small = ""] = process.argv;

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

// The addon, its thread and the compiled code are not the file's doing.
for (let i = 0; i < ROUNDS; ++i) await read[how]?.(small);
global.gc?.();
writeFileSync("/proc/self/clear_refs", "5"); // the peak starts anew
const before = kilobytes("VmRSS");
let [peak, outcome] = [0, "success"];
const milliseconds: number[] = [];
for (let i = 0; i < ROUNDS; ++i) {
  const [start, cpu] = [performance.now(), process.cpuUsage()];
  try {
    await read[how]?.(path);
  } catch (error) {
    outcome = error instanceof SdaError ? error.code : String(error);
  }
  // On a busy machine the processor's time says more than the clock; where two threads read, less.
  const { user, system } = process.cpuUsage(cpu);
  milliseconds.push(Math.min(performance.now() - start, (user + system) / 1000));
  // Later rounds may find the garbage of earlier ones still there.
  if (i === 0) peak = kilobytes("VmHWM");
}
console.log(
  JSON.stringify({ outcome, ms: Math.min(...milliseconds), growth: (peak - before) * 1024 }),
);
