/** No Node for musl is to be had from npm, so the native code is tried without Node. */
import { spawnSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { packageRoot } from "../../lib/native/package-root.js";
import { runs } from "../lib/process.js";
import { TARGETS } from "../lib/targets.js";
import { missing, type Outcome, skip, type Trial } from "./outcome.js";

const NAPI_VERSION = 9;

/** Runs the native tests, linked with musl, in the build folder of the addons. */
export function runNativeTests({ platform, addons }: Trial): Outcome {
  const { cpu } = TARGETS[platform];
  const what = cpu === "arm64" ? "the native tests under qemu" : "the native tests";
  if (cpu === "arm64" && !runs("qemu-aarch64-static")) return missing(what, "qemu-user-static");
  const build = join(addons, "../../native/build");
  const options = [
    "-DSDA_BUILD_NATIVE_TESTS=ON",
    ...(cpu === "arm64" ? ["-DCMAKE_CROSSCOMPILING_EMULATOR=qemu-aarch64-static"] : []),
  ];
  for (const args of [
    ["-S", packageRoot, "-B", build, ...options],
    ["--build", build, "--parallel", String(availableParallelism())],
  ]) {
    const { status, stdout, stderr } = spawnSync("cmake", args, { encoding: "utf8" });
    if (status !== 0) return { what, problems: [...stdout.split("\n").slice(-20), stderr] };
  }
  const { status, stdout } = spawnSync("ctest", ["--test-dir", build, "--output-on-failure"], {
    encoding: "utf8",
  });
  const figures = /.*tests passed.*/.exec(stdout)?.[0] ?? "";
  return { what, figures, problems: status === 0 ? [] : stdout.trim().split("\n").slice(-60) };
}

/** Has musl's loader open the addons. */
export function openWithLoader({ platform, addons, work }: Trial): Outcome {
  const what = "musl's loader opens the addons";
  if (TARGETS[platform].cpu !== "x64") return skip(what, "only tried on x64");
  if (!runs("musl-gcc")) return missing(what, "musl-tools");
  mkdirSync(work, { recursive: true });
  const { symbols } = createRequire(import.meta.url)("node-api-headers");
  const { js_native_api_symbols: js, node_api_symbols: node } = symbols[`v${NAPI_VERSION}`];
  const stubs = join(work, "stubs.c");
  const functions = [...js, ...node].map((name) => `void ${name}(void) { abort(); }`);
  writeFileSync(stubs, `#include <stdlib.h>\n${functions.join("\n")}\n`);
  const program = join(work, "open_addon");
  const sources = [stubs, join(packageRoot, "test/platforms/open_addon.c")];
  const compiled = spawnSync("musl-gcc", ["-rdynamic", ...sources, "-o", program], {
    encoding: "utf8",
  });
  if (compiled.status !== 0) return { what, problems: [compiled.stderr] };
  const files = ["sda_checkpoint.node", "sda_engine.node"].map((name) => join(addons, name));
  const { status, stderr } = spawnSync(program, files, { encoding: "utf8" });
  return { what, problems: status === 0 ? [] : [stderr.trim()] };
}
