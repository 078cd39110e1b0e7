import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, describe, expect, it, vi } from "vitest";
import type { GenerateOptions } from "../../lib/audio/options.js";
import { SdaError } from "../../lib/base/errors.js";
import { Interrupted } from "../../lib/cli/io.js";
import { run } from "../../lib/cli/program.js";
import { readSidecar } from "../../lib/index.js";
import { temporaryFolder } from "../support/folder.js";
import { keepingIo } from "../support/io.js";

const engine = vi.hoisted(() => ({
  metadata: { modelId: "id-1", name: "Kitchen: Drums" },
  loaded: [] as unknown[],
  requests: [] as GenerateOptions[],
  clipping: {
    clippedSamples: 0,
    clippedPercentage: 0,
    peakValue: 0.5,
    maxConsecutiveClipped: 0,
    hasClipping: false,
  },
  disposed: 0,
  failure: null as Error | null,
  onRequest: () => {},
}));

// Tests the command only: its model answers at once.
vi.mock("../../lib/model/load.js", () => ({
  loadModel: async (...args: unknown[]) => {
    engine.loaded.push(args);
    if (engine.failure) throw engine.failure;
    const range = { minStep: -10, maxStep: 10 };
    return {
      metadata: engine.metadata,
      generation: "sda",
      vae: { latentDim: 3 },
      device: "cpu",
      sliders: () => [range, range, range],
      generate: async (options: GenerateOptions) => {
        engine.requests.push(options);
        engine.onRequest();
        options.signal?.throwIfAborted();
        options.onProgress?.(1, 2);
        return {
          audio: [new Float32Array(4800)],
          sampleRate: options.sampleRate ?? 48000,
          channels: 1,
          durationS: 0.1,
          seed: options.seed,
          quality: {
            snrDb: Infinity,
            clipping: engine.clipping,
            rating: "green",
            ratingReason: "Good quality (SNR inf dB, no clipping)",
          },
        };
      },
      [Symbol.asyncDispose]: async () => {
        engine.disposed++;
      },
    };
  },
}));

let folder: string;
let model: string;
beforeEach(() => {
  folder = temporaryFolder();
  model = join(temporaryFolder(), "model.sda");
  writeFileSync(model, "");
  Object.assign(engine, {
    metadata: { modelId: "id-1", name: "Kitchen: Drums" },
    loaded: [],
    requests: [],
    disposed: 0,
    failure: null,
    onRequest: () => {},
  });
});

async function generate(...args: string[]) {
  const { io, kept } = keepingIo();
  return { code: await run(["generate", model, "-o", folder, ...args], io), ...kept };
}

describe("sda generate", () => {
  it("writes a WAV named after model and seed, its sidecar, and a report on stderr", async () => {
    const { code, stdout, stderr } = await generate("-s", "42");
    expect(code).toBe(0);
    expect(readdirSync(folder).sort()).toEqual(["kitchen_drums_42.json", "kitchen_drums_42.wav"]);
    const sidecar = await readSidecar(join(folder, "kitchen_drums_42.json"));
    expect(sidecar).toMatchObject({ audio: { file: "kitchen_drums_42.wav" }, seed: 42 });
    expect(readFileSync(join(folder, "kitchen_drums_42.wav")).readUInt16LE(34)).toBe(24);
    expect(stdout).toBe("");
    expect(stderr).toContain("kitchen_drums_42.wav: 0.10 s, 48000 Hz, mono. Good quality");
    expect(engine.disposed).toBe(1);
  });

  it("counts seeds up", async () => {
    await generate("-s", "7", "-n", "3");
    const sounds = readdirSync(folder).filter((name) => name.endsWith(".wav"));
    expect(sounds).toEqual([7, 8, 9].map((seed) => `kitchen_drums_${seed}.wav`));
    expect(engine.loaded).toHaveLength(1);
  });

  it("keeps the letters of all scripts in the names of sounds", async () => {
    const names = ["ピアノ", "Барабаны", "गिटार 2", "Cafe\u0301 Noir", "雨".repeat(100)];
    for (const [i, name] of names.entries()) {
      engine.metadata = { modelId: `id-${i}`, name };
      expect((await generate("-s", "42")).code).toBe(0);
    }
    const sounds = readdirSync(folder).filter((name) => name.endsWith(".wav"));
    expect(sounds.sort()).toEqual(
      ["ピアノ", "барабаны", "गिटार_2", "caf\u00e9_noir", "雨".repeat(66)]
        .map((stem) => `${stem}_42.wav`)
        .sort(),
    );
  });

  it("gives sounds of different models different names, and says what it replaces", async () => {
    const names = ["Kick / Snare", "Kick Snare", "KICK SNARE", "🎹", "🎸"];
    for (const again of [false, true]) {
      for (const [i, name] of names.entries()) {
        engine.metadata = { modelId: `id-${i}`, name };
        const { stdout, stderr } = await generate("-s", "42", "--json");
        expect(stderr.includes("(replaced)")).toBe(again);
        expect(JSON.parse(stdout).files[0].replaced).toBe(again || undefined);
      }
    }
    const sidecars = readdirSync(folder).filter((name) => name.endsWith(".json"));
    const ids = await Promise.all(
      sidecars.map(async (name) => {
        const { audio, modelId } = await readSidecar(join(folder, name));
        expect(audio.file).toBe(name.replace(".json", ".wav"));
        return modelId;
      }),
    );
    expect(ids.sort()).toEqual(["id-0", "id-1", "id-2", "id-3", "id-4"]);
    expect(readdirSync(folder)).toHaveLength(10);
  });

  it("leaves a file alone that is not of the same model", async () => {
    const path = join(folder, "kitchen_drums_42.wav");
    writeFileSync(path, "a person's own");
    await generate("-s", "42");
    expect(readFileSync(path, "utf8")).toBe("a person's own");
    expect(readdirSync(folder)).toContain("kitchen_drums_42_2.wav");
  });

  it("makes the folder", async () => {
    const inner = join(folder, "a", "b");
    expect(await run(["generate", model, "-o", inner], keepingIo().io)).toBe(0);
    expect(readdirSync(inner)).toHaveLength(2);
  });

  it("passes its options on", async () => {
    await generate(
      ...["-d", "2.5", "-s", "1", "--slider", "2:-4", "--slider", "0:5", "--sample-rate", "44100"],
      ...["--spatial-mode", "stereo", "--width", "0.8", "--depth", "0", "--device", "cuda:0"],
      ...["--bit-depth", "16"],
    );
    expect(engine.loaded[0]).toMatchObject([model, { device: "cuda:0" }]);
    expect(engine.requests[0]).toMatchObject({
      durationS: 2.5,
      seed: 1,
      sliders: [5, 0, -4],
      sampleRate: 44100,
      spatial: { mode: "stereo", width: 0.8, depth: 0 },
    });
    expect(readFileSync(join(folder, "kitchen_drums_1.wav")).readUInt16LE(34)).toBe(16);
  });

  it("leaves out options that are not given", async () => {
    await generate();
    const { seed, signal, onProgress, ...options } = engine.requests[0] as GenerateOptions;
    expect(options).toEqual({});
    expect(Number.isSafeInteger(seed)).toBe(true);
  });

  it("reports as JSON", async () => {
    const { stdout } = await generate("-s", "1", "--json");
    expect(JSON.parse(stdout)).toEqual({
      model: { modelId: "id-1", name: "Kitchen: Drums", path: model },
      device: "cpu",
      files: [
        {
          path: join(folder, "kitchen_drums_1.wav"),
          sidecar: join(folder, "kitchen_drums_1.json"),
          sampleRate: 48000,
          channels: 1,
          durationS: 0.1,
          seed: 1,
          quality: {
            snrDb: "Infinity",
            clipping: engine.clipping,
            rating: "green",
            ratingReason: "Good quality (SNR inf dB, no clipping)",
          },
          format: "wav",
          bitDepth: 24,
        },
      ],
    });
  });

  it.each([
    ["flac", "fLaC", []],
    ["mp3", "ID3", ["--kbps", "320"]],
    ["ogg", "OggS", ["--quality", "2.5"]],
    ["wav", "RIFF", ["--bit-depth", "32-bit float"]],
  ])("writes %s, with tags", async (format, mark, more) => {
    const tags = ["--title", "Früh", "--artist", "me", "--album", "Pads"];
    const { code, stdout } = await generate(
      "-s",
      "1",
      "--format",
      format,
      ...tags,
      ...more,
      "--json",
    );
    expect(code).toBe(0);
    const [file] = JSON.parse(stdout).files;
    expect(file.path).toBe(join(folder, `kitchen_drums_1.${format}`));
    expect(file).toMatchObject({
      format,
      ...{ flac: { bitDepth: 24 }, mp3: { kbps: 320 }, ogg: { quality: 2.5 } }[format],
    });
    const bytes = readFileSync(file.path);
    expect(bytes.toString("latin1").startsWith(mark)).toBe(true);
    for (const text of ["Früh", "me", "Pads"]) expect(bytes.includes(text)).toBe(true);
    const { audio } = await readSidecar(file.sidecar);
    expect(audio).toMatchObject({ file: `kitchen_drums_1.${format}`, format: "WAV" });
  });

  it.each([
    ["16", 16],
    ["24-bit", 24],
    ["32-bit float", 32],
    ["32-BIT", 32],
  ])("takes the bit depth %s", async (text, bits) => {
    await generate("-s", "1", "--bit-depth", text);
    expect(readFileSync(join(folder, "kitchen_drums_1.wav")).readUInt16LE(34)).toBe(bits);
  });

  it("leaves the sidecar of another model's sound alone, also for another format", async () => {
    await generate("-s", "42");
    engine.metadata = { modelId: "id-2", name: "Kitchen Drums" };
    await generate("-s", "42", "--format", "flac");
    expect(readdirSync(folder).sort()).toEqual([
      "kitchen_drums_42.json",
      "kitchen_drums_42.wav",
      "kitchen_drums_42_2.flac",
      "kitchen_drums_42_2.json",
    ]);
    expect((await readSidecar(join(folder, "kitchen_drums_42.json"))).modelId).toBe("id-1");
  });

  it.each([
    [["--format", "mp3", "--sample-rate", "96000"], "sampleRate must be 32000, 44100, 48000 Hz"],
    [["--format", "flac", "--bit-depth", "32"], "bitDepth must be one of 16, 24, got 32"],
    [["--format", "mp3", "--bit-depth", "16"], "bitDepth is for wav and flac, not for mp3"],
    [["--format", "ogg", "--quality", "11"], "quality must be a number from -1 to 10, got 11"],
    [["--format", "aac"], "'aac' is invalid"],
    [["--bit-depth", "8"], "Allowed choices are 16, 24, 32"],
    [["--title", "a\nb"], "tags.title must be without control characters"],
  ])("refuses %j before it loads the model", async (args, message) => {
    const { code, stderr } = await generate(...args);
    expect(code).toBe(2);
    expect(stderr).toContain(message);
    expect(engine.loaded).toEqual([]);
  });

  it.each([
    [["--slider", "3:0"], "--slider must be 0 to 2 (the index), got 3"],
    [["--slider", "0:11"], "--slider must be -10 to 10 (the position), got 11"],
    [["-d", "100"], "durationS must be above 0 and at most 60 seconds, got 100"],
    [["-s", "-1"], "seed must be a whole number, 0 or more, got -1"],
  ])("refuses %j before it makes sound", async (args, message) => {
    const { code, stderr } = await generate(...args);
    expect(code).toBe(2);
    expect(stderr).toBe(`error: ${message} (ERR_SDA_ARGUMENT)\n`);
    expect(engine.requests).toEqual([]);
    expect(engine.disposed).toBe(1);
  });

  it("fails with 1 when the file is damaged", async () => {
    engine.failure = new SdaError("ERR_SDA_CORRUPT", "model.sda is damaged");
    const { code, stderr } = await generate();
    expect(code).toBe(1);
    expect(stderr).toBe("error: model.sda is damaged (ERR_SDA_CORRUPT)\n");
  });

  it("stops at Ctrl-C with 130, keeping finished files and no others", async () => {
    const controller = new AbortController();
    engine.onRequest = () => {
      if (engine.requests.length === 2) controller.abort(new Interrupted("SIGINT"));
    };
    const { io, kept } = keepingIo(controller.signal);
    const code = await run(["generate", model, "-o", folder, "-s", "1", "-n", "5"], io);
    expect(code).toBe(130);
    expect(kept.stderr).toContain("interrupted");
    expect(readdirSync(folder).sort()).toEqual(["kitchen_drums_1.json", "kitchen_drums_1.wav"]);
    expect(engine.disposed).toBe(1);
  });
});
