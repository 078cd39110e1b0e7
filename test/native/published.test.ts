// The package as published, but not installed: dist/ and the addons in a node_modules folder.
import { spawnSync } from "node:child_process";
import {
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { beforeEach, describe, expect, test } from "vitest";
import { type AddonName, addonFile, platformPackage } from "../../lib/native/addon-file.js";
import { LIBTORCH_PACKAGE } from "../../lib/native/libtorch.js";
import { packageRoot } from "../../lib/native/package-root.js";
import { temporaryFolder } from "../support/folder.js";
import { engineBuilt } from "../support/native.js";

const checkout = JSON.parse(readFileSync(join(packageRoot, "package.json"), "utf8"));
const model = join(packageRoot, "test/fixtures/models/tiny.sda");
const platform = `${process.platform}-${process.arch}`;
const built = engineBuilt && existsSync(join(packageRoot, "dist/index.js"));

describe.skipIf(!built)("the published package", () => {
  let modules: string;
  let root: string;
  let packaged: string;
  let prebuilds: string;

  beforeEach(() => {
    modules = join(temporaryFolder(), "node_modules");
    root = join(modules, "small-dataset-audio");
    packaged = join(modules, platformPackage(platform));
    prebuilds = join(packaged, "prebuilds", platform);
    mkdirSync(root, { recursive: true });
    mkdirSync(prebuilds, { recursive: true });
    cpSync(join(packageRoot, "dist"), join(root, "dist"), { recursive: true });
    for (const name of ["sda_checkpoint", "sda_engine"])
      cpSync(addonFile(name as AddonName), join(prebuilds, `${name}.node`));
    writeFileSync(join(packaged, "package.json"), "{}");
    for (const name of Object.keys(checkout.dependencies)) {
      mkdirSync(dirname(join(modules, name)), { recursive: true }); // the scope, if there is one
      symlinkSync(join(packageRoot, "node_modules", name), join(modules, name));
    }
    manifest({});
  });

  function manifest(change: object): void {
    writeFileSync(join(root, "package.json"), JSON.stringify({ ...checkout, ...change }));
  }

  function packagedLibtorch(version: string): void {
    const folder = join(modules, LIBTORCH_PACKAGE);
    mkdirSync(join(folder, "lib"), { recursive: true });
    writeFileSync(join(folder, "package.json"), JSON.stringify({ libtorch: version }));
    for (const name of ["libc10.so", "libtorch_cpu.so"])
      writeFileSync(join(folder, "lib", name), "");
  }

  /** The value of `expression`, where `sda` is the package, or the error it rejects with. */
  function evaluate(
    expression: string,
    before = "",
  ): { code?: string; message?: string; value?: unknown } {
    const script = `${before}; import("small-dataset-audio").then((sda) => ${expression}).then(
      (value) => ({ value }), ({ code, message }) => ({ code, message }),
    ).then((result) => console.log(JSON.stringify(result)));`;
    const { stdout, stderr } = spawnSync(process.execPath, ["-e", script], {
      cwd: join(modules, ".."),
      encoding: "utf8",
      env: {
        ...process.env,
        XDG_CACHE_HOME: modules,
        SDA_PYTHON: join(modules, "no-python"),
        SDA_LIBTORCH: "",
      },
    });
    expect(stderr).toBe("");
    return JSON.parse(stdout);
  }

  const read = `sda.readMetadata(${JSON.stringify(model)}).then(() => "read")`;
  const load = (device: string) =>
    `sda.loadModel(${JSON.stringify(model)}, { device: "${device}" }).then(() => "loaded")`;

  test("without LibTorch files are read and models play", () => {
    expect(evaluate(read)).toEqual({ value: "read" });
    expect(evaluate(load("cpu"))).toEqual({ value: "loaded" });
    expect(evaluate(load("auto"))).toEqual({ value: "loaded" });
  });

  /** Any file will do: nothing opens it before LibTorch. */
  function packageBackend(): void {
    writeFileSync(join(prebuilds, "sda_libtorch.node"), "");
    writeFileSync(join(prebuilds, "libtorch.json"), JSON.stringify({ version: "2.13.0" }));
  }

  test("a GPU without LibTorch names the package and its version", () => {
    packageBackend();
    const { code, message } = evaluate(load("cuda"));
    expect(code).toBe("ERR_SDA_LIBTORCH");
    expect(message).toMatch(/To install it: npm install \S+-libtorch-cpu-\S+@2\.13$/);
  });

  test("a LibTorch package of another minor version: both are named, and the command for the right one", () => {
    packageBackend();
    packagedLibtorch("2.14.1");
    const { code, message } = evaluate(load("cuda"));
    expect(code).toBe("ERR_SDA_LIBTORCH");
    expect(message).toMatch(/is 2\.14\.1, but the backend was built with 2\.13\.0/);
    expect(message).toMatch(new RegExp(`npm install ${LIBTORCH_PACKAGE}@2\\.13$`));
  });

  test("a GPU where the platform's package has no part for LibTorch", () => {
    const { code, message } = evaluate(load("cuda"));
    expect(code).toBe("ERR_SDA_NATIVE");
    expect(message).toContain("sda_libtorch (LibTorch's part of the engine, for GPUs) is missing");
  });

  test("JavaScript of one version and an addon of another: both are named", () => {
    manifest({ version: "9.2.0" });
    const { code, message } = evaluate(read);
    expect(code).toBe("ERR_SDA_NATIVE");
    expect(message).toContain(
      `sda_checkpoint has version ${checkout.version}, but this package has 9.2.0`,
    );
    expect(message).toMatch(/npm install small-dataset-audio@9\.2\.0 --force$/);
  });

  test.runIf(process.platform === "linux")("a glibc that is too old is named", () => {
    writeFileSync(join(prebuilds, "sda_checkpoint.node"), "no addon");
    const needs = { systemRequirements: { sda_checkpoint: { glibc: "9.99" } } };
    writeFileSync(join(packaged, "package.json"), JSON.stringify(needs));
    const { code, message } = evaluate(read);
    expect(code).toBe("ERR_SDA_NATIVE");
    expect(message).toMatch(
      /it needs glibc 9\.99 or newer, and this (system has 2\.\d+|Node runs on musl)/,
    );
  });

  test("JavaScript that a bundler took away from its package says so", () => {
    manifest({ name: "an-application" });
    const { code, message } = evaluate(read);
    expect(code).toBe("ERR_SDA_NATIVE");
    expect(message).toMatch(/cannot be bundled: .*external:small-dataset-audio/);
  });

  test("an addon from before addons carried a version", () => {
    const old = join(modules, "old.cjs");
    writeFileSync(old, "module.exports = {};");
    const { message } = evaluate(
      `(process.env.SDA_CHECKPOINT_ADDON = ${JSON.stringify(old)}, ${read})`,
    );
    expect(message).toContain("has version unknown, but this package has");
  });

  test("without the platform's package: the command that installs it", () => {
    rmSync(packaged, { recursive: true });
    const { code, message } = evaluate(read);
    expect(code).toBe("ERR_SDA_NATIVE");
    expect(message).toContain(`To install it: npm install ${platformPackage(platform)}`);
    expect(message).toContain(`@${checkout.version}`);
  });

  test("no addon for this platform: the platforms that there are", () => {
    rmSync(packaged, { recursive: true });
    const elsewhere = `Object.defineProperty(process, "arch", { value: "s390x" })`;
    const { code, message } = evaluate(read, elsewhere);
    expect(code).toBe("ERR_SDA_NATIVE");
    expect(message).toContain("Prebuilt addons exist for linux-x64, linux-x64-musl,");
  });
});
