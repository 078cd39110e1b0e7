/**
 * Compares the prebuilt addons' requirements with this system, to explain why one fails to load.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { packageRoot } from "./package-root.js";

/** The versions of the system's C and C++ libraries that an addon needs, such as "2.35". */
export interface SystemRequirements {
  glibc?: string;
  glibcxx?: string;
  cxxabi?: string;
}

export interface PackageManifest {
  version: string;
  /** By platform and addon, in the published package only; `npm run pack` writes it */
  systemRequirements?: Record<string, Record<string, SystemRequirements>>;
}

export type Libc = { name: "glibc"; version: string } | { name: "musl" };

export function packageManifest(): PackageManifest {
  return JSON.parse(readFileSync(join(packageRoot, "package.json"), "utf8"));
}

/** The C library of this Linux system; undefined on other systems. The call takes milliseconds. */
export function systemLibc(): Libc | undefined {
  if (process.platform !== "linux") return undefined;
  const report = process.report as typeof process.report & { excludeNetwork?: boolean };
  // A report with the network looks up host names, which can take seconds.
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

/**
 * Tells why an addon with the requirements `needs` cannot run on the C library `libc`; undefined
 * when the C library is not the problem.
 */
export function libcProblem(needs: SystemRequirements, libc: Libc | undefined): string | undefined {
  if (!needs.glibc || !libc) return undefined;
  if (libc.name === "musl")
    return `it needs glibc ${needs.glibc} or newer, and this Node runs on musl (as in Alpine Linux): use a system or image with glibc, such as Debian 12`;
  if (isOlder(libc.version, needs.glibc))
    return `it needs glibc ${needs.glibc} or newer, and this system has ${libc.version}`;
  return undefined;
}

function isOlder(version: string, needed: string): boolean {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  const [neededMajor = 0, neededMinor = 0] = needed.split(".").map(Number);
  return major < neededMajor || (major === neededMajor && minor < neededMinor);
}
