import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { SdaError } from "../base/errors.js";

export const PACKAGE = "small-dataset-audio";

/** Finds the folder of this package's package.json, from dist/ as well as from lib/. */
function findPackageRoot(): string {
  // Undefined when a bundler has turned this module into CommonJS.
  const url: string | undefined = import.meta.url;
  if (!url) throw bundled();
  let folder = dirname(fileURLToPath(url));
  const start = folder;
  let isRefused = false;
  for (;;) {
    try {
      const manifest = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
      if (manifest.name === PACKAGE) return folder;
    } catch (error) {
      // This folder has no readable package.json. Go on with its parent.
      isRefused ||= (error as NodeJS.ErrnoException).code === "ERR_ACCESS_DENIED";
    }
    const parent = dirname(folder);
    if (parent === folder) throw isRefused ? refused(dirname(dirname(start))) : bundled();
    folder = parent;
  }
}

function refused(folder: string): SdaError {
  return new SdaError(
    "ERR_SDA_NATIVE",
    `Node's permission model refuses the files of ${PACKAGE}: start node with --permission --allow-addons --allow-fs-read=${folder}`,
  );
}

/** Makes the error for a bundled package: its addons and its package.json are out of reach. */
export function bundled(): SdaError {
  return new SdaError(
    "ERR_SDA_NATIVE",
    `${PACKAGE} is a native package and cannot be bundled: leave it in node_modules and mark it as external (esbuild --external:${PACKAGE}; webpack and Rollup "externals" and "external"; Next.js serverExternalPackages)`,
  );
}

/** The folder of this package's package.json. */
export const packageRoot = findPackageRoot();

/** Reads this package's package.json. */
export function packageManifest(): { version: string; homepage?: string } {
  return JSON.parse(readFileSync(join(packageRoot, "package.json"), "utf8"));
}
