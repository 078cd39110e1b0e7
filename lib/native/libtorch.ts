/**
 * Where LibTorch is. The addon loader asks at run time, the build asks before it compiles; neither
 * loads anything here, a look at a few files decides.
 */
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { homedir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { SdaError } from "../base/errors.js";
import { packageRoot } from "./package-root.js";

/** The version that a checkout fetches, and that the published packages are built with. */
export const LIBTORCH_PINNED = "2.13.0";
/** The supported versions: at least the first, below the second. cmake/libtorch.cmake reads this line. */
export const LIBTORCH_RANGE = ["2.11", "2.15"] as const;

const PLATFORM = `${process.platform}-${process.arch}`;
export const LIBTORCH_PACKAGE = `small-dataset-audio-libtorch-cpu-${PLATFORM}`;
const PYTHON_TIMEOUT_MS = 10_000;

export type LibtorchSource = "SDA_LIBTORCH" | "package" | "build" | "cache" | "python";

export interface Libtorch {
  /** The folder that has lib/ (and, for a build, include/). */
  path: string;
  /** As LibTorch says it, such as "2.13.0+cpu". */
  version: string;
  source: LibtorchSource;
}

export interface LibtorchAttempt {
  source: LibtorchSource;
  /** What was looked at: a path, a package, a program. */
  place: string;
  /** Why it is not used. */
  problem: string;
}

export interface LibtorchQuery {
  /** What the engine addon was compiled with: only the same major.minor can be loaded. Absent: any in the range. */
  builtWith?: string | undefined;
  /** Where the last build had it. */
  builtFrom?: string | undefined;
  /** A build needs the headers too. */
  headers?: boolean;
}

export interface LibtorchSearch {
  found: Libtorch | undefined;
  tried: LibtorchAttempt[];
}

/** File name of a shared library on this platform: "c10" → "libc10.so". */
function libraryFile(name: string): string {
  if (process.platform === "win32") return `${name}.dll`;
  return process.platform === "darwin" ? `lib${name}.dylib` : `lib${name}.so`;
}

/**
 * The libraries to open before the engine addon, in order of dependence. The addon names them without a path,
 * and the dynamic linker takes those that the process already has.
 */
export function libtorchLibraries(path: string): string[] {
  return ["c10", "torch_cpu"].map((name) => join(path, "lib", libraryFile(name)));
}

/** The folder for what is fetched once and shared by all checkouts of this user. */
export function cacheFolder(): string {
  return join(process.env["XDG_CACHE_HOME"] || join(homedir(), ".cache"), "small-dataset-audio");
}

export function cachedLibtorch(version: string): string {
  return join(cacheFolder(), `libtorch-${version}-cpu-${PLATFORM}`);
}

/** Looks in each place in turn and stops at the first that will do. */
export function searchLibtorch(query: LibtorchQuery = {}): LibtorchSearch {
  const tried: LibtorchAttempt[] = [];
  for (const { source, place, path, problem } of candidates(query)) {
    if (path === undefined) {
      tried.push({ source, place, problem: problem ?? "not there" });
      continue;
    }
    const checked = checkLibtorch(path, query);
    if ("version" in checked) return { found: { path, version: checked.version, source }, tried };
    tried.push({ source, place, problem: checked.problem });
    // Whoever names a LibTorch wants that one: taking another in silence would hide the mistake.
    if (source === "SDA_LIBTORCH") break;
  }
  return { found: undefined, tried };
}

/** @throws SdaError ERR_SDA_LIBTORCH, whose details list each place and why it won't do. */
export function findLibtorch(query: LibtorchQuery = {}): Libtorch {
  const { found, tried } = searchLibtorch(query);
  if (found) return found;
  const wanted = query.builtWith ? `LibTorch ${minor(query.builtWith)}` : "LibTorch";
  const list = tried.map((t) => `  ${t.source}: ${t.place}: ${t.problem}`).join("\n");
  const advice =
    tried[0]?.source === "SDA_LIBTORCH"
      ? "Correct it, or let LibTorch be found: unset SDA_LIBTORCH"
      : `To get it: ${libtorchCommand(query.builtWith)}`;
  throw new SdaError(
    "ERR_SDA_LIBTORCH",
    `${wanted} was not found; generating sound needs it, reading files does not. Looked in:\n${list}\n${advice}`,
    { tried },
  );
}

/** What the build wrote beside the engine addon; nothing when there is none, or one built by hand. */
export function readBuildRecord(addon: string): Pick<LibtorchQuery, "builtWith" | "builtFrom"> {
  try {
    const { version, path } = JSON.parse(
      readFileSync(join(dirname(addon), "libtorch.json"), "utf8"),
    );
    return { builtWith: version, builtFrom: path };
  } catch {
    return {};
  }
}

/** True in a checkout, where the addons are built; false in the published package. */
export function isCheckout(): boolean {
  return existsSync(join(packageRoot, "CMakeLists.txt"));
}

/** The command that gets the LibTorch which an engine built with `builtWith` can load: the package's major.minor are LibTorch's. */
export function libtorchCommand(builtWith: string = LIBTORCH_PINNED): string {
  return isCheckout()
    ? `cd ${packageRoot} && npm run build`
    : `npm install ${LIBTORCH_PACKAGE}@${minor(builtWith)}`;
}

interface Candidate {
  source: LibtorchSource;
  place: string;
  path?: string | undefined;
  problem?: string;
}

function* candidates({ builtFrom }: LibtorchQuery): Generator<Candidate> {
  const named = process.env["SDA_LIBTORCH"];
  if (named) yield { source: "SDA_LIBTORCH", place: named, path: resolve(named) };

  yield { source: "package", place: LIBTORCH_PACKAGE, path: packagedLibtorch() };

  if (builtFrom) yield { source: "build", place: builtFrom, path: builtFrom };

  for (const path of cachedFolders()) yield { source: "cache", place: path, path };

  // Last, since only this starts a process.
  for (const python of pythonCommands())
    yield { source: "python", place: python, ...askPython(python) };
}

function packagedLibtorch(): string | undefined {
  try {
    return dirname(
      createRequire(join(packageRoot, "package.json")).resolve(`${LIBTORCH_PACKAGE}/package.json`),
    );
  } catch {
    return undefined;
  }
}

/** The pinned version's folder first (named even when it is missing, to be told of), then whatever else was kept. */
function cachedFolders(): string[] {
  const pinned = cachedLibtorch(LIBTORCH_PINNED);
  let names: string[] = [];
  try {
    names = readdirSync(cacheFolder()).filter(
      (n) => /^libtorch-\d/.test(n) && n.endsWith(`-cpu-${PLATFORM}`),
    );
  } catch {
    // No cache yet.
  }
  return [...new Set([pinned, ...names.sort().map((n) => join(cacheFolder(), n))])];
}

/** SDA_PYTHON alone where it is set, otherwise what a shell would start. */
export function pythonCommands(): string[] {
  const named = process.env["SDA_PYTHON"];
  if (named) return [named];
  return process.platform === "win32" ? ["python"] : ["python3", "python"];
}

/** Finds the torch package without importing it. The working folder, which `-c` puts first on the path, is no place to load code from. */
const WHERE_IS_TORCH = `
import sys
sys.path[:] = [p for p in sys.path if p]
from importlib.util import find_spec
spec = find_spec("torch")
print(list(spec.submodule_search_locations)[0] if spec and spec.submodule_search_locations else "")
`;

function askPython(python: string): { path?: string; problem?: string } {
  const child = spawnSync(python, ["-c", WHERE_IS_TORCH], {
    encoding: "utf8",
    timeout: PYTHON_TIMEOUT_MS,
    windowsHide: true,
    stdio: ["ignore", "pipe", "pipe"],
  });
  if (child.error) {
    const missing = (child.error as NodeJS.ErrnoException).code === "ENOENT";
    return { problem: missing ? "no such program" : child.error.message };
  }
  const path = child.stdout.trim();
  if (child.status !== 0)
    return { problem: child.stderr.trim().split("\n").at(-1) || `exit ${child.status}` };
  return path ? { path } : { problem: "has no torch" };
}

/** The version of the LibTorch in a folder, or why that folder will not do. */
export function checkLibtorch(
  path: string,
  query: LibtorchQuery,
): { version: string } | { problem: string } {
  for (const library of libtorchLibraries(path)) {
    if (!existsSync(library)) return { problem: `no ${library}` };
  }
  if (query.headers && !existsSync(join(path, "include/torch/headeronly/version.h"))) {
    return { problem: "no headers (include/)" };
  }
  const version = libtorchVersion(path);
  if (version === undefined) return { problem: "its version is nowhere to be read" };
  if (query.builtWith) {
    return sameMinor(version, query.builtWith)
      ? { version }
      : { problem: `is ${version}, the engine was built with ${query.builtWith}` };
  }
  const [from, below] = LIBTORCH_RANGE;
  return compareMinor(version, from) >= 0 && compareMinor(version, below) < 0
    ? { version }
    : { problem: `is ${version}, supported are >= ${from} and < ${below}` };
}

/** From the wheel's version.py, or the official archive's build-version, or our package's package.json. */
function libtorchVersion(path: string): string | undefined {
  const sources: [file: string, pattern: RegExp][] = [
    ["version.py", /^__version__ = '([^']+)'/m],
    ["build-version", /^(\d\S*)/],
    ["package.json", /"libtorch"\s*:\s*"([^"]+)"/],
  ];
  for (const [file, pattern] of sources) {
    try {
      const version = pattern.exec(readFileSync(join(path, file), "utf8"))?.[1];
      if (version) return version;
    } catch {
      // Each distribution has one of them.
    }
  }
  return undefined;
}

function minor(version: string): string {
  return version.split(".", 2).join(".");
}

export function sameMinor(a: string, b: string): boolean {
  return compareMinor(a, b) === 0;
}

function compareMinor(a: string, b: string): number {
  const [aMajor = 0, aMinor = 0] = a.split(".").map((n) => Number.parseInt(n, 10));
  const [bMajor = 0, bMinor = 0] = b.split(".").map((n) => Number.parseInt(n, 10));
  return aMajor - bMajor || aMinor - bMinor;
}
