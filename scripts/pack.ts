// tsx scripts/pack.ts [--all] [--no-build]: makes the published tarballs in out/packages/.
// Everything is built in out/build/: the checkout's build/, dist/ and server/dist/ stay untouched.
//   --all       for all platforms; otherwise for this machine's only
//   --no-build  packs what an earlier `npm run pack` has built
import { existsSync, mkdirSync, readdirSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { PLATFORMS, type Platform } from "../lib/native/addon-file.js";
import { findLibtorch, LIBTORCH_PINNED, readBuildRecord } from "../lib/native/libtorch.js";
import { PACKAGE, packageRoot } from "../lib/native/package-root.js";
import {
  ASIDE,
  buildAddons,
  buildLibrary,
  buildLibtorchAddon,
  buildServer,
  libtorchAddonIn,
  prebuildsIn,
} from "./lib/aside.js";
import { requireBuildTools } from "./lib/cmake.js";
import { TORCH_PACKAGE } from "./lib/manifests.js";
import { BuildError, mainProgram, run, say } from "./lib/process.js";
import {
  LIBTORCH_PLATFORM,
  stageLibtorch,
  stageMain,
  stagePlatform,
  stageServer,
  stageTorch,
} from "./lib/stage.js";

const OUT = join(packageRoot, "out/packages");
const STAGING = join(packageRoot, "out/staging");

/** The platforms that are packed: those asked for, or those that are built. */
function platforms(): readonly Platform[] {
  if (process.argv.includes("--all")) return PLATFORMS;
  if (!process.argv.includes("--no-build")) return [LIBTORCH_PLATFORM];
  return PLATFORMS.filter((platform) => existsSync(prebuildsIn(ASIDE, platform)));
}

function build(): void {
  requireBuildTools();
  buildLibrary(ASIDE);
  buildServer(ASIDE);
  buildLibtorchAddon(ASIDE);
  for (const platform of platforms()) {
    say(`building the addons for ${platform}`);
    buildAddons(ASIDE, platform);
  }
}

await mainProgram(() => {
  if (process.platform !== "linux" || process.arch !== "x64")
    throw new BuildError("the packages are made on linux-x64, where LibTorch's package is for");
  if (!process.argv.includes("--no-build")) build();
  const addon = libtorchAddonIn(ASIDE);
  const libtorch = findLibtorch(readBuildRecord(addon));
  if (libtorch.version.replace(/\+.*/, "") !== LIBTORCH_PINNED || /\+cu/.test(libtorch.version)) {
    const wanted = `the LibTorch package is made of ${LIBTORCH_PINNED} for the CPU`;
    throw new BuildError(`${wanted}; found: ${libtorch.version} in ${libtorch.path}`);
  }

  // These packages name all platforms, so that they are the same wherever they are packed.
  stageMain(join(STAGING, "main"), ASIDE, PLATFORMS);
  stageServer(join(STAGING, "server"), ASIDE);
  stageTorch(join(STAGING, "torch"), ASIDE, PLATFORMS);
  for (const platform of platforms()) {
    stagePlatform(join(STAGING, platform), ASIDE, platform, PACKAGE);
    stagePlatform(join(STAGING, `torch-${platform}`), ASIDE, platform, TORCH_PACKAGE);
  }
  stageLibtorch(join(STAGING, "libtorch"), libtorch, addon);
  rmSync(OUT, { recursive: true, force: true });
  mkdirSync(OUT, { recursive: true });
  for (const name of readdirSync(STAGING)) {
    const args = ["pack", "--silent", "--ignore-scripts", "--pack-destination", OUT];
    run("npm", args, { cwd: join(STAGING, name) });
  }
  rmSync(STAGING, { recursive: true });
  for (const name of readdirSync(OUT)) {
    const megabytes = statSync(join(OUT, name)).size / 1e6;
    say(`${join("out/packages", name)}: ${megabytes.toFixed(1)} MB`);
  }
});
