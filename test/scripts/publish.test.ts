import { spawnSync } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { beforeEach, expect, test } from "vitest";
import { PLATFORMS, platformPackage } from "../../lib/native/addon-file.js";
import { LIBTORCH_PACKAGE } from "../../lib/native/libtorch.js";
import { packageRoot } from "../../lib/native/package-root.js";
import { TORCH_PACKAGE } from "../../scripts/lib/manifests.js";
import { temporaryFolder } from "../support/folder.js";

const MAIN = "small-dataset-audio";
const SERVER = "small-dataset-audio-server";
const PLATFORM_PACKAGES = PLATFORMS.map((platform) => platformPackage(platform));
const TORCH_PACKAGES = [
  ...PLATFORMS.map((platform) => platformPackage(platform, TORCH_PACKAGE)),
  TORCH_PACKAGE,
];

let folder: string;
beforeEach(() => {
  folder = temporaryFolder();
});

function pack(name: string, version: string): void {
  const at = join(folder, name);
  mkdirSync(join(at, "package"), { recursive: true });
  writeFileSync(join(at, "package/package.json"), JSON.stringify({ name, version }));
  mkdirSync(join(folder, "packages"), { recursive: true });
  const tarball = join(folder, `packages/${name}-${version}.tgz`);
  expect(spawnSync("tar", ["-czf", tarball, "-C", at, "package"]).status).toBe(0);
}

/**
 * Runs the script with an npm that logs its calls.
 * @param view shell code that answers `npm view NAME@VERSION`, which is in $2
 */
function publish(view: string, ...args: string[]) {
  const npm = join(folder, "npm");
  writeFileSync(
    npm,
    `#!/bin/sh\nif [ "$1" = view ]; then\n${view}\nexit\nfi\necho "$@" >> '${folder}/calls'\n`,
  );
  chmodSync(npm, 0o755);
  const script = ["--import", "tsx", "scripts/publish.ts", ...args];
  const { status, stderr } = spawnSync(process.execPath, script, {
    cwd: packageRoot,
    encoding: "utf8",
    env: {
      ...process.env,
      PATH: `${folder}${delimiter}${process.env["PATH"]}`,
      SDA_PACKAGES: join(folder, "packages"),
    },
  });
  const log = join(folder, "calls");
  const calls = existsSync(log) ? readFileSync(log, "utf8").trim().split("\n") : [];
  return { status, stderr, calls: calls.map((call) => call.replaceAll(`${folder}/`, "")) };
}

const UNKNOWN = "echo 'npm error code E404' >&2; exit 1";
const call = (name: string, version: string, how: string, tag: string) =>
  `publish packages/${name}-${version}.tgz ${how} --access public --tag ${tag}`;

test("packages are published after the packages that they depend on, with provenance", () => {
  for (const name of [SERVER, MAIN, ...PLATFORM_PACKAGES, ...TORCH_PACKAGES]) pack(name, "1.2.3");
  pack(LIBTORCH_PACKAGE, "2.13.0");
  expect(publish(UNKNOWN)).toMatchObject({
    status: 0,
    calls: [
      call(LIBTORCH_PACKAGE, "2.13.0", "--provenance", "latest"),
      ...TORCH_PACKAGES.map((name) => call(name, "1.2.3", "--provenance", "latest")),
      ...PLATFORM_PACKAGES.map((name) => call(name, "1.2.3", "--provenance", "latest")),
      call(MAIN, "1.2.3", "--provenance", "latest"),
      call(SERVER, "1.2.3", "--provenance", "latest"),
    ],
  });
});

test("a prerelease is not what users get by default; a trial publishes nothing", () => {
  for (const name of [SERVER, MAIN, ...PLATFORM_PACKAGES, ...TORCH_PACKAGES])
    pack(name, "1.2.3-rc.1");
  pack(LIBTORCH_PACKAGE, "2.13.0");
  expect(publish(UNKNOWN, "--dry-run").calls).toEqual([
    call(LIBTORCH_PACKAGE, "2.13.0", "--dry-run", "latest"),
    ...TORCH_PACKAGES.map((name) => call(name, "1.2.3-rc.1", "--dry-run", "next")),
    ...PLATFORM_PACKAGES.map((name) => call(name, "1.2.3-rc.1", "--dry-run", "next")),
    call(MAIN, "1.2.3-rc.1", "--dry-run", "next"),
    call(SERVER, "1.2.3-rc.1", "--dry-run", "next"),
  ]);
});

test("a version that the registry has is skipped", () => {
  for (const name of [SERVER, MAIN, ...PLATFORM_PACKAGES, ...TORCH_PACKAGES]) pack(name, "1.2.3");
  pack(LIBTORCH_PACKAGE, "2.13.0");
  const has = `case $2 in ${SERVER}@*) ${UNKNOWN} ;; *) echo "\${2#*@}" ;; esac`;
  expect(publish(has)).toMatchObject({
    status: 0,
    calls: [call(SERVER, "1.2.3", "--provenance", "latest")],
  });
});

test("nothing is published when the registry gives no answer, or a package is missing", () => {
  for (const name of [SERVER, MAIN, ...PLATFORM_PACKAGES, ...TORCH_PACKAGES]) pack(name, "1.2.3");
  const missing = publish(UNKNOWN);
  expect(missing).toMatchObject({ status: 1, calls: [] });
  expect(missing.stderr).toContain(`must hold one package ${LIBTORCH_PACKAGE}`);
  pack(LIBTORCH_PACKAGE, "2.13.0");
  const silent = publish("echo 'npm error code ECONNREFUSED' >&2; exit 1");
  expect(silent).toMatchObject({ status: 1, calls: [] });
  expect(silent.stderr).toContain("ECONNREFUSED");
});
