import { setImmediate as nextTurn } from "node:timers/promises";
import { describe, expect, it, vi } from "vitest";
import { parseModel } from "../../lib/format/schema.js";
import { AudioSpectrogram } from "../../lib/model/audio-spectrogram.js";
import { ConvVae } from "../../lib/model/conv-vae.js";
import { LoadedModel } from "../../lib/model/loaded-model.js";
import { NativeModel } from "../../lib/model/native-model.js";
import type { EngineAddon, FloatTensor, NativeGenerateOptions } from "../../lib/native/types.js";
import { Tensor } from "../../lib/values/values.js";
import { modelDict } from "../support/content.js";
import { sdaError } from "../support/errors.js";

/** An engine that logs its calls and answers at once; only decode waits for `release`. */
class FakeEngine {
  readonly calls: unknown[][] = [];
  release: () => void = () => {};
  #running: Promise<unknown> = Promise.resolve();

  createCancelToken = () => ({ cancel: () => {} });
  #answer<T>(name: string, value: T) {
    return (...args: unknown[]): Promise<T> => {
      this.calls.push([name, ...args]);
      return Promise.resolve(value);
    };
  }
  readonly #tensor: FloatTensor = { shape: [1, 3], data: new Float32Array(3) };
  stateDict = () => new Map();
  encode = this.#answer("encode", { mu: this.#tensor, logvar: this.#tensor });
  waveformToMel = this.#answer("waveformToMel", this.#tensor);
  melToWaveform = this.#answer("melToWaveform", this.#tensor);
  generate = this.#answer("generate", {
    audio: [new Float32Array(24000), new Float32Array(24000)],
    sampleRate: 48000,
    quality: {
      snrDb: 40,
      clippedSamples: 12,
      totalSamples: 48000,
      peakValue: 1,
      maxConsecutiveClipped: 3,
    },
  });
  decode = (): Promise<FloatTensor> => {
    const running = new Promise<FloatTensor>((done) => {
      this.release = () => done(this.#tensor);
    });
    this.#running = running;
    return running;
  };
  dispose = async (): Promise<void> => {
    this.calls.push(["dispose"]);
    await this.#running;
  };
}

function load({ hasEncoder = true, changes = {} } = {}) {
  const engine = new FakeEngine();
  const content = parseModel(modelDict(changes), "test.sda");
  const native = new NativeModel(engine as unknown as EngineAddon, {} as never, {} as never);
  const { latentDim, spectrogramConfig } = content;
  const loaded = LoadedModel.create(native, {
    ...content,
    vae: ConvVae.create(native, {
      latentDim,
      hasEncoder,
      config: spectrogramConfig,
      network: "sigmoid",
    }),
    vq: null,
    spectrogram: AudioSpectrogram.create(native, spectrogramConfig, {
      channels: 1,
      isLocal: false,
    }),
    device: "cpu",
    byteLength: 0,
  });
  return { engine, loaded };
}

function tensor(...shape: number[]): Tensor {
  return new Tensor("float32", shape, new Float32Array(shape.reduce((a, b) => a * b, 1)));
}

describe("generate", () => {
  it("passes options on and reports the result", async () => {
    const { engine, loaded } = load();
    const onProgress = vi.fn();
    const result = await loaded.generate({
      durationS: 0.5,
      seed: 9,
      sliders: [2, 0],
      spatial: { mode: "stereo", width: 1 },
      onProgress,
    });
    const [name, , , options, progress] = engine.calls[0] as [string, ...unknown[]];
    expect(name).toBe("generate");
    (progress as (done: number, total: number) => void)(1, 2);
    expect(onProgress).toHaveBeenCalledExactlyOnceWith(1, 2);
    expect(options).toMatchObject({ durationS: 0.5, seed: 9, spatialMode: "stereo", width: 1 });
    expect((options as NativeGenerateOptions).latent).toEqual(new Float32Array([1.5, -0.5, 0]));
    expect(result).toMatchObject({
      sampleRate: 48000,
      channels: 2,
      durationS: 0.5,
      seed: 9,
      quality: {
        rating: "yellow",
        clipping: { clippedSamples: 12, clippedPercentage: 0.025, hasClipping: true },
      },
    });
  });

  it("reports the seed that it drew", async () => {
    const { engine, loaded } = load();
    const { seed } = await loaded.generate();
    expect(engine.calls[0]?.[3]).toMatchObject({ seed });
  });

  it("starts nothing when an option is bad", async () => {
    const { engine, loaded } = load();
    await sdaError(() => loaded.generate({ durationS: 61 }));
    expect(engine.calls).toEqual([]);
  });

  it("rejects with the reason of a signal that is already aborted", async () => {
    const { loaded } = load();
    const reason = new Error("no longer wanted");
    await expect(loaded.generate({ signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
  });
});

describe("inputs", () => {
  const { engine, loaded } = load();
  const { model, spectrogram } = loaded;
  const infinite = new Tensor("float32", [1, 3], new Float32Array([0, Infinity, 0]));
  const short = new Tensor("float32", [2, 3], new Float32Array(3));
  const double = new Tensor("float64", [1, 3], new Float64Array(3));

  it.each([
    ["z", "of another width", () => model.decode(tensor(1, 4))],
    ["z", "of one dimension", () => model.decode(tensor(3))],
    ["z", "of an empty batch", () => model.decode(tensor(0, 3))],
    ["z", "of float64", () => model.decode(double)],
    ["z", "with too few values", () => model.decode(short)],
    ["z", "not finite", () => model.decode(infinite)],
    ["z", "missing", () => model.decode(undefined as never)],
    ["z", "of plain numbers", () => model.decode([0, 0, 0] as never)],
    ["mel", "of another height", () => model.encode(tensor(1, 1, 65, 63))],
    ["mel", "of another time", () => model.encode(tensor(1, 1, 64, 62))],
    ["mel", "of two channels", () => model.encode(tensor(1, 2, 64, 63))],
    ["mel", "of three dimensions", () => spectrogram.melToWaveform(tensor(1, 64, 63))],
    ["mel", "too short for a window", () => spectrogram.melToWaveform(tensor(1, 1, 64, 3))],
    ["waveform", "too short for a window", () => spectrogram.waveformToMel(tensor(1, 1, 512))],
    ["waveform", "of two dimensions", () => spectrogram.waveformToMel(tensor(1, 16000))],
    ["seed", "negative", () => spectrogram.melToWaveform(tensor(1, 1, 64, 63), { seed: -1 })],
    ["samples", "of a mel shape, negative", () => spectrogram.melShape(-1)],
  ])("%s %s is refused", async (option, _, call) => {
    const error = await sdaError(call);
    expect(error.code).toBe("ERR_SDA_ARGUMENT");
    expect(error.details?.["option"]).toBe(option);
    expect(engine.calls).toEqual([]);
  });

  it("that fit are accepted", async () => {
    await model.encode(tensor(2, 1, 64, 63));
    await spectrogram.waveformToMel(tensor(2, 1, 513));
    await spectrogram.melToWaveform(tensor(2, 1, 64, 4), { seed: 7 });
    expect(engine.calls.map(([name]) => name)).toEqual([
      "encode",
      "waveformToMel",
      "melToWaveform",
    ]);
    expect(engine.calls[2]?.[3]).toBe(7);
    expect(spectrogram.melShape(16000)).toEqual([64, 63]);
  });
});

it("a model without encoder can't encode", async () => {
  const { loaded } = load({ hasEncoder: false });
  expect(loaded.model.hasEncoder).toBe(false);
  const error = await sdaError(() => loaded.model.encode(tensor(1, 1, 64, 63)));
  expect(error.message).toContain("decoder-only");
});

describe("sliders", () => {
  it("are none without analysis", async () => {
    const { loaded } = load({ changes: { latent_analysis: null } });
    expect(loaded.sliders()).toEqual([]);
    expect((await sdaError(() => loaded.slidersToLatent([]))).code).toBe("ERR_SDA_ARGUMENT");
  });

  it("are those of the analysis", () => {
    const { loaded } = load();
    expect(loaded.sliders().map((slider) => slider.label)).toEqual(["bright", "loud"]);
    expect([...loaded.slidersToLatent([0, 4])]).toEqual([0.5, 0, 0.25]);
  });
});

describe("dispose", () => {
  it("makes every method fail, and can be repeated", async () => {
    const { engine, loaded } = load();
    loaded.dispose();
    loaded.dispose();
    loaded[Symbol.dispose]();
    await loaded.disposeAsync();
    expect(engine.calls).toEqual([["dispose"]]);
    const { model, spectrogram } = loaded;
    const calls = [
      () => loaded.sliders(),
      () => loaded.slidersToLatent([0, 0]),
      () => loaded.generate(),
      () => model.decode(tensor(1, 3)),
      () => model.encode(tensor(1, 1, 64, 63)),
      () => model.stateDict(),
      () => spectrogram.melShape(16000),
      () => spectrogram.waveformToMel(tensor(1, 1, 16000)),
      () => spectrogram.melToWaveform(tensor(1, 1, 64, 63)),
    ];
    for (const call of calls) {
      expect((await sdaError(call)).code, String(call)).toBe("ERR_SDA_DISPOSED");
    }
    expect(engine.calls).toEqual([["dispose"]]);
    expect(loaded.metadata.name).toBe("Test");
  });

  it("lets running work end, and resolves after it", async () => {
    const { engine, loaded } = load();
    const events: string[] = [];
    const decoding = loaded.model.decode(tensor(1, 3)).then(() => events.push("decoded"));
    const disposing = loaded.disposeAsync().then(() => events.push("disposed"));
    expect((await sdaError(() => loaded.model.decode(tensor(1, 3)))).code).toBe("ERR_SDA_DISPOSED");
    await nextTurn();
    expect(events).toEqual([]);
    engine.release();
    await Promise.all([decoding, disposing]);
    expect(events.sort()).toEqual(["decoded", "disposed"]);
  });

  it("happens at the end of a `using` block", async () => {
    const { engine, loaded } = load();
    {
      using model = loaded;
      expect(model.sliders()).toHaveLength(2);
    }
    expect(engine.calls).toEqual([["dispose"]]);
  });
});
