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

/** The package that reads torch files. */
export const TORCH_PACKAGE = "torch-checkpoint";

export type Manifest = Record<string, unknown> & { name: string; version: string };

export function readManifest(folder: string): Manifest {
  return JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
}

/**
 * The manifest of small-dataset-audio.
 *
 * @param platforms those with a package of addons
 */
export function mainManifest(checkout: Manifest, platforms: readonly Platform[]): Manifest {
  const { version, dependencies } = checkout;
  return {
    ...published(checkout),
    // Exactly this version: the modules of one package import those of the other.
    dependencies: { ...(dependencies as object), [TORCH_PACKAGE]: version },
    optionalDependencies: addonsOf(checkout.name, version, platforms),
  };
}

/**
 * The manifest of torch-checkpoint.
 *
 * @param torch that of the checkout's folder torch/
 * @param main that of the checkout, which has the version and those of the dependencies
 * @param imported npm packages that the modules import; see split.ts
 * @throws Error when one of them is no dependency
 */
export function torchManifest(
  torch: Manifest,
  main: Manifest,
  imported: readonly string[],
  platforms: readonly Platform[],
): Manifest {
  const known = main["dependencies"] as Record<string, string>;
  const dependencies = imported.map((name) => {
    if (known[name] === undefined) throw new Error(`${name} is no dependency of ${main.name}`);
    return [name, known[name]];
  });
  return {
    ...published(torch),
    version: main.version,
    exports: {
      ".": { types: "./dist/torch/index.d.ts", default: "./dist/torch/index.js" },
      // For small-dataset-audio of the same version; not public.
      "./internal/*": "./dist/*",
      "./package.json": "./package.json",
    },
    types: "./dist/torch/index.d.ts",
    bin: { [TORCH_PACKAGE]: "./dist/torch-cli/main.js" },
    dependencies: Object.fromEntries(dependencies),
    optionalDependencies: addonsOf(TORCH_PACKAGE, main.version, platforms),
  };
}

/** The packages of addons. They are optional: a package manager installs the one that fits. */
function addonsOf(name: string, version: string, platforms: readonly Platform[]) {
  return Object.fromEntries(platforms.map((one) => [platformPackage(one, name), version]));
}

/**
 * The manifest of a platform's package of addons.
 *
 * @param of the package that they belong to
 * @param requirements by addon; see lib/native/system.ts
 */
export function platformManifest(
  { version, license }: Manifest,
  platform: Platform,
  of: string,
  requirements: Record<string, SystemRequirements>,
): Manifest {
  const { os, cpu, libc } = TARGETS[platform];
  return {
    name: platformPackage(platform, of),
    version,
    description: `The native addons of ${of} for ${platform}`,
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
