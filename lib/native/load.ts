/**
 * Loads the two addons, each once and only on first use: the file reader, which works without
 * LibTorch, and the engine, which needs LibTorch opened first. Each worker thread has its own
 * instance of this module and loads the addons for itself, as Node-API requires.
 */

import { execFile } from "node:child_process";
import { createRequire } from "node:module";
import { basename, dirname, join, resolve, sep } from "node:path";
import { isMainThread } from "node:worker_threads";
import { SdaError } from "../base/errors.js";
import { isError } from "../base/realm.js";
import { readCompact } from "../values/compact.js";
import { factories } from "../values/values.js";
import {
  findLibtorch,
  isCheckout,
  type LibtorchSearch,
  libtorchCommand,
  libtorchLibraries,
  readBuildRecord,
  sameMinor,
  searchLibtorch,
} from "./libtorch.js";
import { bundled, packageRoot } from "./package-root.js";
import { exists, guardCheckpoint, guardEngine, mayRead } from "./permission.js";
import { libcProblem, packageManifest, systemLibc } from "./system.js";
import type { CheckpointAddon, EngineAddon } from "./types.js";

const require = createRequire(import.meta.url);
const PROBE_TIMEOUT_MS = 60_000;
const PACKAGE = "small-dataset-audio";
const PLATFORM = `${process.platform}-${process.arch}`;

export type AddonName = "sda_checkpoint" | "sda_engine";

let checkpoint: CheckpointAddon | undefined;
let engine: EngineAddon | undefined;

/** @throws SdaError ERR_SDA_NATIVE: the addon is missing or cannot be loaded */
export function checkpointAddon(): CheckpointAddon {
  if (!checkpoint) {
    const addon = requireAddon<CheckpointAddon>("sda_checkpoint");
    prepare(addon);
    checkpoint = guardCheckpoint(addon);
  }
  return checkpoint;
}

/**
 * @throws SdaError ERR_SDA_NATIVE: the addon is missing or cannot be loaded; ERR_SDA_LIBTORCH:
 *   LibTorch is missing, cannot be opened or has another version
 */
export function engineAddon(): EngineAddon {
  if (!engine) {
    const { libtorch } = engineParts();
    try {
      checkpointAddon().preload(libtorchLibraries(libtorch.path));
    } catch (error) {
      if (error instanceof SdaError) throw error;
      throw new SdaError(
        "ERR_SDA_LIBTORCH",
        `LibTorch ${libtorch.version} in ${libtorch.path} (from: ${libtorch.source}) cannot be opened: ${text(error)}`,
        { ...libtorch },
        { cause: error },
      );
    }
    const addon = requireAddon<EngineAddon>("sda_engine");
    // If another module of this process opened a LibTorch earlier, the engine uses that one.
    const loaded = addon.info().libtorch;
    if (!sameMinor(loaded, addon.builtWith)) {
      throw new SdaError(
        "ERR_SDA_LIBTORCH",
        `This process runs LibTorch ${loaded}, but the engine was built with ${addon.builtWith}. Found: ${libtorch.path}\nTo install the right version: ${libtorchCommand(addon.builtWith)}`,
        { loaded, builtWith: addon.builtWith, ...libtorch },
      );
    }
    prepare(addon);
    engine = guardEngine(addon);
  }
  return engine;
}

function prepare(addon: CheckpointAddon | EngineAddon): void {
  addon.registerClasses({ ...factories, readCompact });
  // Native threads must stop computing before the process exits. A worker stops its own work
  // itself.
  if (isMainThread) process.once("exit", () => addon.stopWork());
}

/** The path from which the addon is loaded; the file may be missing. */
export function addonFile(name: AddonName): string {
  const named =
    process.env[name === "sda_checkpoint" ? "SDA_CHECKPOINT_ADDON" : "SDA_ENGINE_ADDON"];
  if (named) return resolve(named);
  // node-gyp-build finds the folder (build/Release, prebuilds/linux-x64) and the suffix of the file
  // name, but expects one addon in a folder and returns either of the two. Put in the wanted name.
  let found: string;
  try {
    found = nodeGypBuild().resolve(packageRoot);
  } catch {
    found = join(packageRoot, "build/Release", `${name}.node`);
  }
  return join(dirname(found), basename(found).replace(/^sda_(checkpoint|engine)/, name));
}

/**
 * `require`, not `import`: a bundler would include an import, and node-gyp-build would fail in the
 * bundle before this module can explain the problem. It looks for a file of Alpine Linux, which
 * Node's permission model refuses, unless LIBC says which C library this is.
 */
function nodeGypBuild(): { resolve(folder: string): string } {
  const { LIBC } = process.env;
  if (LIBC || mayRead("/etc/alpine-release")) return require("node-gyp-build");
  process.env["LIBC"] = systemLibc()?.name ?? "glibc";
  try {
    return require("node-gyp-build");
  } finally {
    if (LIBC === undefined) delete process.env["LIBC"];
    else process.env["LIBC"] = LIBC;
  }
}

/**
 * Loads the engine in a child process, so that a crash of the engine does not end this process.
 *
 * @returns whether the engine works, and its description or the problem
 */
export function probeEngine(): Promise<{ ok: boolean; message: string }> {
  let parts: ReturnType<typeof engineParts>;
  try {
    parts = engineParts();
  } catch (error) {
    return Promise.resolve({ ok: false, message: text(error) });
  }
  const script = `
    const [checkpoint, engine, ...libraries] = process.argv.slice(1);
    require(checkpoint).preload(libraries);
    const { libtorch, cuda, cudaDevices, threads } = require(engine).info();
    console.log("LibTorch " + libtorch + ", " + threads + " threads, " + (cuda ? cudaDevices + " CUDA devices" : "no CUDA"));`;
  const args = ["-e", script, "--", addonFile("sda_checkpoint"), parts.file];
  args.push(...libtorchLibraries(parts.libtorch.path));
  return new Promise((done) => {
    // Not in the working folder, which may have been deleted.
    const options = { timeout: PROBE_TIMEOUT_MS, cwd: packageRoot };
    execFile(process.execPath, args, options, (error, stdout, stderr) => {
      if (!error) return done({ ok: true, message: stdout.trim() });
      const how = error.signal ? `ended by ${error.signal}` : `exit ${error.code}`;
      const why = stderr.split("\n").find((line) => /^\w*Error\b/.test(line)) ?? stderr.trim();
      done({ ok: false, message: `${parts.file}: ${how}${why && `: ${why}`}` });
    });
  });
}

/** Searches the LibTorch for the engine without loading it. */
export function searchEngineLibtorch(): LibtorchSearch {
  return searchLibtorch(readBuildRecord(addonFile("sda_engine")));
}

function engineParts() {
  const file = addonFile("sda_engine");
  if (!exists(file)) throw missing("sda_engine", file);
  return { file, libtorch: findLibtorch(readBuildRecord(file)) };
}

function requireAddon<T extends { readonly version: string }>(name: AddonName): T {
  const file = addonFile(name);
  if (!exists(file)) throw missing(name, file);
  let addon: T;
  try {
    addon = require(file);
  } catch (error) {
    // The file exists, so this `require` is a bundler's, which only finds files in its bundle.
    const { code } = error as { code?: unknown };
    if (code === "MODULE_NOT_FOUND") throw bundled();
    if (code === "ERR_DLOPEN_DISABLED") throw notPermitted(name, file);
    const needs = packageManifest().systemRequirements?.[PLATFORM]?.[name];
    const reason = needs && libcProblem(needs, systemLibc());
    throw new SdaError(
      "ERR_SDA_NATIVE",
      `${file} cannot be loaded by Node ${process.version} on ${PLATFORM}: ${reason ?? text(error)}\n${advice(name)}`,
      { addon: name, path: file, ...(needs && { needs }) },
      { cause: error },
    );
  }
  checkVersion(name, file, addon.version);
  return addon;
}

/** Refuses an addon of another version than the package: their calls may not fit together. */
function checkVersion(name: AddonName, file: string, found: string | undefined): void {
  const { version } = packageManifest();
  if (found === version) return;
  throw new SdaError(
    "ERR_SDA_NATIVE",
    `The native addon ${name} has version ${found ?? "unknown"}, but this package has ${version}: ${file}\n${
      isCheckout() ? advice(name) : `To reinstall it: npm install ${PACKAGE}@${version} --force`
    }`,
    { addon: name, path: file, found: found ?? null, expected: version },
  );
}

function missing(name: AddonName, file: string): SdaError {
  if (!mayRead(file)) return notPermitted(name, file);
  const what = name === "sda_engine" ? "the engine, which makes sound" : "the file reader";
  return new SdaError(
    "ERR_SDA_NATIVE",
    `The native addon ${name} (${what}) is missing on ${PLATFORM}: ${file} does not exist\n${advice(name)}`,
    { addon: name, path: file },
  );
}

function notPermitted(name: AddonName, file: string): SdaError {
  return new SdaError(
    "ERR_SDA_NATIVE",
    `Node's permission model refuses the native addon ${name}: ${file}\nStart node with --permission --allow-addons --allow-fs-read=${packageRoot}${sep}*${
      name === "sda_engine" ? ", and --allow-fs-read for the folder of LibTorch" : ""
    }`,
    { addon: name, path: file },
  );
}

/** How to get a working addon. */
function advice(name: AddonName): string {
  const script = name === "sda_engine" ? "build" : "build:checkpoint";
  return isCheckout()
    ? `To build it: cd ${packageRoot} && npm run ${script}`
    : "Prebuilt addons exist for linux-x64 (glibc). On another platform, build from a checkout: npm install, then npm run build";
}

function text(error: unknown): string {
  return isError(error) ? error.message : String(error);
}
