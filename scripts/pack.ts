// tsx scripts/pack.ts [--no-build]: makes the tarballs that are published, in out/packages/.
//   --no-build  takes dist/, server/dist/ and prebuilds/ as they are
import { mkdirSync, readdirSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { findLibtorch, LIBTORCH_PINNED, readBuildRecord } from "../lib/native/libtorch.js";
import { packageRoot } from "../lib/native/package-root.js";
import { BuildError, mainProgram, run, say } from "./lib/process.js";
import { stageLibtorch, stageMain, stageServer } from "./lib/stage.js";

const OUT = join(packageRoot, "out/packages");
const STAGING = join(packageRoot, "out/staging");

function node(...args: string[]): void {
  run(process.execPath, args, { cwd: packageRoot });
}

await mainProgram(() => {
  if (process.platform !== "linux" || process.arch !== "x64")
    throw new BuildError("the packages are made on linux-x64, the platform that they are for");
  if (!process.argv.includes("--no-build")) {
    rmSync(join(packageRoot, "dist"), { recursive: true, force: true });
    node(join(packageRoot, "node_modules/typescript/bin/tsc"), "-p", ".");
    rmSync(join(packageRoot, "server/dist"), { recursive: true, force: true });
    node("--import", "tsx", "scripts/build.ts", "server");
    node("--import", "tsx", "scripts/prebuild.ts");
  }
  const engine = join(packageRoot, "prebuilds/linux-x64/sda_engine.node");
  const { builtFrom } = readBuildRecord(join(packageRoot, "build/Release/sda_engine.node"));
  const libtorch = findLibtorch({ ...readBuildRecord(engine), builtFrom });
  if (libtorch.version.replace(/\+.*/, "") !== LIBTORCH_PINNED || /\+cu/.test(libtorch.version))
    throw new BuildError(
      `the LibTorch package is made of ${LIBTORCH_PINNED} for the CPU; found: ${libtorch.version} in ${libtorch.path}`,
    );

  stageMain(join(STAGING, "main"));
  stageServer(join(STAGING, "server"));
  stageLibtorch(join(STAGING, "libtorch"), libtorch, engine);
  rmSync(OUT, { recursive: true, force: true });
  mkdirSync(OUT, { recursive: true });
  for (const name of ["main", "server", "libtorch"]) {
    const args = ["pack", "--silent", "--ignore-scripts", "--pack-destination", OUT];
    run("npm", args, { cwd: join(STAGING, name) });
  }
  rmSync(STAGING, { recursive: true });
  for (const name of readdirSync(OUT))
    say(`${join("out/packages", name)}: ${(statSync(join(OUT, name)).size / 1e6).toFixed(1)} MB`);
});
