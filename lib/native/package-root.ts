import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { SdaError } from "../base/errors.js";

const PACKAGE = "small-dataset-audio";

/** The folder of our package.json, whether this file runs from dist/ or, under a test runner, from lib/. */
function findPackageRoot(): string {
  // Undefined in what a bundler made CommonJS of.
  const url: string | undefined = import.meta.url;
  if (!url) throw bundled();
  let folder = dirname(fileURLToPath(url));
  for (;;) {
    try {
      const manifest = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
      if (manifest.name === PACKAGE) return folder;
    } catch {
      // No readable package.json here: the one we want is further up.
    }
    const parent = dirname(folder);
    if (parent === folder) throw bundled();
    folder = parent;
  }
}

/** A bundler put the JavaScript into a file of its own, without the addons that lie beside it. */
export function bundled(): SdaError {
  return new SdaError(
    "ERR_SDA_NATIVE",
    `${PACKAGE} is a native package and cannot be bundled: leave it in node_modules and mark it as external (esbuild --external:${PACKAGE}; webpack and Rollup "externals" and "external"; Next.js serverExternalPackages)`,
  );
}

export const packageRoot = findPackageRoot();
