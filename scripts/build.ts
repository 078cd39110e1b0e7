// tsx scripts/build.ts WHAT
//   all         the addons, dist/ and the server (npm install); LibTorch's addon only where
//               LibTorch is found
//   native      the file reader and the engine (binding.gyp)
//   checkpoint  the file reader
//   engine      the engine
//   libtorch    LibTorch's addon; fetches LibTorch if none is found
//   server      the server package and its page
//
// CMake builds in build/, or in the folder that SDA_BUILD_FOLDER names.
import { existsSync } from "node:fs";
import { join } from "node:path";
import {
  LIBTORCH_PINNED,
  type Libtorch,
  readBuildRecord,
  searchLibtorch,
} from "../lib/native/libtorch.js";
import { packageRoot } from "../lib/native/package-root.js";
import { BUILD, buildAddons, requireBuildTools } from "./lib/cmake.js";
import { fetchLibtorch } from "./lib/fetch-libtorch.js";
import { BuildError, mainProgram, run, say } from "./lib/process.js";

function search() {
  const { builtFrom } = readBuildRecord(join(BUILD, "Release/sda_libtorch.node"));
  return searchLibtorch({ builtFrom, headers: true });
}

async function libtorch(): Promise<void> {
  const { found, tried } = search();
  const [first] = tried;
  if (!found && first?.source === "SDA_LIBTORCH") {
    throw new BuildError(`SDA_LIBTORCH names an unusable folder: ${first.place}: ${first.problem}`);
  }
  if (!found) {
    for (const t of tried) say(`no LibTorch: ${t.source}: ${t.place}: ${t.problem}`);
    say(`fetching LibTorch ${LIBTORCH_PINNED}, once for this user`);
  }
  buildWith(found ?? (await fetchLibtorch()));
}

function buildWith({ path, version, source }: Libtorch): void {
  say(`LibTorch ${version}, ${path} (from: ${source})`);
  buildAddons(["sda_libtorch"], path);
}

/** A LibTorch that can't be built with leaves out its addon only, which nothing but GPUs need. */
function libtorchIfFound(): void {
  const { found } = search();
  if (!found) return;
  try {
    buildWith(found);
  } catch (error) {
    if (!(error instanceof BuildError) || process.env["CI"]) throw error;
    say(`The addon for LibTorch was NOT built: ${error.message}`);
  }
}

function typescript(): void {
  run(process.execPath, [join(packageRoot, "node_modules/typescript/bin/tsc"), "-p", "."], {
    cwd: packageRoot,
  });
}

/** Skipped when the install left out the server's workspace. */
function server(): void {
  if (!existsSync(join(packageRoot, "node_modules/small-dataset-audio-server"))) return;
  run("npm", ["run", "build", "--silent", "--workspace", "server"], { cwd: packageRoot });
}

const tasks: Record<string, () => Promise<void> | void> = {
  checkpoint: () => buildAddons(["sda_checkpoint"]),
  engine: () => buildAddons(["sda_engine"]),
  libtorch,
  server,
  native: () => buildAddons(["sda_checkpoint", "sda_engine"]),
  all() {
    buildAddons(["sda_checkpoint", "sda_engine"]);
    libtorchIfFound();
    typescript();
    server();
  },
};

await mainProgram(async () => {
  const task = tasks[process.argv[2] ?? "all"];
  if (!task) throw new BuildError(`build.ts: expected one of: ${Object.keys(tasks).join(", ")}`);
  requireBuildTools();
  await task();
});
