// tsx scripts/platforms.ts [PLATFORM...] [--no-build]: builds the addons of the published packages
// in out/build/ and runs them, by emulation where they are for another system. Says what it
// skipped, and why. Exits with 1 when a check fails.
//   --no-build  runs what an earlier `npm run pack -- --all` or a run of this script has built
import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { PLATFORMS, type Platform } from "../lib/native/addon-file.js";
import { packageRoot } from "../lib/native/package-root.js";
import { ASIDE, buildAddons, buildLibrary, prebuildsIn } from "./lib/aside.js";
import { requireBuildTools } from "./lib/cmake.js";
import { BuildError, mainProgram, say } from "./lib/process.js";
import { inspectAddons } from "./platforms/inspect.js";
import type { Outcome } from "./platforms/outcome.js";
import { RUNS } from "./platforms/runs.js";

const OUT = join(packageRoot, "out/platforms");

function wanted(): Platform[] {
  const named = process.argv.slice(2).filter((one) => !one.startsWith("--"));
  for (const one of named) {
    if (!(PLATFORMS as readonly string[]).includes(one))
      throw new BuildError(`${one} is none of ${PLATFORMS.join(", ")}`);
  }
  return PLATFORMS.filter((one) => named.length === 0 || named.includes(one));
}

function tell(platform: Platform, { what, skipped, problems, figures }: Outcome): void {
  const result = skipped ? `skipped: ${skipped}` : problems.length === 0 ? "ok" : "FAILED";
  say(`${platform}: ${what}: ${result}${figures ? ` (${figures})` : ""}`);
  for (const problem of problems) say(`    ${problem}`);
}

await mainProgram(async () => {
  if (process.platform !== "linux" || process.arch !== "x64")
    throw new BuildError("the platforms are tried on linux-x64");
  const platforms = wanted();
  rmSync(OUT, { recursive: true, force: true });
  mkdirSync(OUT, { recursive: true });
  if (!process.argv.includes("--no-build")) {
    requireBuildTools();
    buildLibrary(ASIDE);
    for (const platform of platforms) buildAddons(ASIDE, platform);
  }
  const outcomes: Outcome[] = [];
  for (const platform of platforms) {
    for (const run of [inspectAddons, ...RUNS[platform]]) {
      const outcome = await run({
        platform,
        addons: prebuildsIn(ASIDE, platform),
        dist: join(ASIDE, "dist"),
        work: join(OUT, `${platform}-${outcomes.length}`),
      });
      tell(platform, outcome);
      outcomes.push(outcome);
    }
  }
  const failed = outcomes.filter(({ problems }) => problems.length > 0).length;
  const skipped = outcomes.filter((one) => one.skipped).length;
  say(`${outcomes.length - failed - skipped} passed, ${failed} failed, ${skipped} skipped`);
  if (failed > 0) process.exitCode = 1;
});
