import { existsSync } from "node:fs";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { loadModel, Tensor } from "../../lib/index.js";
import { addonFile } from "../../lib/native/addon-file.js";
import { sdaError } from "../support/errors.js";
import { fixture } from "../support/fixtures.js";
import { libtorchUsable } from "../support/libtorch.js";
import { collect, interleave, relativeDifference } from "../support/sound.js";

const model = fixture("models/tiny.sda");

// Each test has its own instance of the module, as each worker thread has.
let backend: typeof import("../../lib/native/backend.js");

beforeEach(async () => {
  vi.resetModules();
  backend = await import("../../lib/native/backend.js");
});
afterEach(() => vi.unstubAllEnvs());

/** The code of the error that `f` throws. */
function code(f: () => void): string | undefined {
  try {
    f();
    return undefined;
  } catch (error) {
    return (error as { code?: string }).code;
  }
}

test("the CPU, and auto without a GPU, need no LibTorch", () => {
  vi.stubEnv("SDA_LIBTORCH", "/nowhere");
  vi.stubEnv("SDA_LIBTORCH_ADDON", "/nowhere/sda_libtorch.node");
  expect(code(() => backend.prepareBackend("cpu", "auto"))).toBeUndefined();
  expect(code(() => backend.prepareBackend("auto", "auto"))).toBeUndefined();
});

test("a GPU or the backend libtorch without the addon: the command that builds it", () => {
  vi.stubEnv("SDA_LIBTORCH_ADDON", "/nowhere/sda_libtorch.node");
  for (const [device, choice] of [
    ["cuda", "auto"],
    ["mps", "auto"],
    ["cpu", "libtorch"],
    ["auto", "libtorch"],
  ] as const) {
    expect(() => backend.prepareBackend(device, choice)).toThrow(
      expect.objectContaining({
        code: "ERR_SDA_NATIVE",
        message: expect.stringMatching(/for GPUs\) is missing.*\n.*npm run build:libtorch$/),
      }),
    );
  }
});

describe.skipIf(!existsSync(addonFile("sda_libtorch")))("with the addon", () => {
  test("no LibTorch: every place is listed", async () => {
    vi.stubEnv("SDA_LIBTORCH", "/nowhere");
    expect(code(() => backend.prepareBackend("cuda", "auto"))).toBe("ERR_SDA_LIBTORCH");
    expect(await backend.probeBackend(backend.searchBackendLibtorch())).toMatchObject({
      ok: false,
    });
  });
});

describe.skipIf(!libtorchUsable)("with LibTorch", () => {
  test("it loads, here and in a child process", async () => {
    const { found } = backend.searchBackendLibtorch();
    const { version } = backend.attachBackend().info();
    expect(found?.version).toContain(version);
    expect(await backend.probeBackend(backend.searchBackendLibtorch())).toEqual({
      ok: true,
      message: expect.stringContaining(`LibTorch ${version}`),
    });
  });

  test("LibTorch's network on the CPU is the engine's within rounding", async () => {
    using own = await loadModel(model, { device: "cpu" });
    using other = await loadModel(model, { device: "cpu", backend: "libtorch" });
    expect(other.device).toBe("cpu");
    const { latentDim } = own.model;
    const values = Float32Array.from({ length: 2 * latentDim }, (_, i) => Math.sin(i));
    const z = new Tensor("float32", [2, latentDim], values);
    const [a, b] = [await own.model.decode(z), await other.model.decode(z)];
    expect(b.shape).toEqual(a.shape);
    const difference = relativeDifference(b.data as Float32Array, a.data as Float32Array);
    expect(difference).toBeLessThan(1e-5);
    expect(difference).toBeGreaterThan(0); // computed by other code
    const sound = await other.generate({ durationS: 1, seed: 1 });
    expect(sound.audio[0]?.length).toBeGreaterThan(16000);
  });

  test("LibTorch's vocoder is the engine's within rounding; also as a stream", async () => {
    const file = fixture("models/tiny-vocoder.distillgan");
    using own = await loadModel(file, { device: "cpu" });
    using other = await loadModel(file, { device: "cpu", backend: "libtorch" });
    const options = { durationS: 3, seed: 3, loudness: "running" } as const;
    const [a, b] = [await own.generate(options), await other.generate(options)];
    const [ours, theirs] = [interleave(a.audio), interleave(b.audio)];
    expect(relativeDifference(theirs, ours)).toBeLessThan(1e-4);
    expect(relativeDifference(theirs, ours)).toBeGreaterThan(0); // computed by other code
    expect(relativeDifference(await collect(other.stream(options)), theirs)).toBeLessThan(1e-5);
  });

  test("a GPU that is not there is refused, with the reason", async () => {
    const error = await sdaError(() => loadModel(model, { device: "cuda:31" }));
    expect(error.code).toBe("ERR_SDA_DEVICE");
    expect(error.details).toEqual({ device: "cuda:31" });
  });
});

test("another backend is refused", async () => {
  const wrong = { backend: "onnx" } as never;
  expect((await sdaError(() => loadModel(model, wrong))).code).toBe("ERR_SDA_ARGUMENT");
});
