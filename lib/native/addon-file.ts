/** Finds the files of the native addons. */
import { createRequire } from "node:module";
import { basename, dirname, join, resolve } from "node:path";
import { PACKAGE, packageRoot } from "./package-root.js";
import { exists, mayRead } from "./permission.js";
import { systemLibc } from "./system.js";

const require = createRequire(import.meta.url);

/** This platform, as folders of prebuilt addons are called: "linux-x64". */
export const PLATFORM = `${process.platform}-${process.arch}`;

/** Each addon: the variable that names another file for it, its build script and its purpose. */
export const ADDONS = {
  sda_checkpoint: {
    variable: "SDA_CHECKPOINT_ADDON",
    script: "build:checkpoint",
    what: "the file reader",
  },
  sda_engine: {
    variable: "SDA_ENGINE_ADDON",
    script: "build:engine",
    what: "the engine, which makes sound",
  },
  sda_libtorch: {
    variable: "SDA_LIBTORCH_ADDON",
    script: "build:libtorch",
    what: "LibTorch's part of the engine, for GPUs",
  },
} as const;

export type AddonName = keyof typeof ADDONS;

/**
 * The platforms with a package of prebuilt addons: the name of each package without the prefix
 * `PACKAGE`. Those with musl are for Alpine Linux, the other Linux ones for glibc.
 */
export const PLATFORMS = [
  "linux-x64",
  "linux-x64-musl",
  "linux-arm64",
  "linux-arm64-musl",
  "win32-x64",
  "darwin-x64",
  "darwin-arm64",
] as const;

export type Platform = (typeof PLATFORMS)[number];

/** The package with the prebuilt addons of a platform that belong to a package. */
export function platformPackage(platform: string, of: string = PACKAGE): string {
  return `${of}-${platform}`;
}

/** The path from which the addon is loaded; the file may be missing. */
export function addonFile(name: AddonName): string {
  const named = process.env[ADDONS[name].variable];
  return named ? resolve(named) : join(addonFolder(), `${name}.node`);
}

let found: string | undefined;

/** The folder of a build in a checkout, or of this platform's package. */
function addonFolder(): string {
  found ??= builtFolder() ?? packagedFolder() ?? otherFolder();
  return found ?? join(packageRoot, "build/Release");
}

function builtFolder(): string | undefined {
  const folder = join(packageRoot, "build/Release");
  return hasAddon(folder) ? folder : undefined;
}

function hasAddon(folder: string): boolean {
  return exists(join(folder, "sda_checkpoint.node")) || exists(join(folder, "sda_engine.node"));
}

function packagedFolder(): string | undefined {
  const resolver = createRequire(join(packageRoot, "package.json"));
  const folders = [PLATFORM, `${PLATFORM}-musl`].flatMap((platform) => {
    try {
      const manifest = resolver.resolve(`${platformPackage(platform)}/package.json`);
      return [join(dirname(manifest), "prebuilds", PLATFORM)];
    } catch {
      return []; // not installed
    }
  });
  // Some package managers install both, whatever C library this system has.
  return folders.length === 2 && systemLibc()?.name === "musl" ? folders[1] : folders[0];
}

/** What node-gyp-build finds, such as a debug build or a folder that an environment names. */
function otherFolder(): string | undefined {
  try {
    const file = nodeGypBuild().resolve(packageRoot);
    return basename(file).startsWith("sda_") ? dirname(file) : undefined;
  } catch {
    return undefined;
  }
}

/**
 * `require`, not `import`: a bundler would include an import, and node-gyp-build would fail in the
 * bundle before load.ts can explain the problem. It looks for a file of Alpine Linux, which Node's
 * permission model refuses, unless LIBC says which C library this is.
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
