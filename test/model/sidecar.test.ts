import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { pathToFileURL } from "node:url";
import { describe, expect, it, test } from "vitest";
import { type PyDict, parsePythonJson, writePythonJson } from "../../lib/base/python-json.js";
import { writeRecord } from "../../lib/base/python-record.js";
import {
  type GenerateOptions,
  type GenerationResult,
  loadModel,
  readSidecar,
  writeSidecar,
  writeWav,
} from "../../lib/index.js";
import { fromFirstForm, SIDECAR } from "../../lib/model/sidecar-fields.js";
import { DATA_FOLDERS, FIXTURES, MODEL_ID } from "../support/data-folder.js";
import { sdaError } from "../support/errors.js";
import { fixture } from "../support/fixtures.js";
import { temporaryFolder } from "../support/folder.js";

const result: GenerationResult = {
  audio: [new Float32Array(480), new Float32Array(480)],
  sampleRate: 44100,
  channels: 2,
  durationS: 480 / 44100,
  seed: 42,
  quality: {
    snrDb: Number.POSITIVE_INFINITY,
    clipping: {
      clippedSamples: 1,
      clippedPercentage: 0.1,
      peakValue: 1,
      maxConsecutiveClipped: 1,
      hasClipping: true,
    },
    rating: "yellow",
    ratingReason: "Fair quality",
  },
};
// biome-ignore lint/suspicious/noExplicitAny: the tests read only some fields
const model = { metadata: { modelId: "id-1", name: "Küche" } } as any;

const SIDECARS = DATA_FOLDERS.flatMap((data) =>
  readdirSync(join(data, "exported"))
    .filter((name) => name.endsWith(".json"))
    .map((name) => join(data, "exported", name)),
);
const OF_PROGRAM = SIDECARS.filter((path) => /v1\.[01]_/.test(path));
const read = (path: string) => parsePythonJson(readFileSync(path, "utf8")) as PyDict;

async function written(options: GenerateOptions, bitDepth: 16 | 24 | 32 = 16): Promise<string> {
  const wav = join(temporaryFolder(), "küche_42.wav");
  return writeSidecar(wav, result, model, { options, bitDepth });
}

/** As the program's branch of codes writes it. */
const OF_CODES = `{
  "version": 1,
  "timestamp": "2026-03-01T10:00:00.000000+00:00",
  "model_name": "rain",
  "seed": 9,
  "generation": {
    "temperature": 0.8,
    "top_k": 4,
    "top_p": 0.9,
    "duration_s": 2.0,
    "overlap_samples": 2400,
    "model_type": "vqvae"
  },
  "quality": {},
  "audio": {
    "file": "rain_9.wav",
    "format": "WAV",
    "sample_rate": 48000,
    "bit_depth": "24-bit",
    "channels": 1,
    "duration_s": 1.934
  }
}`;

describe("the sidecar of a model of codes", () => {
  const file = fixture("models/tiny-prior.distill");

  it("has the program's few settings, and the measured quality in the object sda", async () => {
    using loaded = await loadModel(file);
    const options = { durationS: 2, temperature: 0.8, topK: 4, seed: 9 };
    const sound = await loaded.generate(options);
    const wav = join(temporaryFolder(), "rain_9.wav");
    const path = await writeSidecar(wav, sound, loaded, { options });
    const text = readFileSync(path, "utf8");
    expect(text).toContain(/ {2}"generation": [^}]*\}/.exec(OF_CODES)?.[0] as string);
    expect(text).toContain(`"quality": {},`);
    const found = await readSidecar(path);
    expect(found.quality).toEqual(sound.quality);
    expect(found.options).toMatchObject(options);
    expect((await loaded.generate(found.options)).audio).toEqual(sound.audio);
  });

  it("is read as the program writes it", async () => {
    const path = join(temporaryFolder(), "rain_9.json");
    writeFileSync(path, OF_CODES);
    const found = await readSidecar(path);
    expect(found).toMatchObject({ modelId: null, modelName: "rain", seed: 9, quality: null });
    using loaded = await loadModel(file);
    const sound = await loaded.generate({ durationS: 2, temperature: 0.8, topK: 4, seed: 9 });
    expect((await loaded.generate(found.options)).audio).toEqual(sound.audio);
  });

  it("with a wrong setting is refused by the setting's name", async () => {
    const path = join(temporaryFolder(), "rain_9.json");
    writeFileSync(path, OF_CODES.replace('"top_k": 4', '"top_k": "x"'));
    const error = await sdaError(() => readSidecar(path));
    expect([error.code, error.details?.["field"]]).toEqual(["ERR_SDA_SCHEMA", "generation.top_k"]);
  });
});

describe("writing a sidecar", () => {
  it("tells how to make the sound again, with every default filled in, as Python writes", async () => {
    const wav = join(temporaryFolder(), "kitchen_42.wav");
    await writeWav(wav, result);
    const options = {
      sliders: [1, -2],
      durationS: 2,
      sampleRate: 44100 as const,
      spatial: { mode: "stereo" as const, width: 0.7 },
    };
    const path = await writeSidecar(wav, result, model, { options, bitDepth: 16 });
    expect(path).toBe(wav.replace(/wav$/, "json"));
    const text = readFileSync(path, "utf8");
    const [, timestamp] = /"timestamp": "(.{25,32})"/.exec(text) ?? [];
    expect(timestamp).toMatch(/^\d{4}-\d\d-\d\dT[\d:.]+\+00:00$/);
    expect(text).toBe(`{
  "version": 1,
  "timestamp": "${timestamp}",
  "model_name": "K\\u00fcche",
  "seed": 42,
  "generation": {
    "duration_s": 2.0,
    "max_duration_s": 60.0,
    "seed": 42,
    "chunk_duration_s": 1.0,
    "concat_mode": "crossfade",
    "stereo_mode": "mono",
    "stereo_width": 0.7,
    "spatial": {
      "mode": "stereo",
      "width": 0.7,
      "depth": 0.3
    },
    "export_format": "wav",
    "sample_rate": 44100,
    "bit_depth": "16-bit",
    "steps_between": 10,
    "overlap_samples": 2400,
    "latent_vector": null
  },
  "quality": {
    "snr_db": Infinity,
    "clipping": {
      "clipped_samples": 1,
      "clipped_percentage": 0.1,
      "peak_value": 1.0,
      "max_consecutive_clipped": 1,
      "has_clipping": true
    },
    "rating": "yellow",
    "rating_reason": "Fair quality"
  },
  "audio": {
    "file": "kitchen_42.wav",
    "format": "WAV",
    "sample_rate": 44100,
    "bit_depth": "16-bit",
    "channels": 2,
    "duration_s": 0.010884353741496598
  },
  "sda": {
    "model_id": "id-1",
    "joint": "python",
    "loudness": "peak",
    "sliders": [
      1,
      -2
    ],
    "vocoder": "auto",
    "temperature": null,
    "top_k": null,
    "top_p": null
  }
}`);
  });

  it("has the program's keys in the program's order, before its own", async () => {
    const ours = read(await written({}));
    const theirs = read(join(FIXTURES, "exported/v1.0_mono.json"));
    expect([...ours.keys()]).toEqual([...theirs.keys(), "sda"]);
    for (const key of ["generation", "quality", "audio"]) {
      expect([...(ours.get(key) as PyDict).keys()]).toEqual([
        ...(theirs.get(key) as PyDict).keys(),
      ]);
    }
  });

  it("has a latent's values as floats", async () => {
    const text = readFileSync(await written({ latent: Float32Array.of(0.5, -1) }, 32), "utf8");
    expect(text).toContain('"latent_vector": [\n      0.5,\n      -1.0\n    ]');
    expect(text).toContain('"bit_depth": "32-bit float"');
  });

  it("is refused where there is no folder, and leaves nothing", async () => {
    const folder = temporaryFolder();
    const error = await sdaError(() => writeSidecar(join(folder, "none", "a.wav"), result, model));
    expect(error.code).toBe("ERR_SDA_NOT_FOUND");
    expect(readdirSync(folder)).toEqual([]);
  });
});

describe("reading a sidecar", () => {
  test.each(OF_PROGRAM)("%s: its fields make the same bytes again", async (path) => {
    const text = readFileSync(path, "utf8");
    const found = await readSidecar(path);
    const value = read(path);
    const generation = value.get("generation") as PyDict;
    expect(found).toMatchObject({
      modelId: null,
      modelName: value.get("model_name"),
      seed: Number(value.get("seed")),
      timestamp: value.get("timestamp"),
      evolution: generation.get("evolution_amount") ?? null,
      stereoMode: generation.get("stereo_mode"),
      stereoWidth: 0.7,
      options: { seed: found.seed, durationS: generation.get("duration_s"), joint: "python" },
      audio: { file: basename(path).replace(/json$/, /flac/.test(path) ? "flac" : "wav") },
      quality: { snrDb: Number.POSITIVE_INFINITY, rating: "green" },
    });
    expect(found.options.latent ?? null).toEqual(found.latent);
    const content = SIDECAR.generation.kind.read(generation);
    if (!generation.has("evolution_amount")) delete (content as { evolution?: null }).evolution;
    value.set("generation", SIDECAR.generation.kind.write(content as never));
    const quality = SIDECAR.quality.kind.read(value.get("quality") as PyDict);
    value.set("quality", writeRecord(SIDECAR, { quality } as never).get("quality") as PyDict);
    value.set("audio", SIDECAR.audio.kind.write(found.audio));
    expect(writePythonJson(value)).toBe(text);
  });

  it("finds what was written", async () => {
    const options: GenerateOptions = {
      durationS: 2,
      seed: 42,
      concatMode: "latent_interpolation",
      sliders: [1, -2],
      stepsBetween: 3,
      overlapSamples: 100,
      joint: "equal-power",
      loudness: "none",
      spatial: { mode: "dual_seed", width: 0.5, depth: 0.3 },
      sampleRate: 96000,
    };
    const found = await readSidecar(pathToFileURL(await written(options, 32)));
    expect(found).toEqual({
      modelId: "id-1",
      modelName: "Küche",
      seed: 42,
      timestamp: expect.stringMatching(/\+00:00$/),
      options,
      latent: null,
      evolution: null,
      stereoMode: "mono",
      stereoWidth: 0.7,
      audio: {
        file: "küche_42.wav",
        format: "WAV",
        sampleRate: 44100,
        bitDepth: 32,
        channels: 2,
        durationS: 480 / 44100,
      },
      quality: result.quality,
    });
  });

  it("reads the form that version 0.1 wrote", async () => {
    const path = join(FIXTURES, "exported/small-dataset-audio-0.1.json");
    expect(fromFirstForm(read(path))).not.toBeNull();
    expect(await readSidecar(path)).toMatchObject({
      modelId: MODEL_ID,
      modelName: "Kitchen",
      seed: 42,
      timestamp: "",
      options: {
        durationS: 2,
        seed: 42,
        concatMode: "crossfade",
        sliders: [1, -2],
        stepsBetween: 10,
        overlapSamples: 2400,
        joint: "equal-power",
        loudness: "none",
        spatial: { mode: "stereo", width: 0.7, depth: 0.3 },
        sampleRate: 44100,
      },
      audio: { file: "kitchen_42.wav", bitDepth: 16, channels: 2 },
      quality: { snrDb: Number.POSITIVE_INFINITY },
    });
  });

  const text = readFileSync(join(FIXTURES, "exported/v1.1_stereo.json"), "utf8");
  const bad: [string, string | Uint8Array, string, string?][] = [
    ["no JSON", "{", "ERR_SDA_FORMAT"],
    ["empty", "", "ERR_SDA_FORMAT"],
    ["not UTF-8", Uint8Array.of(0x22, 0xff, 0x22), "ERR_SDA_FORMAT"],
    ["another JSON file", '{"models": {}}', "ERR_SDA_FORMAT"],
    ["a list", "[]", "ERR_SDA_FORMAT"],
    ["too deep", "[".repeat(100_000), "ERR_SDA_FORMAT"],
    ["too long", " ".repeat(16 * 2 ** 20 + 1), "ERR_SDA_LIMIT"],
    ["newer", text.replace('"version": 1', '"version": 2'), "ERR_SDA_VERSION"],
    ["no name", text.replace('"model_name"', '"x"'), "ERR_SDA_SCHEMA", "model_name"],
    ["a wrong seed", text.replace('"seed": 1900', '"seed": "1"'), "ERR_SDA_SCHEMA", "seed"],
    ["a wrong mode", text.replace("crossfade", "x"), "ERR_SDA_SCHEMA", "generation.concat_mode"],
    ["no width", text.replace('"width"', '"x"'), "ERR_SDA_SCHEMA", "generation.spatial.width"],
    ["a wrong rate", text.replaceAll("44100", "44101"), "ERR_SDA_SCHEMA", "sample_rate"],
    [
      "a wrong depth",
      text.replace("32-bit float", "8-bit"),
      "ERR_SDA_SCHEMA",
      "generation.bit_depth",
    ],
    ["a wrong rating", text.replace('"green"', '"blue"'), "ERR_SDA_SCHEMA", "quality.rating"],
    ["no channels", text.replace('"channels"', '"x"'), "ERR_SDA_SCHEMA", "audio.channels"],
    ["a wrong sda", text.replace('"version"', '"sda": 3, "version"'), "ERR_SDA_SCHEMA", "sda"],
  ];
  it.each(bad)("refuses a file that is %s", async (_, content, code, field) => {
    const path = join(temporaryFolder(), "a.json");
    writeFileSync(path, content);
    const error = await sdaError(() => readSidecar(path));
    expect([error.code, error.details?.["field"]]).toEqual([code, field]);
    expect(error.details?.["path"]).toBe(path);
  });

  it("refuses a folder and a missing file", async () => {
    const folder = join(temporaryFolder(), "a.json");
    expect((await sdaError(() => readSidecar(folder))).code).toBe("ERR_SDA_NOT_FOUND");
    mkdirSync(folder);
    expect((await sdaError(() => readSidecar(folder))).code).toBe("ERR_SDA_FORMAT");
  });

  it("its options make the same sound again", async () => {
    using loaded = await loadModel("test/fixtures/models/tiny.sda");
    const sliders = loaded.sliders().map(({ maxStep }) => maxStep);
    const sound = await loaded.generate({ durationS: 1.5, seed: 7, sliders });
    const wav = join(temporaryFolder(), "a.wav");
    const path = await writeSidecar(wav, sound, loaded, { options: { durationS: 1.5, sliders } });
    const found = await readSidecar(path);
    expect(Array.from(found.latent as Float32Array)).toEqual(
      Array.from(loaded.slidersToLatent(sliders)),
    );
    const { sliders: _, ...others } = found.options;
    for (const options of [found.options, { ...others, latent: found.latent as Float32Array }]) {
      expect((await loaded.generate(options)).audio).toEqual(sound.audio);
    }
  });
});
