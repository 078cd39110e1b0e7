import { existsSync, readFileSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { availableParallelism, totalmem } from "node:os";
import { dirname, join } from "node:path";
import { packageRoot } from "../../lib/native/package-root.js";
import { BuildError, run, runs } from "./process.js";

/** One file that includes ATen.h takes the compiler about this much. */
const MEMORY_PER_JOB = 2 * 2 ** 30;
const BUILD = join(packageRoot, "build");
const CMAKE_JS = join(
  dirname(createRequire(import.meta.url).resolve("cmake-js/package.json")),
  "bin/cmake-js",
);

/** @throws BuildError with the command that installs what is missing. */
export function requireBuildTools(): void {
  const missing = [];
  if (!runs("cmake")) missing.push("cmake");
  if (process.platform !== "win32" && !runs("ninja") && !runs("make")) missing.push("ninja");
  if (
    process.platform !== "win32" &&
    ![process.env["CXX"] ?? "c++", "g++", "clang++"].some((c) => runs(c))
  ) {
    missing.push("a C++20 compiler");
  }
  if (missing.length === 0) return;
  const install: Partial<Record<NodeJS.Platform, string>> = {
    linux: "sudo apt-get install cmake ninja-build g++ ccache",
    darwin: "xcode-select --install; brew install cmake ninja ccache",
    win32: "install Visual Studio's C++ build tools, which bring cmake",
  };
  throw new BuildError(
    `cannot build, missing: ${missing.join(", ")}.\n  ${install[process.platform] ?? "install them"}\n  then: npm run build`,
  );
}

/** Configures build/ and builds `target`. Without LibTorch only what does without it exists. */
export function buildAddon(target: "sda_checkpoint" | "sda_engine", libtorch?: string): void {
  forgetMovedBuild();
  const options = [
    `--CDSDA_BUILD_ENGINE=${libtorch ? "ON" : "OFF"}`,
    ...(libtorch ? [`--CDSDA_LIBTORCH=${libtorch}`] : []),
    `--CDSDA_WERROR=${process.env["CI"] ? "ON" : "OFF"}`,
  ];
  cmakeJs(["configure", ...options]);
  cmakeJs(["build", "--target", target, "--parallel", String(jobs())]);
}

function cmakeJs(args: string[]): void {
  run(process.execPath, [CMAKE_JS, ...args, "--log-level", "warn"], { cwd: packageRoot });
}

function jobs(): number {
  return Math.max(1, Math.min(availableParallelism(), Math.floor(totalmem() / MEMORY_PER_JOB)));
}

/** CMake refuses a build folder that was configured elsewhere, as after moving or copying the checkout. */
function forgetMovedBuild(): void {
  const cache = join(BUILD, "CMakeCache.txt");
  if (!existsSync(cache)) return;
  const home = /^CMAKE_HOME_DIRECTORY:INTERNAL=(.*)$/m.exec(readFileSync(cache, "utf8"))?.[1];
  if (home !== packageRoot) rmSync(BUILD, { recursive: true });
}
