import { existsSync, readFileSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { availableParallelism, totalmem } from "node:os";
import { dirname, join } from "node:path";
import type { AddonName } from "../../lib/native/addon-file.js";
import { packageRoot } from "../../lib/native/package-root.js";
import { BuildError, run, runs } from "./process.js";
import { type Target, wantedTarget, zig } from "./targets.js";

/** Memory that the compiler needs for one file that includes ATen.h, in bytes. */
const MEMORY_PER_JOB = 2 * 2 ** 30;
/** Names the environment variable that has CMake build elsewhere than in the checkout's build/. */
export const BUILD_FOLDER = "SDA_BUILD_FOLDER";
export const BUILD = process.env[BUILD_FOLDER] || join(packageRoot, "build");
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

/**
 * Configures the build folder and builds addons. The build folder remembers `libtorch`, which only
 * sda_libtorch needs.
 */
export function buildAddons(targets: readonly AddonName[], libtorch?: string): void {
  const target = wantedTarget();
  if (target) crossBuild(targets, target);
  else ownBuild(targets, libtorch);
}

function ownBuild(targets: readonly AddonName[], libtorch: string | undefined): void {
  forgetMovedBuild();
  const before = cached("SDA_LIBTORCH");
  const known = libtorch ?? (before && existsSync(before) ? before : "");
  const options = [
    `--CDSDA_LIBTORCH=${known}`,
    `--CDSDA_WERROR=${process.env["CI"] ? "ON" : "OFF"}`,
  ];
  cmakeJs(["configure", ...options]);
  for (const target of targets)
    cmakeJs(["build", "--target", target, "--parallel", String(jobs())]);
}

/** Builds with zig, whose compiler cache takes the place of ccache. */
function crossBuild(targets: readonly AddonName[], target: Target): void {
  const options = [
    `--toolchain=${join(packageRoot, "cmake/zig.cmake")}`,
    `-DSDA_ZIG=${zig()}`,
    `-DSDA_ZIG_TARGET=${target.zig}`,
    "-DCMAKE_BUILD_TYPE=Release",
    "-DSDA_CCACHE=",
    ...(runs("ninja") ? ["-GNinja"] : []),
  ];
  run("cmake", ["-S", packageRoot, "-B", BUILD, ...options], {
    cwd: packageRoot,
    stdio: ["ignore", "ignore", "inherit"],
  });
  const names = targets.flatMap((name) => ["--target", name]);
  run("cmake", ["--build", BUILD, ...names, "--parallel", String(jobs())], { cwd: packageRoot });
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
  const home = cached("CMAKE_HOME_DIRECTORY");
  if (home !== undefined && home !== packageRoot) rmSync(BUILD, { recursive: true });
}

/** A value in the cache of the build folder. */
function cached(name: string): string | undefined {
  const file = join(BUILD, "CMakeCache.txt");
  if (!existsSync(file)) return undefined;
  return new RegExp(`^${name}:\\w+=(.*)$`, "m").exec(readFileSync(file, "utf8"))?.[1];
}
