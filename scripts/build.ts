// tsx scripts/build.ts WHAT
//   all         both addons, dist/ and the server
//   install     the same, but goes on without LibTorch (npm install)
//   native      both addons (binding.gyp)
//   checkpoint  the file reader
//   engine      the engine
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
import { buildAddon, requireBuildTools } from "./lib/cmake.js";
import { fetchLibtorch } from "./lib/fetch-libtorch.js";
import { BuildError, mainProgram, run, say } from "./lib/process.js";

async function libtorch(): Promise<Libtorch> {
  const { builtFrom } = readBuildRecord(join(packageRoot, "build/Release/sda_engine.node"));
  const { found, tried } = searchLibtorch({ builtFrom, headers: true });
  if (found) return found;
  const [first] = tried;
  if (first?.source === "SDA_LIBTORCH") {
    throw new BuildError(`SDA_LIBTORCH names an unusable folder: ${first.place}: ${first.problem}`);
  }
  for (const t of tried) say(`no LibTorch: ${t.source}: ${t.place}: ${t.problem}`);
  say(`fetching LibTorch ${LIBTORCH_PINNED}, once for this user`);
  return fetchLibtorch();
}

async function engine(): Promise<void> {
  const { path, version, source } = await libtorch();
  say(`LibTorch ${version}, ${path} (from: ${source})`);
  buildAddon("sda_engine", path);
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

/** Without LibTorch the engine is left out with a loud message: reading files does not need it. */
async function engineIfPossible(): Promise<void> {
  try {
    await engine();
  } catch (error) {
    if (!(error instanceof BuildError) || process.env["SDA_REQUIRE_ENGINE"] === "1") throw error;
    const bar = "!".repeat(80);
    say(`\n${bar}\nThe engine was NOT built: ${error.message}\n
These work without it: listing, searching, inspecting, verifying, repairing; torch.load, torch.save.
Making sound needs the engine. To build it later: npm run build\n${bar}`);
  }
}

const tasks: Record<string, () => Promise<void> | void> = {
  checkpoint: () => buildAddon("sda_checkpoint"),
  engine,
  server,
  async native() {
    buildAddon("sda_checkpoint");
    await engine();
  },
  async all() {
    buildAddon("sda_checkpoint");
    await engine();
    typescript();
    server();
  },
  async install() {
    buildAddon("sda_checkpoint");
    await engineIfPossible();
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
