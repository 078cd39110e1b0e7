import { existsSync, readFileSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { availableParallelism, totalmem } from "node:os";
import { dirname, join } from "node:path";
import { packageRoot } from "../../lib/native/package-root.js";
import { BuildError, run, runs } from "./process.js";

/** Memory that the compiler needs for one file that includes ATen.h, in bytes. */
const MEMORY_PER_JOB = 2 * 2 ** 30;
/** Names the environment variable that has CMake build elsewhere than in the checkout's build/. */
export const BUILD_FOLDER = "SDA_BUILD_FOLDER";
const BUILD = process.env[BUILD_FOLDER] || join(packageRoot, "build");
const CMAKE_JS = join(
  dirname(createRequire(import.meta.url).resolve("cmake-js/package.json")),
  "bin/cmake-js",
);

/** @throws BuildError with the command that installs the missing tools. */
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
    linux: "./scripts/setup.sh",
    darwin: "xcode-select --install; brew install cmake ninja ccache",
    win32: "install Visual Studio's C++ build tools, which bring cmake",
  };
  const command = install[process.platform] ?? "install them";
  throw new BuildError(
    `cannot build, missing: ${missing.join(", ")}.\n  ${command}\n  then: npm run build`,
  );
}

/** Configures the build folder and builds `target`. The engine needs `libtorch`. */
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
  const options = ["--out", BUILD, "--log-level", "warn"];
  run(process.execPath, [CMAKE_JS, ...args, ...options], { cwd: packageRoot });
}

function jobs(): number {
  return Math.max(1, Math.min(availableParallelism(), Math.floor(totalmem() / MEMORY_PER_JOB)));
}

/** Removes a build folder that CMake refuses because the checkout was moved or copied. */
function forgetMovedBuild(): void {
  const cache = join(BUILD, "CMakeCache.txt");
  if (!existsSync(cache)) return;
  const home = /^CMAKE_HOME_DIRECTORY:INTERNAL=(.*)$/m.exec(readFileSync(cache, "utf8"))?.[1];
  if (home !== packageRoot) rmSync(BUILD, { recursive: true });
}
