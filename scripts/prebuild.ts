// tsx scripts/prebuild.ts: builds the addons of the published package in out/build/prebuilds/.
// The checkout's own build/ stays as it is.

import { ASIDE, buildAddons, prebuildsIn } from "./lib/aside.js";
import { requireBuildTools } from "./lib/cmake.js";
import { mainProgram, say } from "./lib/process.js";

await mainProgram(() => {
  requireBuildTools();
  buildAddons(ASIDE);
  say(`the addons are in ${prebuildsIn(ASIDE)}`);
});
