import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const PACKAGE = "small-dataset-audio";

/** The folder of our package.json, whether this file runs from dist/ or, under a test runner, from lib/. */
function findPackageRoot(): string {
  let folder = dirname(fileURLToPath(import.meta.url));
  for (;;) {
    try {
      const manifest = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
      if (manifest.name === PACKAGE) return folder;
    } catch {
      // No readable package.json here: the one we want is further up.
    }
    const parent = dirname(folder);
    if (parent === folder)
      throw new Error(`${PACKAGE}: package.json not found above ${import.meta.url}`);
    folder = parent;
  }
}

export const packageRoot = findPackageRoot();
