/** The package.json of what is published, made from the checkout's. */
import { LIBTORCH_PACKAGE } from "../../lib/native/libtorch.js";
import type { SystemRequirements } from "../../lib/native/system.js";

/** What a user's npm, Node and bundler read. Scripts, development dependencies and what builds stay behind. */
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
] as const;

export type Manifest = Record<string, unknown> & { name: string; version: string };

/**
 * @param libtorchVersion of the LibTorch package. It is named as optional: npm takes it where it fits, a server that
 *   only reads files leaves it out with --omit=optional.
 * @param requirements by addon; see lib/native/system.ts
 */
export function mainManifest(
  checkout: Manifest,
  libtorchVersion: string,
  requirements: Record<string, SystemRequirements>,
): Manifest {
  return {
    ...published(checkout),
    optionalDependencies: { [LIBTORCH_PACKAGE]: libtorchVersion },
    systemRequirements: { [`${process.platform}-${process.arch}`]: requirements },
  };
}

/** Of the server: its page is built, and what builds it stays behind. */
export function serverManifest(checkout: Manifest): Manifest {
  return published(checkout);
}

function published(checkout: Manifest): Manifest {
  const kept = PUBLISHED.filter((key) => checkout[key] !== undefined);
  return Object.fromEntries(kept.map((key) => [key, checkout[key]])) as Manifest;
}

/** @param libtorch LibTorch's version, as "2.13.0"; the package's major.minor are always LibTorch's. */
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
    // Read by path, never required.
    exports: { "./package.json": "./package.json" },
    systemRequirements: requirements,
  };
}
