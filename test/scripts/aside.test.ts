/** Making the packages leaves the checkout usable: everything is built in a folder of its own. */
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { delimiter, dirname, join, relative } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { addonFile } from "../../lib/native/addon-file.js";
import { libtorchLibraries, readBuildRecord } from "../../lib/native/libtorch.js";
import { packageRoot } from "../../lib/native/package-root.js";
import {
  buildAddons,
  buildLibrary,
  buildLibtorchAddon,
  buildServer,
  libtorchAddonIn,
  prebuildsIn,
} from "../../scripts/lib/aside.js";
import { stageServer } from "../../scripts/lib/stage.js";

/** Everything in the checkout that a build of the checkout itself writes. */
const OWN = ["build/Release", "build/CMakeCache.txt", "dist", "prebuilds", "server/dist"];

/**
 * Replaces node-gyp: checks the inputs of binding.gyp's action and runs it. prebuildify puts Node's
 * folder first in the PATH, so this script puts the CMake beside this file first again.
 */
const NODE_GYP = `#!/usr/bin/env node
const { accessSync, readFileSync } = require("node:fs");
const { spawnSync } = require("node:child_process");
const json = readFileSync("binding.gyp", "utf8").replace(/^#.*/gm, "");
const [{ actions: [{ action: [command, ...args], inputs }] }] = JSON.parse(json).targets;
for (const input of inputs) accessSync(input);
const env = { ...process.env, PATH: __dirname + ":" + process.env.PATH };
process.exit(spawnSync(command, args, { stdio: "inherit", env }).status ?? 1);
`;

/** Stands for CMake: notes how it is called, and leaves the files that a build leaves. */
const CMAKE = `#!/usr/bin/env node
const { appendFileSync, mkdirSync, writeFileSync } = require("node:fs");
const args = process.argv.slice(2);
appendFileSync(process.env.SDA_TEST_LOG, JSON.stringify({ args, cwd: process.cwd() }) + "\\n");
if (args.includes("--build")) {
  const release = args[args.indexOf("--build") + 1] + "/Release";
  mkdirSync(release, { recursive: true });
  for (const [i, arg] of args.entries())
    if (arg === "--target") writeFileSync(release + "/" + args[i + 1] + ".node", args[i + 1]);
  writeFileSync(release + "/libtorch.json", '{ "version": "2.13.0", "path": "/here" }');
}
`;

let before: Map<string, string>;
let folder: string;
/** How CMake was called. */
let calls: { args: string[]; cwd: string }[];

describe.skipIf(process.platform === "win32")("a build aside", () => {
  beforeAll(() => {
    before = contents();
    mkdirSync(join(packageRoot, "out"), { recursive: true });
    folder = mkdtempSync(join(packageRoot, "out/test-aside-"));
    const built = join(folder, "built");
    mkdirSync(built);
    withTools(() => {
      buildAddons(built, "linux-arm64");
      buildLibtorchAddon(built);
    });
    // `npm run typecheck` checks the types: here that would take most of the time.
    buildLibrary(built, "--noCheck");
    buildServer(built, "--noCheck");
    const log = readFileSync(join(folder, "log"), "utf8").trim();
    calls = log.split("\n").map((line) => JSON.parse(line));
  }, 1_800_000);
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  test("makes the library, the server with its page, and the addons", () => {
    const built = join(folder, "built");
    for (const name of ["dist/index.js", "dist/index.d.ts", "dist/torch/index.d.ts"]) {
      expect(existsSync(join(built, name)), name).toBe(true);
    }
    stageServer(join(folder, "staged"), built);
    expect(readdirSync(join(folder, "staged/dist"))).toEqual(
      expect.arrayContaining(["index.js", "index.d.ts", "page"]),
    );
    const prebuilds = prebuildsIn(built, "linux-arm64");
    expect(prebuilds).toBe(join(built, "linux-arm64/prebuilds/linux-arm64"));
    for (const name of ["sda_checkpoint", "sda_engine"])
      expect(readFileSync(join(prebuilds, `${name}.node`), "utf8")).toBe(name);
    expect(readFileSync(libtorchAddonIn(built), "utf8")).toBe("sda_libtorch");
    expect(readBuildRecord(libtorchAddonIn(built))).toEqual({
      builtWith: "2.13.0",
      builtFrom: "/here",
    });
  });

  test("changes nothing that the checkout runs from", () => {
    expect(before.size).toBeGreaterThan(0);
    expect(contents()).toEqual(before);
  });

  test("has CMake configure and build in its own folder", () => {
    const built = calls.filter(({ args }) => args[0] === "--build");
    const targets = built.map(({ args }) => args.filter((_, i) => args[i - 1] === "--target"));
    expect(targets).toEqual([["sda_checkpoint", "sda_engine"], ["sda_libtorch"]]);
    const places = ["linux-arm64/native/build", "libtorch"].map((at) => join(folder, "built", at));
    expect(built.map(({ args }) => args[1])).toEqual(places);
    // The platform's build is configured by its path, LibTorch's by cmake-js in its folder.
    const [cross, own] = calls.filter(({ args }) => args[0] !== "--build" && args.length > 1);
    expect(cross?.args[cross.args.indexOf("-B") + 1]).toBe(places[0]);
    expect(cross?.args).toContain("-DSDA_ZIG_TARGET=aarch64-linux-gnu.2.28");
    expect(own?.cwd).toBe(places[1]);
  });

  const addon = addonFile("sda_checkpoint");
  test.skipIf(!existsSync(addon))("leaves the addon loadable", () => {
    const script = `console.log(require(${JSON.stringify(addon)}).version)`;
    const { stdout, stderr } = spawnSync(process.execPath, ["-e", script], { encoding: "utf8" });
    const { version } = JSON.parse(readFileSync(join(packageRoot, "package.json"), "utf8"));
    expect({ stdout, stderr }).toEqual({ stdout: `${version}\n`, stderr: "" });
  });
});

/** Content and time of change of each file in OWN, by path. */
function contents(): Map<string, string> {
  const found = new Map<string, string>();
  const note = (path: string) => {
    if (!existsSync(path)) return;
    const { mtimeMs } = statSync(path);
    const hash = createHash("sha256").update(readFileSync(path)).digest("hex");
    found.set(relative(packageRoot, path), `${mtimeMs} ${hash}`);
  };
  for (const name of OWN) {
    const path = join(packageRoot, name);
    if (!statSync(path, { throwIfNoEntry: false })?.isDirectory()) note(path);
    else {
      for (const entry of readdirSync(path, { recursive: true, withFileTypes: true })) {
        if (entry.isFile()) note(join(entry.parentPath, entry.name));
      }
    }
  }
  return found;
}

/** Runs `f` with the two tools above, and with a folder that passes for LibTorch. */
function withTools(f: () => void): void {
  const bin = join(folder, "bin");
  const libtorch = join(folder, "libtorch");
  const tool = (name: string, script: string) => write(join(bin, name), script, 0o755);
  const changes = {
    CXX: tool("cmake", CMAKE), // whatever answers to --version
    PREBUILD_NODE_GYP: tool("node-gyp", NODE_GYP),
    PATH: `${bin}${delimiter}${process.env["PATH"]}`,
    SDA_LIBTORCH: libtorch,
    SDA_ZIG: join(folder, "zig"),
    SDA_TEST_LOG: join(folder, "log"),
  };
  write(join(bin, "package.json"), '{ "type": "commonjs" }');
  for (const library of libtorchLibraries(libtorch)) write(library, "");
  write(join(libtorch, "include/torch/headeronly/version.h"), "");
  write(join(libtorch, "build-version"), "2.13.0");

  const kept = Object.keys(changes).map((name) => [name, process.env[name]] as const);
  Object.assign(process.env, changes);
  try {
    f();
  } finally {
    for (const [name, value] of kept) {
      if (value === undefined) delete process.env[name];
      else process.env[name] = value;
    }
  }
}

function write(path: string, text: string, mode = 0o644): string {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text, { mode });
  return path;
}
