/** Fills the folders that npm packs: what is copied here is what is published, and nothing else. */
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
import { LIBTORCH_PACKAGE, LIBTORCH_PINNED, type Libtorch } from "../../lib/native/libtorch.js";
import { packageRoot } from "../../lib/native/package-root.js";
import { copyDocuments } from "./documents.js";
import { readSharedLibrary, systemRequirements } from "./elf.js";
import { libtorchManifest, type Manifest, mainManifest, serverManifest } from "./manifests.js";
import { BuildError } from "./process.js";

/** The LibTorch package's own version: major.minor are LibTorch's, the last number is the package's. */
export const LIBTORCH_PACKAGE_VERSION = LIBTORCH_PINNED;

const ADDONS = ["sda_checkpoint", "sda_engine"] as const;

/** small-dataset-audio: needs dist/ and prebuilds/. */
export function stageMain(folder: string): void {
  startAfresh(folder);
  for (const name of ["dist", "prebuilds", "assets/models"]) {
    const source = join(packageRoot, name);
    if (!existsSync(source)) throw new BuildError(`${source} is not there`);
    cpSync(source, join(folder, name), { recursive: true, filter: notMap });
  }
  copyDocuments(packageRoot, folder);
  dropMapComments(join(folder, "dist"));

  const prebuilds = join(folder, "prebuilds", `${process.platform}-${process.arch}`);
  const requirements = Object.fromEntries(
    ADDONS.map((name) => [
      name,
      systemRequirements(readSharedLibrary(join(prebuilds, `${name}.node`)).versions),
    ]),
  );
  const checkout = readManifest(packageRoot);
  writeManifest(folder, mainManifest(checkout, LIBTORCH_PACKAGE_VERSION, requirements));
}

/** small-dataset-audio-server: needs server/dist/ with the page in it. */
export function stageServer(folder: string): void {
  startAfresh(folder);
  const server = join(packageRoot, "server");
  const dist = join(server, "dist");
  if (!existsSync(join(dist, "page/index.html"))) {
    throw new BuildError(`${dist} has no page: npm run build:server`);
  }
  cpSync(dist, join(folder, "dist"), { recursive: true, filter: notMap });
  dropMapComments(join(folder, "dist"));
  copyFileSync(join(server, "README.md"), join(folder, "README.md"));
  copyFileSync(join(packageRoot, "LICENSE"), join(folder, "LICENSE"));
  writeManifest(folder, serverManifest(readManifest(server)));
}

/** The libraries in `libtorch` that the engine needs, each once under the name that the loader asks for. */
export function stageLibtorch(folder: string, libtorch: Libtorch, engine: string): void {
  startAfresh(folder);
  const lib = join(folder, "lib");
  mkdirSync(lib);
  const versions: string[] = [];
  for (const name of neededFrom(join(libtorch.path, "lib"), engine)) {
    const source = join(libtorch.path, "lib", name);
    const { soname, versions: needs } = readSharedLibrary(source);
    if (soname !== name) throw new BuildError(`${source} calls itself ${soname}`);
    // npm packs no symbolic links: this follows them.
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

/** What `library` asks for and what that asks for, as far as it lies in `folder`; the rest is the system's. */
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

/** Source maps point to lib/, which is not published. */
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

function readManifest(folder: string): Manifest {
  return JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
}

function writeManifest(folder: string, manifest: Manifest): void {
  mkdirSync(dirname(join(folder, "package.json")), { recursive: true });
  writeFileSync(join(folder, "package.json"), `${JSON.stringify(manifest, null, 2)}\n`);
}

function notice(version: string): string {
  return `# ${LIBTORCH_PACKAGE}

The libraries of LibTorch ${version} that small-dataset-audio makes sound with, unchanged, as PyTorch publishes them in its
wheel for Python.

- LibTorch (libtorch_cpu.so, libc10.so): licenses/LICENSE (BSD-3-Clause), and of what it contains: licenses/third_party.
- libgomp.so.1, the OpenMP runtime of GCC, comes with that wheel: GPL-3.0 (licenses/libgomp/COPYING3) with the GCC Runtime Library
  Exception 3.1 (licenses/libgomp/COPYING.RUNTIME). Its source is GCC's, at https://gcc.gnu.org.
`;
}
