/**
 * Finds and loads addons. Each published package has this module, package-root.ts and addon-file.ts
 * of its own, since they look for what belongs to their package; scripts/lib/split.ts says which
 * modules the packages share.
 */

import { createRequire } from "node:module";
import { dirname, join, sep } from "node:path";
import { SdaError } from "../base/errors.js";
import { isError } from "../base/realm.js";
import {
  ADDONS,
  type AddonName,
  addonFile,
  PLATFORM,
  PLATFORMS,
  platformPackage,
} from "./addon-file.js";
import { childProcess } from "./child-process.js";
import { bundled, isCheckout, PACKAGE, packageManifest, packageRoot } from "./package-root.js";
import { exists, mayRead } from "./permission.js";
import { libcProblem, systemLibc, systemRequirements } from "./system.js";

const require = createRequire(import.meta.url);
const PROBE_TIMEOUT_MS = 60_000;

/** Whether something works, and its description or the problem. */
export interface Probe {
  ok: boolean;
  message: string;
}

/** Runs a script that loads an addon in a child process. The script prints a description. */
export function probe(name: AddonName, script: string, args: readonly string[]): Promise<Probe> {
  return new Promise((done) => {
    // Not in the working folder, which may have been deleted.
    const options = { timeout: PROBE_TIMEOUT_MS, cwd: packageRoot };
    const child = ["-e", script, "--", ...args];
    childProcess().execFile(process.execPath, child, options, (error, stdout, stderr) => {
      if (!error) return done({ ok: true, message: stdout.trim() });
      const how = error.signal ? `ended by ${error.signal}` : `exit ${error.code}`;
      const why = stderr.split("\n").find((line) => /^\w*Error\b/.test(line)) ?? stderr.trim();
      done({ ok: false, message: `${addonFile(name)}: ${how}${why && `: ${why}`}` });
    });
  });
}

/**
 * The path of an addon that exists.
 *
 * @throws SdaError ERR_SDA_NATIVE: the addon is missing
 */
export function requireFile(name: AddonName): string {
  const file = addonFile(name);
  if (!exists(file)) throw missing(name, file);
  return file;
}

/** @throws SdaError ERR_SDA_NATIVE: the addon is missing, does not load or has another version */
export function requireAddon<T extends { readonly version: string }>(name: AddonName): T {
  const file = requireFile(name);
  let addon: T;
  try {
    addon = require(file);
  } catch (error) {
    // The file exists, so this `require` is a bundler's, which only finds files in its bundle.
    const { code } = error as { code?: unknown };
    if (code === "MODULE_NOT_FOUND") throw bundled();
    if (code === "ERR_DLOPEN_DISABLED") throw notPermitted(name, file);
    const needs = systemRequirements(file)?.[name];
    const reason = needs && libcProblem(needs, systemLibc());
    throw new SdaError(
      "ERR_SDA_NATIVE",
      `${file} cannot be loaded by Node ${process.version} on ${PLATFORM}: ${reason ?? errorText(error)}\n${advice(name)}`,
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
  const packaged = join(dirname(packageRoot), platformPackage(PLATFORM));
  if (!mayRead(file) || !mayRead(packaged)) return notPermitted(name, file);
  return new SdaError(
    "ERR_SDA_NATIVE",
    `The native addon ${name} (${ADDONS[name].what}) is missing on ${PLATFORM}: ${file} does not exist\n${advice(name)}`,
    { addon: name, path: file },
  );
}

function notPermitted(name: AddonName, file: string): SdaError {
  return new SdaError(
    "ERR_SDA_NATIVE",
    `Node's permission model refuses the native addon ${name}: ${file}\nStart node with --permission --allow-addons --allow-fs-read=${packageRoot}${isCheckout() ? sep : ""}*${
      name === "sda_libtorch" ? ", and --allow-fs-read for the folder of LibTorch" : ""
    }`,
    { addon: name, path: file },
  );
}

/** How to get a working addon. */
function advice(name: AddonName): string {
  if (isCheckout()) return `To build it: cd ${packageRoot} && npm run ${ADDONS[name].script}`;
  const platform = systemLibc()?.name === "musl" ? `${PLATFORM}-musl` : PLATFORM;
  const { version } = packageManifest();
  return (PLATFORMS as readonly string[]).includes(platform)
    ? `To install it: npm install ${platformPackage(platform)}@${version}`
    : `Prebuilt addons exist for ${PLATFORMS.join(", ")}. On another platform, build from a checkout: npm install`;
}

export function errorText(error: unknown): string {
  return isError(error) ? error.message : String(error);
}
