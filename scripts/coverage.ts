// npm run coverage: measures what the tests reach, and prints the totals. It fails when a test
// fails, whatever the totals are. The reports lie in out/coverage.
//   TypeScript: V8's coverage of all vitest files
//   C++:        gcov's, of the native tests and the reader's vitest files. The backend on LibTorch
//               is included if `npm run build:libtorch` built it and --libtorch asks for it.
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { packageRoot } from "../lib/native/package-root.js";
import { BuildError, mainProgram, run, runs, say } from "./lib/process.js";

const READER_TESTS = ["test/torch", "test/hostile", "test/library"];
const build = join(packageRoot, "build/coverage");
const reports = join(packageRoot, "out/coverage");

/** Executions by line, of each source file */
type Lines = Map<string, Map<number, number>>;

interface GcovFile {
  file: string;
  lines: { line_number: number; count: number }[];
}

function vitest(args: string[], env: NodeJS.ProcessEnv = {}): void {
  const program = join(packageRoot, "node_modules/vitest/vitest.mjs");
  run(process.execPath, [program, "run", ...args], {
    cwd: packageRoot,
    env: { ...process.env, ...env },
  });
}

function typescript(): void {
  vitest(["--coverage"]);
}

function cpp(withLibtorch: boolean): void {
  for (const tool of ["cmake", "gcov"]) {
    if (!runs(tool)) throw new BuildError(`C++ is not measured: ${tool} is missing`);
  }
  const settings = [
    "-DCMAKE_BUILD_TYPE=Debug",
    "-DCMAKE_CXX_FLAGS=--coverage -O1",
    "-DSDA_BUILD_NATIVE_TESTS=ON",
    ...(withLibtorch ? [`-DSDA_LIBTORCH=${libtorch()}`] : []),
  ];
  run("cmake", ["-S", packageRoot, "-B", build, "-G", "Ninja", ...settings], {
    stdio: ["ignore", "ignore", "inherit"],
  });
  run("cmake", ["--build", build]);
  for (const path of counters()) rmSync(path);
  run("ctest", ["--test-dir", build, "--output-on-failure"]);
  // Counters are written when a process exits, but Vitest kills its workers. With this option of
  // Node's, a worker exits by itself instead.
  vitest([...READER_TESTS, `--execArgv=--diagnostic-dir=${build}`], {
    SDA_CHECKPOINT_ADDON: join(build, "Debug/sda_checkpoint.node"),
  });
  report(readCounters());
}

function libtorch(): string {
  const path = join(packageRoot, "build/Release/libtorch.json");
  if (!existsSync(path)) throw new BuildError("--libtorch needs its addon: npm run build:libtorch");
  return JSON.parse(readFileSync(path, "utf8")).path;
}

function counters(): string[] {
  return (readdirSync(build, { recursive: true }) as string[])
    .filter((name) => name.endsWith(".gcda"))
    .map((name) => join(build, name));
}

function readCounters(): Lines {
  const found: Lines = new Map();
  for (const path of counters()) {
    const { stdout, status, stderr } = spawnSync("gcov", ["--json-format", "--stdout", path], {
      cwd: build,
      encoding: "utf8",
      maxBuffer: 2 ** 28,
    });
    if (status !== 0) throw new BuildError(`gcov ${path}: ${stderr}`);
    // One document a line; a header appears in the document of each file that includes it.
    for (const document of stdout.split("\n").filter(Boolean))
      for (const { file, lines } of JSON.parse(document).files as GcovFile[])
        add(found, file, lines);
  }
  return found;
}

function add(found: Lines, file: string, lines: GcovFile["lines"]): void {
  const path = relative(packageRoot, file);
  if (!path.startsWith("native/") || path.includes("/test/")) return;
  const counts = found.get(path) ?? new Map<number, number>();
  found.set(path, counts);
  for (const { line_number, count } of lines)
    counts.set(line_number, (counts.get(line_number) ?? 0) + count);
}

function report(found: Lines): void {
  if (found.size === 0) throw new BuildError("gcov found no counters of native/");
  const folders = new Map<string, [reached: number, all: number]>();
  const records: string[] = [];
  for (const [path, counts] of [...found].sort(([a], [b]) => (a < b ? -1 : 1))) {
    const reached = [...counts.values()].filter((count) => count > 0).length;
    for (const folder of [path.split("/").slice(0, 3).join("/"), "all of native/"]) {
      const [before, all] = folders.get(folder) ?? [0, 0];
      folders.set(folder, [before + reached, all + counts.size]);
    }
    const lines = [...counts].sort(([a], [b]) => a - b).map(([line, n]) => `DA:${line},${n}`);
    records.push(`SF:${path}`, ...lines, `LF:${counts.size}`, `LH:${reached}`, "end_of_record");
  }
  mkdirSync(join(reports, "cpp"), { recursive: true });
  writeFileSync(join(reports, "cpp/lcov.info"), `${records.join("\n")}\n`);
  console.log("\nC++, lines reached:");
  for (const [folder, [reached, all]] of folders)
    console.log(`${percent(reached, all)}  ${`${reached}/${all}`.padStart(11)}  ${folder}`);
}

const percent = (part: number, all: number) => `${((100 * part) / all).toFixed(1).padStart(6)} %`;

await mainProgram(() => {
  const args = process.argv.slice(2);
  const unknown = args.filter((arg) => arg !== "--libtorch" && arg !== "--cpp");
  if (unknown.length > 0) throw new BuildError(`unknown argument ${unknown[0]}`);
  if (!args.includes("--cpp")) typescript();
  cpp(args.includes("--libtorch"));
  say(`reports in ${relative(process.cwd(), reports)}`);
});
