/**
 * Builds everything that is published in a folder of its own, so that a checkout stays usable while
 * its packages are made. Nothing here writes to the checkout's build/, dist/, prebuilds/ or
 * server/dist/. The folder lies inside of the checkout, whose node_modules the build uses.
 *
 *   FOLDER/dist/                     the library
 *   FOLDER/server/dist/              the server and its page
 *   FOLDER/PLATFORM/prebuilds/       a platform's addons, as prebuildify lays them out
 *   FOLDER/PLATFORM/native/          where they are built
 *   FOLDER/libtorch/                 LibTorch's addon, and which LibTorch it was built with
 */
import { copyFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import type { Platform } from "../../lib/native/addon-file.js";
import { packageRoot } from "../../lib/native/package-root.js";
import { BUILD_FOLDER } from "./cmake.js";
import { readManifest } from "./manifests.js";
import { BuildError, run } from "./process.js";
import { TARGET, TARGETS } from "./targets.js";

/** Where `npm run pack` builds. */
export const ASIDE = join(packageRoot, "out/build");

const TSC = join(packageRoot, "node_modules/typescript/bin/tsc");
const VITE = join(packageRoot, "node_modules/vite/bin/vite.js");

/** The folder with the addons that `buildAddons` made for a platform. */
export function prebuildsIn(folder: string, platform: Platform): string {
  const { os, cpu } = TARGETS[platform];
  return join(folder, platform, "prebuilds", `${os}-${cpu}`);
}

/** LibTorch's addon as CMake built it. Its build record names the LibTorch on this machine. */
export function libtorchAddonIn(folder: string): string {
  return join(folder, "libtorch/Release/sda_libtorch.node");
}

/** @param flags more flags for the TypeScript compiler */
export function buildLibrary(folder: string, ...flags: string[]): void {
  const dist = startAfresh(folder, "dist");
  run(process.execPath, [TSC, "-p", ".", "--outDir", dist, ...flags], { cwd: packageRoot });
}

/**
 * Needs the library in the same folder: the server compiles against its declarations.
 *
 * @param flags more flags for the TypeScript compiler
 */
export function buildServer(folder: string, ...flags: string[]): void {
  const server = join(packageRoot, "server");
  const own = startAfresh(folder, "server");
  const dist = join(own, "dist");
  const config = {
    extends: join(server, "tsconfig.json"),
    compilerOptions: {
      rootDir: join(server, "src"),
      outDir: dist,
      typeRoots: [join(packageRoot, "node_modules/@types")],
      paths: declarationsIn(folder),
    },
    include: [join(server, "src")],
  };
  writeFileSync(join(own, "tsconfig.json"), JSON.stringify(config));
  run(process.execPath, [TSC, "-p", own, ...flags], { cwd: packageRoot });
  const options = ["--outDir", join(dist, "page"), "--emptyOutDir", "--logLevel", "warn"];
  run(process.execPath, [VITE, "build", "page", ...options], { cwd: server });
}

/**
 * Builds the file reader and the engine for a platform with zig, by way of prebuildify, node-gyp,
 * binding.gyp and the CMake build. prebuildify and node-gyp work in FOLDER/PLATFORM/native, which
 * has a binding.gyp that starts the checkout's build script.
 */
export function buildAddons(folder: string, platform: Platform): void {
  const native = startAfresh(folder, join(platform, "native"));
  startAfresh(folder, join(platform, "prebuilds"));
  const gyp = readFileSync(join(packageRoot, "binding.gyp"), "utf8");
  writeFileSync(
    join(native, "binding.gyp"),
    gyp.replaceAll("<(module_root_dir)", packageRoot.replaceAll("\\", "/")),
  );
  const { name, version, binary } = readManifest(packageRoot);
  writeFileSync(join(native, "package.json"), JSON.stringify({ name, version, binary }));

  const { os, cpu } = TARGETS[platform];
  const prebuildify = createRequire(import.meta.url).resolve("prebuildify/bin.js");
  const options = ["--napi", "--name", "sda_checkpoint", "--platform", os, "--arch", cpu];
  const build = join(native, "build");
  run(
    process.execPath,
    [prebuildify, ...options, "--cwd", native, "--out", join(folder, platform)],
    { cwd: packageRoot, env: { ...process.env, [BUILD_FOLDER]: build, [TARGET]: platform } },
  );

  // prebuildify takes one addon, the first by name. The engine goes beside it.
  const prebuilds = prebuildsIn(folder, platform);
  try {
    copyFileSync(join(build, "Release/sda_engine.node"), join(prebuilds, "sda_engine.node"));
    readFileSync(join(prebuilds, "sda_checkpoint.node"));
  } catch (cause) {
    throw new BuildError(`the addons were not built in ${folder}: ${(cause as Error).message}`);
  }
}

/**
 * Builds LibTorch's addon with this machine's compiler: it shares the C++ runtime of LibTorch, and
 * takes LibTorch's exceptions.
 */
export function buildLibtorchAddon(folder: string): void {
  const build = startAfresh(folder, "libtorch");
  const script = join(packageRoot, "scripts/build.ts");
  run(process.execPath, ["--import", "tsx", script, "libtorch"], {
    cwd: packageRoot,
    env: { ...process.env, [BUILD_FOLDER]: build },
  });
}

function startAfresh(folder: string, name: string): string {
  const path = join(folder, name);
  rmSync(path, { recursive: true, force: true });
  mkdirSync(path, { recursive: true });
  return path;
}

/** For TypeScript's `paths`: the declarations in `folder` under the names that users import. */
function declarationsIn(folder: string): Record<string, string[]> {
  const { name, exports } = readManifest(packageRoot);
  const paths: Record<string, string[]> = {};
  for (const [key, target] of Object.entries(exports as Record<string, { types?: string }>)) {
    if (target.types) paths[join(name, key)] = [join(folder, target.types)];
  }
  return paths;
}
