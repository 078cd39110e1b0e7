// tsx scripts/lint.ts [--write]: Biome for TypeScript and JSON, clang-format for C++ if it is
// installed, the order of folders (dependency-cruiser), GitHub's workflows, the form of
// CHANGELOG.md, and the length of lines in Markdown and comments.
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { packageRoot } from "../lib/native/package-root.js";
import { changelogProblems } from "./lib/changelog.js";
import { lineLengthProblems, MAX_COLUMNS } from "./lib/line-length.js";
import { BuildError, mainProgram, run, runs, say } from "./lib/process.js";

const write = process.argv.includes("--write");
const options = { cwd: packageRoot };

await mainProgram(() => {
  const biome = join(packageRoot, "node_modules/@biomejs/biome/bin/biome");
  const colors = process.stdout.isTTY ? [] : ["--colors=off"];
  run(process.execPath, [biome, ...(write ? ["check", "--write"] : ["ci"]), ...colors], options);

  const cruiser = join(packageRoot, "node_modules/dependency-cruiser/bin/dependency-cruise.mjs");
  run(process.execPath, [cruiser, "--config", ".dependency-cruiser.cjs", "lib", "server/src"], {
    ...options,
    stdio: ["ignore", process.stderr.fd, "inherit"],
  });

  run(process.execPath, ["--import", "tsx", "scripts/workflows.ts"], options);
  checkChangelog();
  checkLineLengths();

  const sources = listFiles("native/*.h", "native/*.cc", "test/*.h", "test/*.cc");
  if (sources.length === 0) return;
  if (!runs("clang-format")) {
    if (process.env["CI"])
      throw new BuildError("clang-format is missing (apt-get install clang-format)");
    say("clang-format is not installed: C++ is not checked");
    return;
  }
  run("clang-format", [...(write ? ["-i"] : ["--dry-run", "--Werror"]), ...sources], options);
});

function checkChangelog(): void {
  const read = (name: string) => readFileSync(join(packageRoot, name), "utf8");
  const problems = changelogProblems(
    read("CHANGELOG.md"),
    JSON.parse(read("package.json")).version,
  );
  if (problems.length > 0) throw new BuildError(`CHANGELOG.md:\n  ${problems.join("\n  ")}`);
}

/** The repository's files, those not yet committed included. */
function listFiles(...patterns: string[]): string[] {
  const args = ["ls-files", "--cached", "--others", "--exclude-standard", ...patterns];
  const { status, stdout } = spawnSync("git", args, { ...options, encoding: "utf8" });
  if (status !== 0) throw new BuildError("git ls-files failed: lint runs in a clone");
  return stdout.split("\n").filter((name) => name !== "" && existsSync(join(packageRoot, name)));
}

function checkLineLengths(): void {
  const problems = lineLengthProblems(packageRoot, listFiles());
  if (problems.length === 0) return;
  throw new BuildError(`longer than ${MAX_COLUMNS} columns:\n  ${problems.join("\n  ")}`);
}
