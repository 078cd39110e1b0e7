/** Fills the folders that npm packs. Only files copied here are published. */
import {
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import type { Platform } from "../../lib/native/addon-file.js";
import {
  LIBTORCH_PACKAGE,
  LIBTORCH_PINNED,
  type Libtorch,
  readBuildRecord,
} from "../../lib/native/libtorch.js";
import { PACKAGE, packageRoot } from "../../lib/native/package-root.js";
import { libtorchAddonIn, prebuildsIn } from "./aside.js";
import { copyDocuments } from "./documents.js";
import { readSharedLibrary, systemRequirements } from "./elf.js";
import {
  libtorchManifest,
  type Manifest,
  mainManifest,
  platformManifest,
  readManifest,
  serverManifest,
  TORCH_PACKAGE,
  torchManifest,
} from "./manifests.js";
import { BuildError } from "./process.js";
import { copyTorch, referToTorch, splitOf } from "./split.js";
import { TARGETS } from "./targets.js";

/**
 * The LibTorch package's version: major and minor are LibTorch's, the last number is the package's.
 */
export const LIBTORCH_PACKAGE_VERSION = LIBTORCH_PINNED;

/** The platform whose packages LibTorch's addon and LibTorch come in. They are made on it. */
export const LIBTORCH_PLATFORM: Platform = "linux-x64";

/** small-dataset-audio, with the dist/ in the folder `built`; see aside.ts. */
export function stageMain(folder: string, built: string, platforms: readonly Platform[]): void {
  startAfresh(folder);
  const dist = join(built, "dist");
  copy(dist, join(folder, "dist"));
  rmSync(join(folder, "dist/torch-cli"), { recursive: true });
  referToTorch(join(folder, "dist"), splitOf(dist));
  copy(join(packageRoot, "assets/models"), join(folder, "assets/models"));
  copyDocuments(packageRoot, folder);
  dropMapComments(join(folder, "dist"));
  writeManifest(folder, mainManifest(readManifest(packageRoot), platforms));
}

/** torch-checkpoint, whose modules are some of those in the same dist/. */
export function stageTorch(folder: string, built: string, platforms: readonly Platform[]): void {
  startAfresh(folder);
  const dist = join(built, "dist");
  const split = splitOf(dist);
  copyTorch(dist, join(folder, "dist"), split);
  dropMapComments(join(folder, "dist"));
  const own = join(packageRoot, "torch");
  // In the package, the documents that the README links to are below it.
  const readme = readFileSync(join(own, "README.md"), "utf8").replaceAll("](../", "](");
  writeFileSync(join(folder, "README.md"), readme);
  for (const name of ["LICENSE", "doc/scanner.md"]) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    copyFileSync(join(packageRoot, name), join(folder, name));
  }
  const [torch, main] = [readManifest(own), readManifest(packageRoot)];
  writeManifest(folder, torchManifest(torch, main, split.dependencies, platforms));
}

/** Which package each addon belongs to. */
const ADDON_PACKAGES: Record<string, string> = {
  "sda_checkpoint.node": TORCH_PACKAGE,
  "sda_engine.node": PACKAGE,
};

/**
 * A platform's addons in the folder `built` that belong to the package `of`. That of this machine
 * for small-dataset-audio has LibTorch's addon, too.
 */
export function stagePlatform(folder: string, built: string, platform: Platform, of: string): void {
  startAfresh(folder);
  const { os, cpu } = TARGETS[platform];
  const prebuilds = join(folder, "prebuilds", `${os}-${cpu}`);
  copy(prebuildsIn(built, platform), prebuilds);
  for (const [name, owner] of Object.entries(ADDON_PACKAGES)) {
    if (owner !== of) rmSync(join(prebuilds, name));
  }
  if (platform === LIBTORCH_PLATFORM && of === PACKAGE) {
    const addon = libtorchAddonIn(built);
    copyFileSync(addon, join(prebuilds, "sda_libtorch.node"));
    // The record's path is this machine's: only the version is published.
    const { builtWith } = readBuildRecord(addon);
    writeFileSync(join(prebuilds, "libtorch.json"), `${JSON.stringify({ version: builtWith })}\n`);
  }
  copyFileSync(join(packageRoot, "LICENSE"), join(folder, "LICENSE"));
  const requirements = readdirSync(prebuilds)
    .filter((name) => os === "linux" && name.endsWith(".node"))
    .map((name) => [
      name.replace(".node", ""),
      systemRequirements(readSharedLibrary(join(prebuilds, name)).versions),
    ]);
  const checkout = readManifest(packageRoot);
  writeManifest(folder, platformManifest(checkout, platform, of, Object.fromEntries(requirements)));
}

/** small-dataset-audio-server, with the server/dist/ in the folder `built`. */
export function stageServer(folder: string, built: string): void {
  startAfresh(folder);
  const server = join(packageRoot, "server");
  const dist = join(built, "server/dist");
  if (!existsSync(join(dist, "page/index.html"))) throw new BuildError(`${dist} has no page`);
  copy(dist, join(folder, "dist"));
  dropMapComments(join(folder, "dist"));
  copyFileSync(join(server, "README.md"), join(folder, "README.md"));
  copyFileSync(join(packageRoot, "LICENSE"), join(folder, "LICENSE"));
  writeManifest(folder, serverManifest(readManifest(server)));
}

/** The libraries of `libtorch` that the addon `needing` needs, each under its SONAME. */
export function stageLibtorch(folder: string, libtorch: Libtorch, needing: string): void {
  startAfresh(folder);
  const lib = join(folder, "lib");
  mkdirSync(lib);
  const versions: string[] = [];
  for (const name of neededFrom(join(libtorch.path, "lib"), needing)) {
    const source = join(libtorch.path, "lib", name);
    const { soname, versions: needs } = readSharedLibrary(source);
    if (soname !== name) throw new BuildError(`${source} calls itself ${soname}`);
    // Follows symbolic links, because npm packs none.
    copyFileSync(source, join(lib, name));
    versions.push(...needs);
  }
  cpSync(join(libtorch.path, "licenses"), join(folder, "licenses"), { recursive: true });
  cpSync(join(packageRoot, "assets/licenses/libgomp"), join(folder, "licenses/libgomp"), {
    recursive: true,
  });
  writeFileSync(join(folder, "NOTICE.md"), notice(libtorch.version));
  const version = libtorch.version.replace(/\+.*/, "");
  writeManifest(
    folder,
    libtorchManifest(version, LIBTORCH_PACKAGE_VERSION, systemRequirements(versions)),
  );
}

/**
 * The names of the libraries in `folder` that `library` needs, directly or through others.
 * Libraries elsewhere belong to the system.
 */
export function neededFrom(folder: string, library: string): string[] {
  const found = new Set<string>();
  const visit = (path: string) => {
    for (const name of readSharedLibrary(path).needed) {
      if (found.has(name) || !existsSync(join(folder, name))) continue;
      found.add(name);
      visit(join(folder, name));
    }
  };
  visit(library);
  return [...found].sort();
}

function startAfresh(folder: string): void {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
}

/** @throws BuildError when `source` is missing */
function copy(source: string, target: string): void {
  if (!existsSync(source)) throw new BuildError(`${source} is not there`);
  cpSync(source, target, { recursive: true, filter: notMap });
}

/** Leaves out source maps: they point to lib/, which is not published. */
function notMap(path: string): boolean {
  return !path.endsWith(".map");
}

function dropMapComments(dist: string): void {
  for (const name of readdirSync(dist, { recursive: true, encoding: "utf8" })) {
    if (!name.endsWith(".js")) continue;
    const path = join(dist, name);
    writeFileSync(path, readFileSync(path, "utf8").replace(/^\/\/# sourceMappingURL=.*\n?/m, ""));
  }
}

function writeManifest(folder: string, manifest: Manifest): void {
  mkdirSync(dirname(join(folder, "package.json")), { recursive: true });
  writeFileSync(join(folder, "package.json"), `${JSON.stringify(manifest, null, 2)}\n`);
}

function notice(version: string): string {
  return `# ${LIBTORCH_PACKAGE}

The libraries of LibTorch ${version} that small-dataset-audio makes sound with where it
is asked to. They are unchanged
files of the wheel for Python that PyTorch publishes.

- LibTorch (libtorch_cpu.so, libc10.so): licenses/LICENSE (BSD-3-Clause). Licences of the projects
  that it contains: licenses/third_party.
- libgomp.so.1, GCC's OpenMP runtime, which that wheel contains: GPL-3.0 (licenses/libgomp/COPYING3)
  with the GCC Runtime Library Exception 3.1 (licenses/libgomp/COPYING.RUNTIME). Source: GCC,
  https://gcc.gnu.org.
`;
}
