// tsx scripts/pack.ts [--no-build]: makes the tarballs that are published, in out/packages/.
// Everything is built in out/build/: the checkout's build/, dist/ and server/dist/ stay untouched.
//   --no-build  packs what the last `npm run pack` has built
import { mkdirSync, readdirSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { findLibtorch, LIBTORCH_PINNED, readBuildRecord } from "../lib/native/libtorch.js";
import { packageRoot } from "../lib/native/package-root.js";
import {
  ASIDE,
  buildAddons,
  buildLibrary,
  buildServer,
  builtEngineIn,
  prebuildsIn,
} from "./lib/aside.js";
import { requireBuildTools } from "./lib/cmake.js";
import { BuildError, mainProgram, run, say } from "./lib/process.js";
import { stageLibtorch, stageMain, stageServer } from "./lib/stage.js";

const OUT = join(packageRoot, "out/packages");
const STAGING = join(packageRoot, "out/staging");

await mainProgram(() => {
  if (process.platform !== "linux" || process.arch !== "x64") {
    throw new BuildError("the packages are made on linux-x64, the platform that they are for");
  }
  if (!process.argv.includes("--no-build")) {
    requireBuildTools();
    buildLibrary(ASIDE);
    buildServer(ASIDE);
    buildAddons(ASIDE);
  }
  const { builtWith, builtFrom } = readBuildRecord(builtEngineIn(ASIDE));
  const libtorch = findLibtorch({ builtWith, builtFrom });
  if (libtorch.version.replace(/\+.*/, "") !== LIBTORCH_PINNED || /\+cu/.test(libtorch.version)) {
    const wanted = `the LibTorch package is made of ${LIBTORCH_PINNED} for the CPU`;
    throw new BuildError(`${wanted}; found: ${libtorch.version} in ${libtorch.path}`);
  }

  stageMain(join(STAGING, "main"), ASIDE);
  stageServer(join(STAGING, "server"), ASIDE);
  const engine = join(prebuildsIn(ASIDE), "sda_engine.node");
  stageLibtorch(join(STAGING, "libtorch"), libtorch, engine);
  rmSync(OUT, { recursive: true, force: true });
  mkdirSync(OUT, { recursive: true });
  for (const name of ["main", "server", "libtorch"]) {
    const args = ["pack", "--silent", "--ignore-scripts", "--pack-destination", OUT];
    run("npm", args, { cwd: join(STAGING, name) });
  }
  rmSync(STAGING, { recursive: true });
  for (const name of readdirSync(OUT)) {
    const megabytes = statSync(join(OUT, name)).size / 1e6;
    say(`${join("out/packages", name)}: ${megabytes.toFixed(1)} MB`);
  }
});
