/**
 * Finds LibTorch for the addon loader and for the build. Loads no library: it reads the version
 * from a few files.
 */
import type { SpawnSyncReturns } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join, resolve } from "node:path";
import { SdaError } from "../base/errors.js";
import { downloadFolder } from "../base/user-folders.js";
import { PLATFORM } from "./addon-file.js";
import { childProcess } from "./child-process.js";
import { isCheckout, packageRoot } from "./package-root.js";
import { exists, mayRead } from "./permission.js";

/** The version that a checkout fetches and that the published packages are built with. */
export const LIBTORCH_PINNED = "2.13.0";
/**
 * The supported versions: from the first to below the second. cmake/libtorch.cmake reads this line.
 */
export const LIBTORCH_RANGE = ["2.11", "2.15"] as const;

export const LIBTORCH_PACKAGE = `small-dataset-audio-libtorch-cpu-${PLATFORM}`;
const PYTHON_TIMEOUT_MS = 10_000;

/** The places where LibTorch is looked for, in this order. */
export type LibtorchSource = "SDA_LIBTORCH" | "package" | "build" | "cache" | "python";

export interface Libtorch {
  /** The folder with lib/ and, if LibTorch has its headers, include/ */
  path: string;
  /** As LibTorch's own files state it, such as "2.13.0+cpu" */
  version: string;
  source: LibtorchSource;
}

/** A place where no usable LibTorch was found. */
export interface LibtorchAttempt {
  source: LibtorchSource;
  /** A path, a package or a program */
  place: string;
  /** Why the LibTorch of this place is not used */
  problem: string;
}

/** The requirements on LibTorch. */
export interface LibtorchQuery {
  /**
   * The version that the LibTorch addon was compiled with: LibTorch must have the same major.minor.
   * Absent: any version of `LIBTORCH_RANGE`
   */
  builtWith?: string | undefined;
  /** The LibTorch folder of the last build */
  builtFrom?: string | undefined;
  /** Whether LibTorch must have its headers, as a build needs them */
  headers?: boolean;
  /** Prefer a LibTorch with CUDA to an earlier one without it */
  cuda?: boolean;
}

export interface LibtorchSearch {
  /** Undefined: no place has a usable LibTorch */
  found: Libtorch | undefined;
  /** The places where none was found */
  tried: LibtorchAttempt[];
}

/** The file name of a shared library on this platform, such as "libc10.so" for "c10". */
function libraryFile(name: string): string {
  if (process.platform === "win32") return `${name}.dll`;
  return process.platform === "darwin" ? `lib${name}.dylib` : `lib${name}.so`;
}

/**
 * The libraries to open before the LibTorch addon; each depends on those before it. The addon names
 * them without a path, and the dynamic linker takes the libraries that the process has open.
 */
export function libtorchLibraries(path: string): string[] {
  return ["c10", "torch_cpu"].map((name) => join(path, "lib", libraryFile(name)));
}

const NO_HOME = "this user has no home folder; set HOME or XDG_CACHE_HOME";

/**
 * The folder for downloads. All checkouts of this user share it.
 *
 * @throws SdaError ERR_SDA_NOT_FOUND: the user has no home folder
 */
export function cacheFolder(): string {
  const folder = downloadFolder();
  if (folder === undefined) throw new SdaError("ERR_SDA_NOT_FOUND", NO_HOME);
  return folder;
}

/** The folder for a LibTorch that a checkout fetches. @throws as `cacheFolder` */
export function cachedLibtorch(version: string): string {
  return join(cacheFolder(), `libtorch-${version}-cpu-${PLATFORM}`);
}

/** Looks in each place in turn until one has the wanted LibTorch. */
export function searchLibtorch(query: LibtorchQuery = {}): LibtorchSearch {
  const tried: LibtorchAttempt[] = [];
  let found: Libtorch | undefined;
  for (const { source, place, path, problem } of candidates(query)) {
    if (path === undefined) {
      tried.push({ source, place, problem: problem ?? "not installed" });
      continue;
    }
    const checked = checkLibtorch(path, query);
    if ("version" in checked) {
      found ??= { path, version: checked.version, source };
      if (!query.cuda || hasCuda(path)) {
        return { found: { path, version: checked.version, source }, tried };
      }
    } else {
      tried.push({ source, place, problem: checked.problem });
    }
    // SDA_LIBTORCH names the wanted LibTorch. Using another one would hide a wrong path.
    if (source === "SDA_LIBTORCH") break;
  }
  return { found, tried };
}

function hasCuda(path: string): boolean {
  return exists(join(path, "lib", libraryFile("torch_cuda")));
}

/** @throws SdaError ERR_SDA_LIBTORCH: `details.tried` lists each place and its problem. */
export function findLibtorch(query: LibtorchQuery = {}): Libtorch {
  return foundIn(searchLibtorch(query), query.builtWith);
}

/**
 * What a search has found.
 *
 * @param builtWith as in the search's query
 * @throws as `findLibtorch`
 */
export function foundIn({ found, tried }: LibtorchSearch, builtWith?: string): Libtorch {
  if (found) return found;
  const wanted = builtWith ? `LibTorch ${minor(builtWith)}` : "LibTorch";
  const list = tried.map((t) => `  ${t.source}: ${t.place}: ${t.problem}`).join("\n");
  const advice =
    tried[0]?.source === "SDA_LIBTORCH"
      ? "Correct SDA_LIBTORCH, or unset it to search the other places"
      : `To install it: ${libtorchCommand(builtWith)}`;
  throw new SdaError(
    "ERR_SDA_LIBTORCH",
    `${wanted} was not found; only GPUs and the backend "libtorch" need it. Looked in:\n${list}\n${advice}`,
    { tried },
  );
}

/**
 * Reads the file libtorch.json, which the build writes beside the LibTorch addon. {} when there is
 * no such file, as for an addon that was built by hand.
 */
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

/**
 * The command that installs a LibTorch for a backend that was built with `builtWith`. The package
 * of LibTorch has LibTorch's major.minor as its own.
 */
export function libtorchCommand(builtWith: string = LIBTORCH_PINNED): string {
  return isCheckout()
    ? `cd ${packageRoot} && npm run build:libtorch`
    : `npm install ${LIBTORCH_PACKAGE}@${minor(builtWith)}`;
}

/** A place that may have LibTorch, in the folder `path`. Without a path, `problem` tells why. */
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

  yield* cachedCandidates();

  // Python comes last: it is the only place that needs a child process.
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

/**
 * The cache folders of LibTorch: first that of the pinned version, then those of other versions.
 * The first is listed even if it is missing, so that an error message names it.
 */
function* cachedCandidates(): Generator<Candidate> {
  if (downloadFolder() === undefined) {
    yield { source: "cache", place: "~/.cache", problem: NO_HOME };
    return;
  }
  const folder = cacheFolder();
  const pinned = cachedLibtorch(LIBTORCH_PINNED);
  let names: string[] = [];
  try {
    names = readdirSync(folder).filter(
      (n) => /^libtorch-\d/.test(n) && n.endsWith(`-cpu-${PLATFORM}`),
    );
  } catch {
    // There is no cache folder yet.
  }
  for (const path of new Set([pinned, ...names.sort().map((n) => join(folder, n))])) {
    yield { source: "cache", place: path, path };
  }
}

/** SDA_PYTHON if it is set; otherwise the platform's usual commands. */
export function pythonCommands(): string[] {
  const named = process.env["SDA_PYTHON"];
  if (named) return [named];
  return process.platform === "win32" ? ["python"] : ["python3", "python"];
}

/**
 * Finds the torch package without importing it. `-c` puts the working folder first on Python's
 * path; the script removes it, so that no file of the working folder is run.
 */
const WHERE_IS_TORCH = `
import sys
sys.path[:] = [p for p in sys.path if p]
from importlib.util import find_spec
spec = find_spec("torch")
print(list(spec.submodule_search_locations)[0] if spec and spec.origin else "")
`;

function askPython(python: string): { path?: string; problem?: string } {
  let child: SpawnSyncReturns<string>;
  try {
    child = childProcess().spawnSync(python, ["-c", WHERE_IS_TORCH], {
      encoding: "utf8",
      timeout: PYTHON_TIMEOUT_MS,
      windowsHide: true,
      stdio: ["ignore", "pipe", "pipe"],
    });
    if (child.error) throw child.error; // Node's permission model throws it itself
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    return { problem: code === "ENOENT" ? "no such program" : message };
  }
  const path = child.stdout.trim();
  if (child.status !== 0)
    return { problem: child.stderr.trim().split("\n").at(-1) || `exit ${child.status}` };
  return path ? { path } : { problem: "has no torch package" };
}

/** @returns the version of the LibTorch in a folder, or why it cannot be used */
export function checkLibtorch(
  path: string,
  query: LibtorchQuery,
): { version: string } | { problem: string } {
  for (const library of libtorchLibraries(path)) {
    if (!mayRead(library)) return { problem: `--allow-fs-read is missing for ${path}` };
    if (!exists(library)) return { problem: `${library} is missing` };
  }
  if (query.headers && !exists(join(path, "include/torch/headeronly/version.h"))) {
    return { problem: "the headers (include/) are missing" };
  }
  const version = libtorchVersion(path);
  if (version === undefined) return { problem: "no file states its version" };
  if (query.builtWith) {
    return sameMinor(version, query.builtWith)
      ? { version }
      : { problem: `is ${version}, but the backend was built with ${query.builtWith}` };
  }
  const [from, below] = LIBTORCH_RANGE;
  return compareMinor(version, from) >= 0 && compareMinor(version, below) < 0
    ? { version }
    : { problem: `is ${version}; supported versions: >= ${from} and < ${below}` };
}

/**
 * Reads the version from version.py (PyTorch's wheel), build-version (PyTorch's archive) or
 * package.json (this project's package of LibTorch).
 */
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
      // Each distribution has only one of these files.
    }
  }
  return undefined;
}

/** "2.13.0+cpu" → "2.13" */
function minor(version: string): string {
  return version.split(".", 2).join(".");
}

/** Whether two versions have the same major.minor. */
export function sameMinor(a: string, b: string): boolean {
  return compareMinor(a, b) === 0;
}

function compareMinor(a: string, b: string): number {
  const [aMajor = 0, aMinor = 0] = a.split(".").map((n) => Number.parseInt(n, 10));
  const [bMajor = 0, bMinor = 0] = b.split(".").map((n) => Number.parseInt(n, 10));
  return aMajor - bMajor || aMinor - bMinor;
}
