import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, expect, test, vi } from "vitest";
import { temporaryFolder } from "../support/folder.js";

afterEach(() => {
  vi.doUnmock("../../lib/native/package-root.js");
  vi.doUnmock("../../lib/native/system.js");
  vi.resetModules();
});

const platform = `${process.platform}-${process.arch}`;

/** The module as it is in a package at `root`, on a system with this C library. */
async function inPackage(root: string, libc = "glibc") {
  vi.resetModules();
  vi.doMock("../../lib/native/package-root.js", async (original) => ({
    ...(await original<typeof import("../../lib/native/package-root.js")>()),
    packageRoot: root,
  }));
  vi.doMock("../../lib/native/system.js", () => ({ systemLibc: () => ({ name: libc }) }));
  return import("../../lib/native/addon-file.js");
}

function write(...path: string[]): string {
  const file = join(...path);
  mkdirSync(join(file, ".."), { recursive: true });
  writeFileSync(file, "{}");
  return file;
}

test("a build in the checkout comes before the platform's package", async () => {
  const root = join(temporaryFolder(), "small-dataset-audio");
  const packaged = join(root, "../node_modules", `small-dataset-audio-${platform}`);
  write(packaged, "package.json");
  const { addonFile } = await inPackage(root);
  expect(addonFile("sda_engine")).toBe(join(packaged, "prebuilds", platform, "sda_engine.node"));

  const built = write(root, "build/Release/sda_engine.node");
  expect((await inPackage(root)).addonFile("sda_engine")).toBe(built);
  // All addons come from one folder.
  expect((await inPackage(root)).addonFile("sda_checkpoint")).toBe(
    join(built, "../sda_checkpoint.node"),
  );
});

test("where both packages of a Linux are installed, the C library decides", async () => {
  const root = join(temporaryFolder(), "small-dataset-audio");
  const folders = ["", "-musl"].map((libc) => {
    const folder = join(root, "node_modules", `small-dataset-audio-${platform}${libc}`);
    write(folder, "package.json");
    return join(folder, "prebuilds", platform);
  });
  const of = async (libc: string) =>
    join((await inPackage(root, libc)).addonFile("sda_checkpoint"), "..");
  expect(await of("glibc")).toBe(folders[0]);
  expect(await of("musl")).toBe(folders[1]);
});

test("the package of musl alone is taken without asking for the C library", async () => {
  const root = join(temporaryFolder(), "small-dataset-audio");
  const folder = join(root, "node_modules", `small-dataset-audio-${platform}-musl`);
  write(folder, "package.json");
  const { addonFile } = await inPackage(root, "unknown");
  expect(addonFile("sda_checkpoint")).toContain(folder);
});

test("node-gyp-build's layout in the package itself works, too", async () => {
  const root = join(temporaryFolder(), "small-dataset-audio");
  const addon = write(root, "prebuilds", platform, "sda_checkpoint.node");
  expect((await inPackage(root)).addonFile("sda_checkpoint")).toBe(addon);
});
