import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";

// Each test has its own instance of the module, as each worker thread has.
let load: typeof import("../../lib/native/load.js");
let loadEngine: typeof import("../../lib/native/load-engine.js");

beforeEach(async () => {
  vi.resetModules();
  load = await import("../../lib/native/load.js");
  loadEngine = await import("../../lib/native/load-engine.js");
});
afterEach(() => vi.unstubAllEnvs());

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

test("the reader and the engine load without LibTorch, here and in a child process", async () => {
  vi.stubEnv("SDA_LIBTORCH", "/nowhere");
  vi.stubEnv("SDA_LIBTORCH_ADDON", "/nowhere/sda_libtorch.node");
  expect(load.checkpointAddon()).toBe(load.checkpointAddon());
  expect(loadEngine.engineAddon()).toBe(loadEngine.engineAddon());
  expect(await loadEngine.probeEngine()).toEqual({
    ok: true,
    message: expect.stringMatching(/^threads: \d+$/),
  });
});
