// Builds the fuzz targets with Clang, then:
//   npm run fuzz -- TARGET [SECONDS]  runs one target
//   npm run fuzz -- values [SECONDS]  pickles as JavaScript values and back; needs no Clang
//   npm run fuzz:ci                   runs all of these, two minutes together
//   npm run fuzz -- merge             shrinks the found inputs to the committed corpus
import { spawnSync } from "node:child_process";
import { copyFileSync, existsSync, mkdirSync, readdirSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { packageRoot } from "../lib/native/package-root.js";
import { TARGETS, type Target, writeSeeds } from "./fuzz-seeds.js";
import { BuildError, mainProgram, run, runs, say } from "./lib/process.js";

/** The target that is no native program. */
const VALUES = "values";
const DEFAULT_SECONDS = 300;
const CI_SECONDS = 120;
/** Limit for the committed corpus of all targets, in bytes. */
const CORPUS_BYTES = 300_000;
/** Larger inputs are not committed: they reach little more code than their seeds. */
const KEPT_BYTES = 1500;

const build = join(packageRoot, "build/fuzz");
const committed = join(packageRoot, "test/fuzz/corpus");

// The reader promises to use at most 64 MiB beyond the file's size. So no single allocation may be
// larger, and a process that grows beyond the second limit was hit by a bomb. An input is slow only
// from five seconds on, because sanitizers are slow on a busy machine; test/hostile/budget.test.ts
// measures.
const LIMITS = ["-timeout=5", "-malloc_limit_mb=64", "-rss_limit_mb=400"];
const LARGEST: Record<Target, number> = {
  zip: 8192,
  pickle: 4096,
  legacy: 8192,
  file: 8192,
  index: 8192,
};
/**
 * A small quarantine, so that freed memory that the sanitizer holds is not counted as the reader's.
 */
const env = { ...process.env, ASAN_OPTIONS: "quarantine_size_mb=16:allocator_may_return_null=0" };

interface Outcome {
  target: Target;
  executions: number;
  edges: number;
  rate: number;
  failed: boolean;
}

function buildTargets(): void {
  if (!runs("clang++")) {
    const missing = "fuzzing needs Clang with libFuzzer (apt-get install clang libclang-rt-dev)";
    if (process.env["CI"]) throw new BuildError(missing);
    say(`skipped: ${missing}`);
    process.exit(0);
  }
  const options = { cwd: packageRoot, env };
  const settings = ["-DCMAKE_BUILD_TYPE=RelWithDebInfo", "-DCMAKE_CXX_COMPILER=clang++"];
  const parts = ["-DSDA_BUILD_FUZZERS=ON", "-DSDA_BUILD_ADDONS=OFF"];
  run("cmake", ["-S", ".", "-B", build, "-G", "Ninja", ...settings, ...parts], {
    ...options,
    stdio: ["ignore", "ignore", "inherit"],
  });
  const programs = TARGETS.map((target) => `${target}_fuzz`);
  run("cmake", ["--build", build, "--target", ...programs], options);
}

/** Makes and returns the target's folders; new inputs are written to the first. */
function folders(target: Target): string[] {
  writeSeeds(target, join(build, "seeds"));
  const found = join(build, "found", target);
  mkdirSync(found, { recursive: true });
  mkdirSync(join(build, "artifacts", target), { recursive: true });
  const corpus = join(committed, target);
  return [found, join(build, "seeds", target), ...(existsSync(corpus) ? [corpus] : [])];
}

/** Runs the corpus and then fuzzes for so many seconds; 0 only runs the corpus. */
function fuzz(target: Target, seconds: number, echo: boolean): Outcome {
  const args = [
    `-dict=${join(packageRoot, "test/fuzz", `${target}.dict`)}`,
    `-artifact_prefix=${join(build, "artifacts", target)}/`,
    `-max_len=${LARGEST[target]}`,
    seconds > 0 ? `-max_total_time=${seconds}` : "-runs=0",
    "-print_final_stats=1",
    ...LIMITS,
    ...folders(target),
  ];
  const child = spawnSync(join(build, `${target}_fuzz`), args, {
    env,
    encoding: "utf8",
    maxBuffer: 1 << 28,
    stdio: ["ignore", "pipe", "pipe"],
  });
  if (child.error) throw new BuildError(child.error.message);
  const failed = child.status !== 0;
  if (echo || failed) process.stderr.write(child.stderr);
  const number = (pattern: RegExp) =>
    Number([...child.stderr.matchAll(pattern)].at(-1)?.[1] ?? Number.NaN);
  return {
    target,
    executions: number(/stat::number_of_executed_units:\s+(\d+)/g),
    rate: number(/stat::average_exec_per_sec:\s+(\d+)/g),
    edges: number(/\bcov: (\d+)/g),
    failed,
  };
}

function report(outcomes: Outcome[]): void {
  for (const { target, executions, rate, edges, failed } of outcomes)
    say(
      `fuzz ${target}: ${executions} executions (${rate} a second), ${edges} edges, ${
        failed ? `a FINDING in build/fuzz/artifacts/${target}` : "no finding"
      }`,
    );
  const total = outcomes.reduce((sum, { executions }) => sum + executions, 0);
  say(`fuzz: ${total} executions`);
  // A target without executions has tested nothing, so it fails.
  const idle = outcomes.filter(({ executions }) => !(executions > 0));
  const bad = outcomes.filter(({ failed }) => failed);
  if (bad.length + idle.length > 0)
    throw new BuildError(
      `fuzzing failed: ${[...bad, ...idle].map(({ target }) => target).join(", ")}`,
    );
}

/**
 * Writes the smallest set of inputs that reaches the same edges as all inputs to test/fuzz/corpus.
 */
function merge(): void {
  let size = 0;
  for (const target of TARGETS) {
    const result = join(build, "merged", target);
    rmSync(result, { recursive: true, force: true });
    mkdirSync(result, { recursive: true });
    // By edges alone: counting how often an edge is taken would keep thousands of inputs.
    const args = [
      "-set_cover_merge=1",
      "-use_counters=0",
      `-max_len=${LARGEST[target]}`,
      ...LIMITS,
    ];
    run(join(build, `${target}_fuzz`), [...args, result, ...folders(target)], {
      cwd: build,
      env,
      stdio: "ignore",
    });
    const corpus = join(committed, target);
    rmSync(corpus, { recursive: true, force: true });
    mkdirSync(corpus, { recursive: true });
    for (const name of readdirSync(result)) {
      const bytes = statSync(join(result, name)).size;
      if (bytes > KEPT_BYTES) continue;
      size += bytes;
      copyFileSync(join(result, name), join(corpus, name));
    }
    say(`merge ${target}: ${readdirSync(corpus).length} inputs`);
  }
  if (size > CORPUS_BYTES)
    throw new BuildError(`the corpus has ${size} bytes, more than ${CORPUS_BYTES}`);
}

function isTarget(text: string): text is Target {
  return (TARGETS as readonly string[]).includes(text);
}

/** As `fuzz`, of test/support/value-fuzz.ts. A finding is an error with the pickle. */
async function fuzzJavaScript(seconds: number): Promise<void> {
  // Imported here: the native targets need no addon.
  const { fuzzValues } = await import("../test/support/value-fuzz.js");
  const folder = join(build, "found", VALUES);
  mkdirSync(folder, { recursive: true });
  const end = Date.now() + seconds * 1000;
  const seed = 1 + (Date.now() % 2 ** 31);
  const isOver = () => Date.now() > end;
  say(`fuzz values: seed ${seed}`);
  const counts = await fuzzValues(Number.POSITIVE_INFINITY, seed, join(folder, "a.pt"), isOver);
  const all = Object.entries(counts).map(([outcome, count]) => `${count} ${outcome}`);
  say(`fuzz values: ${all.join(", ")}, no finding`);
}

await mainProgram(async () => {
  const [what = "", seconds = String(DEFAULT_SECONDS)] = process.argv.slice(2);
  if (what !== "ci" && what !== "merge" && what !== VALUES && !isTarget(what))
    throw new BuildError(`npm run fuzz -- ${[...TARGETS, VALUES].join("|")}|merge [SECONDS]`);
  if (!/^\d+$/.test(seconds))
    throw new BuildError(`expected a whole number of seconds, got '${seconds}'`);
  if (what === VALUES) return fuzzJavaScript(Number(seconds));
  buildTargets();
  if (what === "merge") return merge();
  if (what !== "ci") return report([fuzz(what, Number(seconds), true)]);
  const share = Math.floor(CI_SECONDS / (TARGETS.length + 1));
  report(TARGETS.map((target) => fuzz(target, share, false)));
  await fuzzJavaScript(share);
});
