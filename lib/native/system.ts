/** What the prebuilt addons need of the system, and what this system has: told when an addon cannot be loaded. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { packageRoot } from "./package-root.js";

/** The newest symbol versions that a library asks of the system's C and C++ libraries, such as "2.35". */
export interface SystemRequirements {
  glibc?: string;
  glibcxx?: string;
  cxxabi?: string;
}

export interface PackageManifest {
  version: string;
  /** In the published package only, by platform and addon; `npm run pack` reads it from the addons. */
  systemRequirements?: Record<string, Record<string, SystemRequirements>>;
}

export type Libc = { name: "glibc"; version: string } | { name: "musl" };

export function packageManifest(): PackageManifest {
  return JSON.parse(readFileSync(join(packageRoot, "package.json"), "utf8"));
}

/** Undefined where there is no choice of C library, as on macOS and Windows. Takes milliseconds. */
export function systemLibc(): Libc | undefined {
  if (process.platform !== "linux") return undefined;
  const report = process.report as typeof process.report & { excludeNetwork?: boolean };
  // Otherwise the report looks up host names, which can take seconds.
  const before = report.excludeNetwork;
  report.excludeNetwork = true;
  try {
    const { header } = report.getReport() as unknown as {
      header: { glibcVersionRuntime?: string };
    };
    const version = header.glibcVersionRuntime;
    return version ? { name: "glibc", version } : { name: "musl" };
  } finally {
    if (before !== undefined) report.excludeNetwork = before;
  }
}

/** Why a prebuilt addon that needs `needs` cannot run on `libc`; undefined when the C library is not the reason. */
export function libcProblem(needs: SystemRequirements, libc: Libc | undefined): string | undefined {
  if (!needs.glibc || !libc) return undefined;
  if (libc.name === "musl")
    return `it needs glibc ${needs.glibc} or newer, and this Node runs on musl (as in Alpine Linux): take an image with glibc, such as Debian 12`;
  if (isOlder(libc.version, needs.glibc))
    return `it needs glibc ${needs.glibc} or newer, and this system has ${libc.version}`;
  return undefined;
}

function isOlder(version: string, needed: string): boolean {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  const [neededMajor = 0, neededMinor = 0] = needed.split(".").map(Number);
  return major < neededMajor || (major === neededMajor && minor < neededMinor);
}
