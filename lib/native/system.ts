/**
 * Compares the prebuilt addons' requirements with this system, to explain why one fails to load.
 */
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";

/** The versions of the system's C and C++ libraries that an addon needs, such as "2.35". */
export interface SystemRequirements {
  glibc?: string;
  glibcxx?: string;
  cxxabi?: string;
}

export type Libc = { name: "glibc"; version: string } | { name: "musl" };

/**
 * The requirements of each addon in a package of prebuilt addons, which `npm run pack` writes into
 * its manifest. Undefined for addons from elsewhere.
 *
 * @param file an addon of the package, in PACKAGE/prebuilds/PLATFORM/
 */
export function systemRequirements(file: string): Record<string, SystemRequirements> | undefined {
  try {
    const manifest = join(dirname(file), "../../package.json");
    return JSON.parse(readFileSync(manifest, "utf8")).systemRequirements;
  } catch {
    return undefined;
  }
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
    return `it needs glibc ${needs.glibc} or newer, and this Node runs on musl (as in Alpine Linux)`;
  if (isOlder(libc.version, needs.glibc))
    return `it needs glibc ${needs.glibc} or newer, and this system has ${libc.version}`;
  return undefined;
}

function isOlder(version: string, needed: string): boolean {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  const [neededMajor = 0, neededMinor = 0] = needed.split(".").map(Number);
  return major < neededMajor || (major === neededMajor && minor < neededMinor);
}
