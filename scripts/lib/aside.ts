/**
 * Builds everything that is published in a folder of its own, so that a checkout stays usable while
 * its packages are made. Nothing here writes to the checkout's build/, dist/, prebuilds/ or
 * server/dist/. The folder lies inside of the checkout, whose node_modules the build uses.
 *
 *   FOLDER/dist/                     the library
 *   FOLDER/server/dist/              the server and its page
 *   FOLDER/prebuilds/PLATFORM-ARCH/  both addons, and which LibTorch the engine was built with
 *   FOLDER/native/                   where the addons are built
 */
import { copyFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { packageRoot } from "../../lib/native/package-root.js";
import { BUILD_FOLDER } from "./cmake.js";
import { readManifest } from "./manifests.js";
import { BuildError, run } from "./process.js";

/** Where `npm run pack` builds. */
export const ASIDE = join(packageRoot, "out/build");

const TSC = join(packageRoot, "node_modules/typescript/bin/tsc");
const VITE = join(packageRoot, "node_modules/vite/bin/vite.js");
const PLATFORM = `${process.platform}-${process.arch}`;

/** The folder with the addons that `buildAddons` made. */
export function prebuildsIn(folder: string): string {
  return join(folder, "prebuilds", PLATFORM);
}

/** The engine as CMake built it. Its build record names the LibTorch on this machine. */
export function builtEngineIn(folder: string): string {
  return join(folder, "native/build/Release/sda_engine.node");
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
 * Builds both addons by way of prebuildify, node-gyp, binding.gyp and the CMake build. prebuildify
 * and node-gyp work in FOLDER/native, which has a binding.gyp that starts the checkout's build
 * script.
 */
export function buildAddons(folder: string): void {
  const native = startAfresh(folder, "native");
  startAfresh(folder, "prebuilds");
  const gyp = readFileSync(join(packageRoot, "binding.gyp"), "utf8");
  writeFileSync(
    join(native, "binding.gyp"),
    gyp.replaceAll("<(module_root_dir)", packageRoot.replaceAll("\\", "/")),
  );
  const { name, version, binary } = readManifest(packageRoot);
  writeFileSync(join(native, "package.json"), JSON.stringify({ name, version, binary }));

  const prebuildify = createRequire(import.meta.url).resolve("prebuildify/bin.js");
  const options = ["--napi", "--name", "sda_checkpoint", "--cwd", native, "--out", folder];
  run(process.execPath, [prebuildify, ...options], {
    cwd: packageRoot,
    env: { ...process.env, [BUILD_FOLDER]: join(native, "build") },
  });

  // prebuildify takes one addon, the first by name. The engine and its record go beside it.
  const engine = builtEngineIn(folder);
  const prebuilds = prebuildsIn(folder);
  try {
    copyFileSync(engine, join(prebuilds, "sda_engine.node"));
    // The record's path is this machine's: only the version is published.
    const record = JSON.parse(readFileSync(join(engine, "../libtorch.json"), "utf8"));
    const published = JSON.stringify({ version: record.version });
    writeFileSync(join(prebuilds, "libtorch.json"), `${published}\n`);
    readFileSync(join(prebuilds, "sda_checkpoint.node"));
  } catch (cause) {
    throw new BuildError(`the addons were not built in ${folder}: ${(cause as Error).message}`);
  }
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
