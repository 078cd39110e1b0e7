// Builds prebuilds/PLATFORM-ARCH/ for the published package: both addons, by way of prebuildify → node-gyp →
// binding.gyp → the CMake build. prebuildify takes one addon from build/Release; the other travels as an artifact.
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { packageRoot } from "../lib/native/package-root.js";
import { BuildError, mainProgram, run } from "./lib/process.js";

const release = join(packageRoot, "build/Release");
const artifacts = join(packageRoot, "build/artifacts");

/** prebuildify's hook between the build and the copying. */
function gatherArtifacts(): void {
  mkdirSync(artifacts, { recursive: true });
  cpSync(join(release, "sda_engine.node"), join(artifacts, "sda_engine.node"));
  // Only the version: the place is this machine's.
  const { version } = JSON.parse(readFileSync(join(release, "libtorch.json"), "utf8"));
  writeFileSync(join(artifacts, "libtorch.json"), `${JSON.stringify({ version })}\n`);
}

await mainProgram(() => {
  if (process.argv[2] === "gather") return gatherArtifacts();

  const prebuilds = join(packageRoot, "prebuilds");
  rmSync(prebuilds, { recursive: true, force: true });
  const prebuildify = createRequire(import.meta.url).resolve("prebuildify/bin.js");
  const options = ["--napi", "--name", "sda_checkpoint", "--artifacts", artifacts];
  options.push("--postinstall", "node --import tsx scripts/prebuild.ts gather");
  run(process.execPath, [prebuildify, ...options], { cwd: packageRoot });

  const folder = join(prebuilds, `${process.platform}-${process.arch}`);
  for (const file of ["sda_checkpoint.node", "sda_engine.node", "libtorch.json"]) {
    if (!existsSync(join(folder, file))) throw new BuildError(`${join(folder, file)} was not made`);
  }
  // prebuildify moved it out of build/Release, where this checkout looks.
  cpSync(join(folder, "sda_checkpoint.node"), join(release, "sda_checkpoint.node"));
});
