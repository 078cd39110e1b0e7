/**
 * Divides the built library between two packages: torch-checkpoint, with all that reads and writes
 * torch files, and small-dataset-audio, which depends on it. A checkout builds both as one, since
 * the folders of lib/ depend on each other in one direction only.
 *
 * Modules that torch files need exist once, in torch-checkpoint, so that `instanceof` and the state
 * of modules hold across both; in small-dataset-audio, one line stands for each. Modules that look
 * for their own package exist in both.
 */
import { copyFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join, posix } from "node:path";
import { BuildError } from "./process.js";

/** What users import, and what that loads when it is needed. */
const API = "torch/index.js";
const CLI = "torch-cli/main.js";

/** Modules that look for their own package. */
const OWN = ["native/package-root.js", "native/addon-file.js", "native/addon.js"];

/** Folders that torch-checkpoint has nothing of. */
const FOREIGN = /^(audio|bench|format|latent|library|model)\//;

export interface Split {
  /** The modules that small-dataset-audio takes from torch-checkpoint, relative to dist/ */
  shared: string[];
  /** All modules of torch-checkpoint */
  torch: string[];
  /** The npm packages that these import */
  dependencies: string[];
}

/** @throws BuildError when torch-checkpoint would need a module of another concern */
export function splitOf(dist: string): Split {
  const api = reachable(dist, [API]);
  const all = reachable(dist, [API, CLI]);
  const foreign = [...all.modules].filter((name) => FOREIGN.test(name));
  if (foreign.length > 0) {
    throw new BuildError(`torch-checkpoint would need ${foreign.join(", ")}`);
  }
  return {
    shared: [...api.modules].filter((name) => !OWN.includes(name)).sort(),
    torch: [...all.modules].sort(),
    dependencies: [...all.packages].sort(),
  };
}

/** Copies torch-checkpoint's modules from `dist` to `to`, with the declarations of shared ones. */
export function copyTorch(dist: string, to: string, { torch, shared }: Split): void {
  const declarations = [...reachable(dist, [API.replace(/js$/, "d.ts")], ".d.ts").modules];
  const shown = shared.map((name) => name.replace(/js$/, "d.ts"));
  for (const name of new Set([...torch, ...declarations, ...shown])) {
    mkdirSync(dirname(join(to, name)), { recursive: true });
    copyFileSync(join(dist, name), join(to, name));
  }
}

/** Puts a line in the place of each shared module of small-dataset-audio's `dist`. */
export function referToTorch(dist: string, { shared }: Split): void {
  for (const name of shared) {
    const line = `export * from "torch-checkpoint/internal/${name}";\n`;
    writeFileSync(join(dist, name), line);
    const declaration = join(dist, name.replace(/js$/, "d.ts"));
    if (existsSync(declaration)) writeFileSync(declaration, line);
  }
}

/** Not a module of Node */
const PACKAGE_NAME = /^(?!node:)(@[a-z0-9-]+\/)?[a-z0-9-]{2,}/;

interface Reached {
  modules: Set<string>;
  packages: Set<string>;
}

/**
 * The modules that some modules import, directly or through others, also with `import()`, and the
 * npm packages that they import or require.
 *
 * @param suffix of the files: ".js", or ".d.ts"
 */
function reachable(dist: string, from: string[], suffix = ".js"): Reached {
  const reached: Reached = { modules: new Set(), packages: new Set() };
  const visit = (name: string) => {
    if (reached.modules.has(name)) return;
    reached.modules.add(name);
    const code = readFileSync(join(dist, name), "utf8").replace(/^\s*(\/\/|\*|\/\*).*$/gm, "");
    const imports = /\b(?:from|import|require|url\))\s*\(?\s*"([^"\n]+)"/g;
    for (const [, specifier = ""] of code.matchAll(imports)) {
      if (specifier.startsWith(".")) {
        visit(posix.join(posix.dirname(name), specifier.replace(/\.js$/, suffix)));
      } else if (PACKAGE_NAME.test(specifier)) {
        reached.packages.add(PACKAGE_NAME.exec(specifier)?.[0] as string);
      }
    }
  };
  for (const name of from) visit(name);
  return reached;
}
