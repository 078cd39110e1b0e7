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
import { readManifest, TORCH_PACKAGE, torchManifest } from "../../scripts/lib/manifests.js";
import { copyTorch, referToTorch, splitOf } from "../../scripts/lib/split.js";
import { temporaryFolder } from "../support/folder.js";
import { engineBuilt } from "../support/native.js";

const checkout = JSON.parse(readFileSync(join(packageRoot, "package.json"), "utf8"));
const model = join(packageRoot, "test/fixtures/models/tiny.sda");
const platform = `${process.platform}-${process.arch}`;
const built = engineBuilt && existsSync(join(packageRoot, "dist/index.js"));

describe.skipIf(!built)("the published package", () => {
  let modules: string;
  let root: string;
  let torch: string;
  /** Of the platform: the reader's package and its addon's folder, and those of the engine */
  let readerPackage: string;
  let readerFolder: string;
  let engineFolder: string;

  beforeEach(() => {
    modules = join(temporaryFolder(), "node_modules");
    root = join(modules, "small-dataset-audio");
    torch = join(modules, TORCH_PACKAGE);
    const dist = join(packageRoot, "dist");
    const split = splitOf(dist);
    cpSync(dist, join(root, "dist"), { recursive: true });
    referToTorch(join(root, "dist"), split);
    copyTorch(dist, join(torch, "dist"), split);
    readerPackage = join(modules, platformPackage(platform, TORCH_PACKAGE));
    readerFolder = packageAddon(readerPackage, "sda_checkpoint");
    engineFolder = packageAddon(join(modules, platformPackage(platform)), "sda_engine");
    for (const name of Object.keys(checkout.dependencies)) {
      mkdirSync(dirname(join(modules, name)), { recursive: true }); // the scope, if there is one
      symlinkSync(join(packageRoot, "node_modules", name), join(modules, name));
    }
    manifest({});
  });

  function manifest(change: object): void {
    writeFileSync(join(root, "package.json"), JSON.stringify({ ...checkout, ...change }));
    const own = torchManifest(readManifest(join(packageRoot, "torch")), checkout, [], []);
    writeFileSync(join(torch, "package.json"), JSON.stringify({ ...own, ...change }));
  }

  /** Returns the folder of the addon. */
  function packageAddon(packaged: string, name: AddonName): string {
    const prebuilds = join(packaged, "prebuilds", platform);
    mkdirSync(prebuilds, { recursive: true });
    cpSync(addonFile(name), join(prebuilds, `${name}.node`));
    writeFileSync(join(packaged, "package.json"), "{}");
    return prebuilds;
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

  test("both packages have one reader: classes and errors are the same", () => {
    const both = `Promise.all([import("torch-checkpoint"), import("small-dataset-audio/torch")])`;
    const { value } = evaluate(`${both}.then(async ([own, theirs]) => {
      const values = await theirs.load(${JSON.stringify(model)});
      const weight = [...values.get("model_state_dict").values()][0];
      const error = await own.load("missing.pt").catch((e) => e);
      await own.save({ weight }, "again.pt");
      return {
        same: own.load === theirs.load && Object.keys(own).join() === Object.keys(theirs).join(),
        tensor: weight instanceof own.Tensor && weight instanceof theirs.Tensor,
        error: error instanceof sda.SdaError,
        parameter: (await theirs.load("again.pt")).get("weight").shape.length,
      };
    })`);
    expect(value).toEqual({ same: true, tensor: true, error: true, parameter: 4 });
  });

  test("without LibTorch files are read and models play", () => {
    expect(evaluate(read)).toEqual({ value: "read" });
    expect(evaluate(load("cpu"))).toEqual({ value: "loaded" });
    expect(evaluate(load("auto"))).toEqual({ value: "loaded" });
  });

  /** Any file will do: nothing opens it before LibTorch. */
  function packageBackend(): void {
    writeFileSync(join(engineFolder, "sda_libtorch.node"), "");
    writeFileSync(join(engineFolder, "libtorch.json"), JSON.stringify({ version: "2.13.0" }));
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
    const own = JSON.parse(readFileSync(join(torch, "package.json"), "utf8"));
    writeFileSync(join(torch, "package.json"), JSON.stringify({ ...own, version: "9.2.0" }));
    const { code, message } = evaluate(read);
    expect(code).toBe("ERR_SDA_NATIVE");
    expect(message).toContain(
      `sda_checkpoint has version ${checkout.version}, but this package has 9.2.0`,
    );
    expect(message).toMatch(/npm install torch-checkpoint@9\.2\.0 --force$/);
  });

  test.runIf(process.platform === "linux")("a glibc that is too old is named", () => {
    writeFileSync(join(readerFolder, "sda_checkpoint.node"), "no addon");
    const needs = { systemRequirements: { sda_checkpoint: { glibc: "9.99" } } };
    writeFileSync(join(readerPackage, "package.json"), JSON.stringify(needs));
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
    rmSync(readerPackage, { recursive: true });
    const { code, message } = evaluate(read);
    expect(code).toBe("ERR_SDA_NATIVE");
    expect(message).toContain(
      `To install it: npm install ${platformPackage(platform, TORCH_PACKAGE)}`,
    );
    expect(message).toContain(`@${checkout.version}`);
  });

  test("no addon for this platform: the platforms that there are", () => {
    rmSync(readerPackage, { recursive: true });
    const elsewhere = `Object.defineProperty(process, "arch", { value: "s390x" })`;
    const { code, message } = evaluate(read, elsewhere);
    expect(code).toBe("ERR_SDA_NATIVE");
    expect(message).toContain("Prebuilt addons exist for linux-x64, linux-x64-musl,");
  });
});
