/** Node's permission model, which does not apply to addons. */
import { spawnSync } from "node:child_process";
import { copyFileSync, existsSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { SdaError } from "../../lib/base/errors.js";
import { packageRoot } from "../../lib/native/package-root.js";
import { guardCheckpoint, guardEngine } from "../../lib/native/permission.js";
import type { CheckpointAddon, EngineAddon } from "../../lib/native/types.js";
import { compiled } from "../support/compiled.js";
import { fixture } from "../support/fixtures.js";
import { temporaryFolder } from "../support/folder.js";
import { engineBuilt } from "../support/native.js";

const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
const FLAG =
  major > 23 || (major === 23 && minor >= 5) ? "--permission" : "--experimental-permission";
const START = `
const { load, save } = await import(process.env.TORCH);
const { loadModel, ModelLibrary, writeWav } = await import(process.env.LIB);
const [file, outside, writable] = process.argv.slice(1);
const run = async (f) =>
  console.log(await f().then(() => "done", (e) => e.code + " " + e.message.replaceAll("\\n", " ")));
`;
const SCRIPT = `${START}
await run(() => load(file));
await run(() => load(outside));
await run(() => save({ n: 1 }, writable + "/a.pt"));
await run(() => save({ n: 1 }, outside));
await run(() => writeWav(outside, { audio: [new Float32Array(9)], sampleRate: 48000 }));
await run(() => ModelLibrary.open(writable));
`;

describe("under Node's permission model", () => {
  let outside: string;
  let writable: string;
  beforeEach(() => {
    outside = join(temporaryFolder(), "outside.sda");
    copyFileSync(fixture("models/tiny.sda"), outside);
    writable = temporaryFolder();
  });

  /** The outcome of each call in SCRIPT, with these flags. */
  function outcomes(...flags: string[]): string[] {
    return outcomesOf(SCRIPT, ...flags);
  }

  function outcomesOf(script: string, ...flags: string[]): string[] {
    const args = [FLAG, "--no-warnings", `--allow-fs-read=${packageRoot}/*`, ...flags];
    args.push("--input-type=module", "-e", script, fixture("models/tiny.sda"), outside, writable);
    const url = (name: string) => pathToFileURL(compiled(`lib/${name}`)).href;
    const env = { ...process.env, LIB: url("index.js"), TORCH: url("torch/index.js") };
    const { stdout, stderr } = spawnSync(process.execPath, args, { encoding: "utf8", env });
    expect(stderr).toBe("");
    return stdout.trim().split("\n");
  }

  test("the reader and the writers keep to the permitted files", () => {
    const both = [`--allow-fs-read=${writable}`, `--allow-fs-write=${writable}`];
    const [own, other, saved, ...refused] = outcomes("--allow-addons", ...both);
    expect([own, saved, refused.pop()]).toEqual(["done", "done", "done"]);
    expect(other).toBe(
      `ERR_SDA_IO ${outside} can't be read: Node's permission model refuses it without ` +
        `--allow-fs-read=${outside}`,
    );
    expect(refused).toHaveLength(2);
    for (const outcome of refused) expect(outcome).toMatch(/^ERR_SDA_IO .* can't be written/);
    expect(existsSync(join(writable, "a.pt"))).toBe(true);
  });

  test.skipIf(!engineBuilt)("a model loads without a look at devices that no flag permits", () => {
    expect(outcomesOf(`${START} await run(() => loadModel(file));`, "--allow-addons")).toEqual([
      "done",
    ]);
  });

  test("a missing flag is named", () => {
    const [loaded] = outcomes();
    expect(loaded).toMatch(/^ERR_SDA_NATIVE .*permission model.*--allow-addons --allow-fs-read=/);
  });
});

describe("the guarded addons", () => {
  afterEach(() => vi.unstubAllGlobals());

  const called: string[] = [];
  /** An addon whose methods note their names. */
  const addon = new Proxy({}, { get: (_, name) => async () => called.push(String(name)) });

  test("call no method with a path that is not permitted", async () => {
    const has = (scope: string, path: string) =>
      scope === "fs.read" ? path.startsWith("/read/") : path.startsWith("/write/");
    vi.stubGlobal("process", Object.assign(Object.create(process), { permission: { has } }));
    const reader = guardCheckpoint(addon as CheckpointAddon);
    const engine = guardEngine(addon as EngineAddon);
    const plan = {} as never;
    const calls: [name: string, call: (path: string) => unknown, folder: string][] = [
      ["read", (path) => reader.read(path, plan), "/read"],
      ["inspect", (path) => reader.inspect(path, {}), "/read"],
      ["scanPickle", (path) => reader.scanPickle(path), "/read"],
      ["mapParts", (path) => reader.mapParts(path, new Float64Array()), "/read"],
      ["verify", (path) => reader.verify(path), "/read"],
      ["openSource", (path) => reader.openSource(path), "/read"],
      ["readIndex", (path) => reader.readIndex(path), "/read"],
      ["removeStaleTemps", (path) => reader.removeStaleTemps(path), "/write"],
      ["tryLock", (path) => reader.tryLock(path), "/write"],
      ["save", (path) => reader.save(plan, { path }), "/write"],
      ["save", (folder) => reader.save(plan, { folder, stem: "", extension: "" }), "/write"],
      ["rename", (path) => reader.rename(path, "/write/b", "keep"), "/write"],
      ["rename", (path) => reader.rename("/write/a", path, "keep"), "/write"],
      ["open", (path) => engine.open(path, { verify: false }), "/read"],
      ["save", (path) => engine.save(plan, { path }, {} as never), "/write"],
    ];
    for (const [name, call, folder] of calls) {
      called.length = 0;
      for (const path of ["/other/a", `${folder}/../other/a`]) {
        expect(() => call(path)).toThrow(SdaError);
        expect(called).toEqual([]);
      }
      await call(`${folder}/a`);
      expect(called).toEqual([name]);
    }
    called.length = 0;
    expect(await reader.canLock("/read/a")).toBe(false);
    expect([reader.readAtOnce("/read/a", plan), engine.openAtOnce("/read/a")]).toEqual([
      undefined,
      undefined,
    ]);
    expect(called).toEqual([]);
  });

  test("are the addons themselves without the permission model", () => {
    expect(guardCheckpoint(addon as CheckpointAddon)).toBe(addon);
    expect(guardEngine(addon as EngineAddon)).toBe(addon);
  });
});
