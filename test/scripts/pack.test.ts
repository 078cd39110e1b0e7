import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { LIBTORCH_PACKAGE } from "../../lib/native/libtorch.js";
import { packageRoot } from "../../lib/native/package-root.js";
import { readSharedLibrary, systemRequirements } from "../../scripts/lib/elf.js";
import {
  libtorchManifest,
  mainManifest,
  platformManifest,
  serverManifest,
  TORCH_PACKAGE,
  torchManifest,
} from "../../scripts/lib/manifests.js";
import { engineBuilt } from "../support/native.js";

const addon = join(packageRoot, "build/Release/sda_engine.node");
const readelf = (...args: string[]) => spawnSync("readelf", args, { encoding: "utf8" });
const canCompare = process.platform === "linux" && engineBuilt && !readelf("--version").error;

test("the published manifest builds nothing, and names the platforms' packages", () => {
  const checkout = {
    name: "small-dataset-audio",
    version: "1.2.3",
    dependencies: { commander: "^14.0.0" },
    devDependencies: { typescript: "^6.0.0" },
    optionalDependencies: { "only-here": "1.0.0" },
    scripts: { prepare: "node scripts/prepare.mjs", install: "x" },
    gypfile: false,
    binary: {},
    files: ["dist"],
  };
  expect(mainManifest(checkout, ["linux-x64", "win32-x64"])).toEqual({
    name: "small-dataset-audio",
    version: "1.2.3",
    dependencies: { commander: "^14.0.0", "torch-checkpoint": "1.2.3" },
    optionalDependencies: {
      "small-dataset-audio-linux-x64": "1.2.3",
      "small-dataset-audio-win32-x64": "1.2.3",
    },
  });
});

test("a platform's package fits there only", () => {
  const checkout = { name: "small-dataset-audio", version: "1.2.3", license: "MIT" };
  const requirements = { sda_engine: { glibc: "2.28" } };
  expect(platformManifest(checkout, "linux-arm64-musl", checkout.name, requirements)).toMatchObject(
    {
      name: "small-dataset-audio-linux-arm64-musl",
      version: "1.2.3",
      license: "MIT",
      os: ["linux"],
      cpu: ["arm64"],
      libc: ["musl"],
      systemRequirements: requirements,
    },
  );
  const windows = platformManifest(checkout, "win32-x64", TORCH_PACKAGE, {});
  expect(windows).toMatchObject({
    name: "torch-checkpoint-win32-x64",
    os: ["win32"],
    cpu: ["x64"],
  });
  expect(windows).not.toHaveProperty("libc");
});

test("torch-checkpoint has the version of the library, and of its dependencies those it imports", () => {
  const main = {
    name: "small-dataset-audio",
    version: "1.2.3",
    dependencies: { commander: "^14.0.0", "fast-png": "^8.0.0" },
  };
  const torch = { name: "torch-checkpoint", version: "0.0.0", exports: { ".": "./index.js" } };
  const manifest = torchManifest(torch, main, ["commander"], ["linux-x64"]);
  expect(manifest).toMatchObject({
    name: "torch-checkpoint",
    version: "1.2.3",
    dependencies: { commander: "^14.0.0" },
    optionalDependencies: { "torch-checkpoint-linux-x64": "1.2.3" },
  });
  expect(() => torchManifest(torch, main, ["express"], [])).toThrow("express is no dependency");
});

test("the server's manifest asks for the library that its user has, and for nothing that builds", () => {
  const checkout = {
    name: "small-dataset-audio-server",
    version: "1.2.3",
    exports: { ".": { default: "./dist/index.js" } },
    scripts: { build: "tsc -p ." },
    files: ["dist"],
    dependencies: { fastify: "^5.0.0" },
    devDependencies: { vite: "^8.0.0", "small-dataset-audio": "file:.." },
    peerDependencies: { "small-dataset-audio": "^1.2.0" },
  };
  expect(serverManifest(checkout)).toEqual({
    name: "small-dataset-audio-server",
    version: "1.2.3",
    exports: { ".": { default: "./dist/index.js" } },
    dependencies: { fastify: "^5.0.0" },
    peerDependencies: { "small-dataset-audio": "^1.2.0" },
  });
});

test("the LibTorch package says where it fits and which LibTorch it is", () => {
  expect(libtorchManifest("2.13.0", "2.13.4", {})).toMatchObject({
    name: LIBTORCH_PACKAGE,
    version: "2.13.4",
    libtorch: "2.13.0",
    os: [process.platform],
    cpu: [process.arch],
    libc: ["glibc"],
  });
});

test("versions are compared as numbers, and private ones don't count", () => {
  expect(
    systemRequirements([
      "GLIBC_2.4",
      "GLIBC_2.35",
      "GLIBC_PRIVATE",
      "GLIBCXX_3.4",
      "GLIBCXX_3.4.9",
    ]),
  ).toEqual({ glibc: "2.35", glibcxx: "3.4.9" });
});

test("what is no library is told", () => {
  expect(() => readSharedLibrary(join(packageRoot, "package.json"))).toThrow(/no 64-bit/);
});

describe.skipIf(!canCompare)("against readelf", () => {
  test("the same libraries and versions", () => {
    const { needed, versions } = readSharedLibrary(addon);
    const dynamic = [...readelf("-dW", addon).stdout.matchAll(/NEEDED.*\[(.*)\]/g)].map(
      (m) => m[1],
    );
    expect(needed).toEqual(dynamic);
    const wanted = [...readelf("-VW", addon).stdout.matchAll(/Name: (\S+)\s+Flags/g)].map(
      (m) => m[1],
    );
    expect(new Set(versions)).toEqual(new Set(wanted));
  });
});
