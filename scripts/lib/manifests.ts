/** Makes the package.json of each published package from the checkout's. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type Platform, platformPackage } from "../../lib/native/addon-file.js";
import { LIBTORCH_PACKAGE } from "../../lib/native/libtorch.js";
import type { SystemRequirements } from "../../lib/native/system.js";
import { TARGETS } from "./targets.js";

/** Fields that a user's npm, Node and bundler read. All others are left out. */
const PUBLISHED = [
  "name",
  "version",
  "description",
  "keywords",
  "license",
  "author",
  "homepage",
  "repository",
  "bugs",
  "type",
  "engines",
  "exports",
  "types",
  "bin",
  "dependencies",
  "peerDependencies",
  "peerDependenciesMeta",
] as const;

export type Manifest = Record<string, unknown> & { name: string; version: string };

export function readManifest(folder: string): Manifest {
  return JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
}

/**
 * The manifest of small-dataset-audio.
 *
 * @param platforms those with a package of addons. The dependencies are optional: a package manager
 *   installs the one that fits.
 */
export function mainManifest(checkout: Manifest, platforms: readonly Platform[]): Manifest {
  const optional = platforms.map((one) => [platformPackage(one), checkout.version]);
  return { ...published(checkout), optionalDependencies: Object.fromEntries(optional) };
}

/**
 * The manifest of a platform's package of addons.
 *
 * @param requirements by addon; see lib/native/system.ts
 */
export function platformManifest(
  { version, license }: Manifest,
  platform: Platform,
  requirements: Record<string, SystemRequirements>,
): Manifest {
  const { os, cpu, libc } = TARGETS[platform];
  return {
    name: platformPackage(platform),
    version,
    description: `The native addons of small-dataset-audio for ${platform}`,
    license,
    os: [os],
    cpu: [cpu],
    ...(libc && { libc: [libc] }),
    // Node finds its files by path: nothing imports the package.
    exports: { "./package.json": "./package.json" },
    systemRequirements: requirements,
  };
}

/** The manifest of small-dataset-audio-server. */
export function serverManifest(checkout: Manifest): Manifest {
  return published(checkout);
}

function published(checkout: Manifest): Manifest {
  const kept = PUBLISHED.filter((key) => checkout[key] !== undefined);
  return Object.fromEntries(kept.map((key) => [key, checkout[key]])) as Manifest;
}

/**
 * The manifest of the LibTorch package.
 *
 * @param libtorch LibTorch's version, as "2.13.0"
 * @param version the package's own version, with LibTorch's major and minor number
 */
export function libtorchManifest(
  libtorch: string,
  version: string,
  requirements: SystemRequirements,
): Manifest {
  return {
    name: LIBTORCH_PACKAGE,
    version,
    description: `LibTorch ${libtorch} (CPU) for small-dataset-audio`,
    license: "SEE LICENSE IN NOTICE.md",
    libtorch,
    os: [process.platform],
    cpu: [process.arch],
    libc: ["glibc"],
    // Node finds its files by path: nothing imports the package.
    exports: { "./package.json": "./package.json" },
    systemRequirements: requirements,
  };
}
