import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { SdaError } from "../base/errors.js";
import { exists } from "./permission.js";

/** The packages that this module is part of, in a checkout the first. */
const PACKAGES = ["small-dataset-audio", "torch-checkpoint"];

/** Finds this package's package.json, from dist/ as well as from lib/. */
function findPackage(): { name: string; root: string } {
  // Undefined when a bundler has turned this module into CommonJS.
  const url: string | undefined = import.meta.url;
  if (!url) throw bundled();
  let folder = dirname(fileURLToPath(url));
  const start = folder;
  let isRefused = false;
  for (;;) {
    try {
      const { name } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
      if (PACKAGES.includes(name)) return { name, root: folder };
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
    `Node's permission model refuses the files of this package: start node with --permission --allow-addons --allow-fs-read=${folder}`,
  );
}

/** Makes the error for a bundled package: its addons and its package.json are out of reach. */
export function bundled(): SdaError {
  const names = PACKAGES.join(" and ");
  const flags = PACKAGES.map((name) => `--external:${name}`).join(" ");
  return new SdaError(
    "ERR_SDA_NATIVE",
    `${names} are native packages and cannot be bundled: leave them in node_modules and mark them as external (esbuild ${flags}; webpack and Rollup "externals" and "external"; Next.js serverExternalPackages)`,
  );
}

/** This package's name, and the folder of its package.json. */
export const { name: PACKAGE, root: packageRoot } = findPackage();

/** Reads this package's package.json. */
export function packageManifest(): { version: string; homepage?: string } {
  return JSON.parse(readFileSync(join(packageRoot, "package.json"), "utf8"));
}

/** True in a checkout, where the addons are built; false in a published package. */
export function isCheckout(): boolean {
  return exists(join(packageRoot, "CMakeLists.txt"));
}
