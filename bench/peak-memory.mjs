// Prints the peak memory of a 60 s request, without the sound itself: { "bytes": n }. Runs in a
// process of its own with --expose-gc, and makes 1 s of sound first, so that nothing else grows it.
import { readFileSync, writeFileSync } from "node:fs";
import { loadModel } from "../dist/index.js";

const model = await loadModel(process.argv[2], { device: "cpu" });
await model.generate({ durationS: 1, seed: 1 });
globalThis.gc();

const linux = process.platform === "linux";
if (linux) writeFileSync("/proc/self/clear_refs", "5"); // resets VmHWM
const before = process.memoryUsage.rss();
let peak = before;
const look = () => {
  peak = Math.max(peak, process.memoryUsage.rss());
};
const timer = setInterval(look, 5);
const { audio } = await model.generate({ durationS: 60, seed: 1 });
clearInterval(timer);
look();
if (linux) {
  const [, kib] = readFileSync("/proc/self/status", "utf8").match(/VmHWM:\s*(\d+)/);
  peak = Math.max(peak, kib * 1024);
}
const result = audio.reduce((sum, channel) => sum + channel.byteLength, 0);
console.log(JSON.stringify({ bytes: peak - before - result }));
