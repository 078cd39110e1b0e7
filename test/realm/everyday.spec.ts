/**
 * What an application's tests do, in a realm of their own: Jest and Vitest's vm pools run each test
 * file in a vm context, where `Map`, `Float32Array` and `Error` are others than those of Node.
 */
import { existsSync, mkdtempSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { runInNewContext } from "node:vm";
import { beforeAll, describe, expect, test } from "vitest";
import * as sda from "../../lib/index.js";
import * as torch from "../../lib/torch/index.js";

const models = fileURLToPath(new URL("../fixtures/models/", import.meta.url));
const tiny = join(models, "tiny.sda");
const file = (name: string) => join(mkdtempSync(join(tmpdir(), "realm-")), name);
/** Values of a third realm. */
const foreign = <T>(code: string): T => runInNewContext(code, { URL, AbortController }) as T;

test("this is a realm of its own", () => {
  expect(readFileSync(tiny).subarray(0, 1)).not.toBeInstanceOf(Object);
});

describe("files", () => {
  test("errors of the system are translated", async () => {
    const missing = await sda.loadModel("/nowhere.sda").catch((error) => error);
    expect([missing instanceof sda.SdaError, missing.code]).toEqual([true, "ERR_SDA_NOT_FOUND"]);
    const refused = torch.save(1, "/nowhere/a.pt");
    await expect(refused).rejects.toMatchObject({ code: "ERR_SDA_NOT_FOUND" });
    await expect(sda.readMetadata("/nowhere.sda")).rejects.toMatchObject({
      code: "ERR_SDA_NOT_FOUND",
    });
    await expect(sda.ModelLibrary.open("/nowhere")).rejects.toMatchObject({
      code: "ERR_SDA_NOT_FOUND",
    });
  });

  test("values of this and of another realm are saved and loaded", async () => {
    const path = file("a.pt");
    const values = [
      new Map<string, unknown>([["a", new Float32Array([1, 2])]]),
      foreign<Map<string, unknown>>('new Map([["a", 1], ["s", new Set([1])], ["l", [1, "x"]]])'),
    ];
    for (const value of values) {
      const own = value.get("a") === 1;
      if (!own) value.set("a", new torch.Tensor("float32", [2], new Float32Array([1, 2])));
      await torch.save(value, path);
      const loaded = (await torch.load(path)) as Map<string, unknown>;
      expect(loaded).toBeInstanceOf(Map);
      if (own) expect([...(loaded.get("s") as Set<number>)]).toEqual([1]);
      else expect((loaded.get("a") as torch.Tensor).data).toBeInstanceOf(Float32Array);
    }
    const data = foreign<Float32Array>("new Float32Array([1, 2])");
    await torch.save(new torch.Tensor("float32", [2], data), path);
    expect([...((await torch.load(path)) as torch.Tensor).data]).toEqual([1, 2]);
    await torch.save(foreign("new Uint8Array([1, 2])"), path);
    expect([...((await torch.load(path)) as Uint8Array)]).toEqual([1, 2]);
  });

  test("a URL of another realm is a path", async () => {
    const url = foreign<URL>(`new URL(${JSON.stringify(pathToFileURL(tiny).href)})`);
    expect((await sda.readMetadata(url)).name).toBe("Tiny");
  });

  test("a library can be changed", async () => {
    const folder = file(".");
    await sda.importModel(tiny, folder);
    const library = await sda.ModelLibrary.open(folder);
    const [entry] = library.listAll();
    await library.update(entry?.modelId as string, { name: "Other" });
    expect(library.listAll().map(({ name }) => name)).toEqual(["Other"]);
    expect(await library.delete(entry?.modelId as string)).toBe(true);
  });
});

describe.skipIf(process.env["SDA_REALM_ENGINE"] !== "1")("sound", () => {
  let model: sda.LoadedModel;
  beforeAll(async () => {
    model = await sda.loadModel(tiny);
    return () => model.dispose();
  });

  test("has the types of this realm, and can be written", async () => {
    const sound = await model.generate({ durationS: 0.5, seed: 1 });
    expect(sound.audio[0]).toBeInstanceOf(Float32Array);
    const path = file("a.wav");
    await sda.writeWav(path, sound);
    expect(existsSync(path)).toBe(true);
    expect(sda.toWav(sound)).toBeInstanceOf(Uint8Array);
    let bytes = 0;
    const pieces = model.stream({ durationS: 1 });
    for await (const part of sda.wavStream(pieces, model.audioFormat({ durationS: 1 }))) {
      bytes += part.length;
    }
    expect(bytes).toBeGreaterThan(1000);
  });

  test("is made of arrays of any realm", async () => {
    const { latentDim } = model.vae;
    for (const latent of [
      new Float32Array(latentDim),
      foreign<Float32Array>(`new Float32Array(${latentDim})`),
    ]) {
      await model.generate({ durationS: 0.1, latent });
      const mel = await model.vae.decode(new torch.Tensor("float32", [1, latentDim], latent));
      expect(mel.data).toBeInstanceOf(Float32Array);
    }
    const { sampleRate } = model.spectrogram.config;
    const data = foreign<Float32Array>(`new Float32Array(${sampleRate})`);
    const resampled = await sda.resample(data, sampleRate, 44100);
    expect(resampled).toBeInstanceOf(Float32Array);
    const waveform = { dtype: "float32", shape: [1, 1, sampleRate], data } as torch.Tensor;
    const mel = await model.spectrogram.waveformToMel(waveform);
    if (model.vae.hasEncoder) {
      const { mu } = await model.vae.encode(mel);
      expect(mu.data).toBeInstanceOf(Float32Array);
    }
  });

  test("stops by a signal of any realm", async () => {
    for (const controller of [
      new AbortController(),
      foreign<AbortController>("new AbortController()"),
    ]) {
      const made = model.generate({ durationS: 30, signal: controller.signal });
      setTimeout(() => controller.abort(new Error("stop")), 20);
      await expect(made).rejects.toMatchObject({ message: "stop" });
    }
  });
});
