/** Where the command looks for models, presets and history. */
import { copyFileSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { run } from "../../lib/cli/program.js";
import { ModelLibrary } from "../../lib/index.js";
import { fixture } from "../support/fixtures.js";
import { temporaryFolder } from "../support/folder.js";
import { keepingIo } from "../support/io.js";

async function sda(...args: string[]) {
  const { io, kept } = keepingIo();
  return { code: await run(args, io), ...kept };
}

/** A data folder; each folder in it has a model of another name. */
async function data(config?: string): Promise<string> {
  const folder = temporaryFolder();
  if (config !== undefined) writeFileSync(join(folder, "config.toml"), config);
  for (const name of ["models", "other"]) {
    const models = join(folder, name);
    mkdirSync(models);
    copyFileSync(fixture("models/tiny.sda"), join(models, "tiny.sda"));
    await (await ModelLibrary.open(models)).repairIndex();
  }
  return folder;
}

const OTHER = '[paths]\nmodels = "other"\nhistory = "sounds"\n';
/** The folders that the commands report. */
const library = async (...args: string[]) =>
  (await sda(...args)).stderr.match(/model, (.*)\n/)?.[1];
const history = async (...args: string[]) =>
  (await sda(...args)).stderr.match(/sounds, (.*)\n/)?.[1];

beforeEach(() => {
  vi.stubEnv("SDA_MODELS_DIR", "");
  vi.stubEnv("SDA_DATA_DIR", "");
});
afterEach(() => {
  vi.unstubAllEnvs();
});

describe("the folder of the data", () => {
  it("may stand before and after the command", async () => {
    const folder = await data(OTHER);
    for (const args of [
      ["--data-dir", folder, "model", "list"],
      [`--data-dir=${folder}`, "model", "list"],
      ["model", "list", "--data-dir", folder],
      ["--data-dir", "/nowhere", "model", "list", "--data-dir", folder],
    ]) {
      expect(await library(...args)).toBe(join(folder, "other"));
    }
    expect(await history("--data-dir", folder, "history", "list")).toBe(join(folder, "sounds"));
  });

  it("may be in the environment", async () => {
    const folder = await data(OTHER);
    vi.stubEnv("SDA_DATA_DIR", folder);
    expect(await library("model", "list")).toBe(join(folder, "other"));
    expect(await history("history", "list")).toBe(join(folder, "sounds"));
  });

  it("is otherwise the folder above the library", async () => {
    const folder = await data();
    const models = join(folder, "models");
    expect(await history("history", "list", "--models-dir", models)).toBe(join(folder, "history"));
    vi.stubEnv("SDA_MODELS_DIR", models);
    expect(await history("history", "list")).toBe(join(folder, "history"));
    writeFileSync(join(folder, "config.toml"), OTHER);
    expect(await history("history", "list")).toBe(join(folder, "sounds"));
    expect(await library("model", "list")).toBe(models);
  });

  it("leaves a library that is named by itself", async () => {
    const [folder, another] = [await data(OTHER), await data()];
    const models = join(another, "models");
    const both = ["--data-dir", folder, "--models-dir", models];
    expect(await library("model", "list", ...both)).toBe(models);
    expect(await history("history", "list", ...both)).toBe(join(folder, "sounds"));
    // The environment's data folder is not that of another library.
    vi.stubEnv("SDA_DATA_DIR", folder);
    const own = await history("history", "list", "--models-dir", models);
    expect(own).toBe(join(another, "history"));
    vi.stubEnv("SDA_MODELS_DIR", models);
    expect(await library("model", "list")).toBe(models);
    expect(await history("history", "list")).toBe(join(folder, "sounds"));
    expect(await library("model", "list", "--data-dir", folder)).toBe(join(folder, "other"));
  });

  it("with a damaged config.toml is an error", async () => {
    const folder = await data("[paths");
    const { code, stderr } = await sda("model", "list", "--data-dir", folder);
    expect([code, stderr]).toEqual([1, expect.stringContaining("(ERR_SDA_FORMAT)")]);
    expect((await sda("model", "list", "--data-dir", "")).code).toBe(2);
    expect((await sda("--data-dir")).code).toBe(2);
  });
});
