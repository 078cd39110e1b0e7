import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";

// Each test has its own instance of the module, as each worker thread has.
let load: typeof import("../../lib/native/load.js");

beforeEach(async () => {
  vi.resetModules();
  load = await import("../../lib/native/load.js");
});
afterEach(() => vi.unstubAllEnvs());

test("both addons come from one folder", () => {
  expect(load.addonFile("sda_checkpoint")).toMatch(/sda_checkpoint\.node$/);
  expect(load.addonFile("sda_engine")).toMatch(/sda_engine\.node$/);
});

test("an addon that is missing is an error with the command that builds it", () => {
  vi.stubEnv("SDA_CHECKPOINT_ADDON", "/nowhere/sda_checkpoint.node");
  expect(() => load.checkpointAddon()).toThrow(
    expect.objectContaining({
      code: "ERR_SDA_NATIVE",
      message: expect.stringMatching(/npm run build:checkpoint$/),
      details: { addon: "sda_checkpoint", path: "/nowhere/sda_checkpoint.node" },
    }),
  );
});

test("a file that is no addon is the same error", () => {
  vi.stubEnv("SDA_CHECKPOINT_ADDON", join(import.meta.dirname, "load.test.ts"));
  expect(() => load.checkpointAddon()).toThrow(expect.objectContaining({ code: "ERR_SDA_NATIVE" }));
});

test("without LibTorch the reader loads, and the engine names LibTorch in its error", async () => {
  vi.stubEnv("SDA_LIBTORCH", "/nowhere");
  expect(load.checkpointAddon()).toBe(load.checkpointAddon());
  expect(() => load.engineAddon()).toThrow(expect.objectContaining({ code: "ERR_SDA_LIBTORCH" }));
  expect(await load.probeEngine()).toMatchObject({ ok: false });
});

test("the engine loads, here and in a child process", async () => {
  const { found } = load.searchEngineLibtorch();
  expect(found).toBeDefined();
  expect(found?.version).toContain(load.engineAddon().info().libtorch);
  expect(await load.probeEngine()).toMatchObject({ ok: true });
});
