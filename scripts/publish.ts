// tsx scripts/publish.ts [--dry-run]: publishes what `npm run pack` made. It skips a version that
// the registry has already, so that an interrupted release can be run again.
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import semver from "semver";
import { PLATFORMS, platformPackage } from "../lib/native/addon-file.js";
import { LIBTORCH_PACKAGE } from "../lib/native/libtorch.js";
import { packageRoot } from "../lib/native/package-root.js";
import { TORCH_PACKAGE } from "./lib/manifests.js";
import { BuildError, mainProgram, run, say } from "./lib/process.js";

/** A package comes after the packages that it depends on. */
const ORDER = [
  LIBTORCH_PACKAGE,
  ...PLATFORMS.map((platform) => platformPackage(platform, TORCH_PACKAGE)),
  TORCH_PACKAGE,
  ...PLATFORMS.map((platform) => platformPackage(platform)),
  "small-dataset-audio",
  "small-dataset-audio-server",
];
const PACKED = process.env["SDA_PACKAGES"] || join(packageRoot, "out/packages");

interface Package {
  name: string;
  version: string;
  file: string;
}

function packages(): Package[] {
  const files = existsSync(PACKED) ? readdirSync(PACKED).map((name) => join(PACKED, name)) : [];
  const found = files.map((file) => ({ ...manifest(file), file }));
  return ORDER.map((name) => {
    const [one, ...more] = found.filter((p) => p.name === name);
    if (!one || more.length > 0)
      throw new BuildError(`${PACKED} must hold one package ${name}: npm run pack -- --all`);
    return one;
  });
}

function manifest(file: string): { name: string; version: string } {
  const args = ["-xzOf", file, "package/package.json"];
  const { status, stdout, stderr } = spawnSync("tar", args, { encoding: "utf8" });
  if (status !== 0) throw new BuildError(`${file}: ${stderr}`);
  const { name, version } = JSON.parse(stdout);
  return { name, version };
}

function isPublished({ name, version }: Package): boolean {
  const args = ["view", `${name}@${version}`, "version"];
  const { status, stdout, stderr } = spawnSync("npm", args, { encoding: "utf8" });
  if (status === 0) return stdout.trim() === version;
  if (/\bE404\b/.test(stderr)) return false;
  throw new BuildError(`npm ${args.join(" ")}: ${stderr}`);
}

await mainProgram(() => {
  const dryRun = process.argv.includes("--dry-run");
  for (const one of packages()) {
    if (isPublished(one)) {
      say(`${one.name}@${one.version} is published already`);
      continue;
    }
    // npm installs "latest" where a user names no version: never a prerelease.
    const tag = semver.prerelease(one.version) ? "next" : "latest";
    // Provenance comes from the identity of a CI job, so a trial on any other machine goes without.
    const how = dryRun ? ["--dry-run"] : ["--provenance"];
    run("npm", ["publish", one.file, ...how, "--access", "public", "--tag", tag]);
  }
});
