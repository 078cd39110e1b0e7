import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { decode } from "fast-png";
import { beforeEach, describe, expect, it, test } from "vitest";
import { type PyDict, type PyValue, parsePythonJson } from "../../../lib/base/python-json.js";
import { type GenerationResult, History, type HistoryModel } from "../../../lib/index.js";
import { DATA_FOLDERS, dataFolder, MODEL_ID } from "../../support/data-folder.js";
import { sdaError } from "../../support/errors.js";
import { temporaryFolder } from "../../support/folder.js";
import { python, runPython } from "../../support/python.js";
import { warningsOf } from "../../support/warnings.js";

const [first, second] = [1, 2].map(
  (n) => `00000000-0000-4000-9000-${String(n).padStart(12, "0")}`,
) as [string, string];

const sound: GenerationResult = {
  audio: [Float32Array.from({ length: 4410 }, (_, i) => 0.5 * Math.sin(i / 20))],
  sampleRate: 44100,
  channels: 1,
  durationS: 0.1,
  seed: 42,
  quality: {
    snrDb: Number.POSITIVE_INFINITY,
    clipping: {
      clippedSamples: 0,
      clippedPercentage: 0,
      peakValue: 0.5,
      maxConsecutiveClipped: 0,
      hasClipping: false,
    },
    rating: "green",
    ratingReason: "Good quality (SNR inf dB, no clipping)",
  },
};
const model: HistoryModel = { metadata: { modelId: "id-1", name: "Küche", nActiveComponents: 3 } };

let folder: string;
let file: string;
beforeEach(() => {
  folder = join(dataFolder(), "history");
  file = join(folder, "history.json");
});

const text = (path = file) => readFileSync(path, "utf8");
const entriesIn = () => (parsePythonJson(text()) as PyDict).get("entries") as PyDict;

/** Names of all files of the sounds. */
const sounds = (at = folder) => [
  ...readdirSync(join(at, "audio")).sort(),
  ...readdirSync(join(at, "thumbnails")).sort(),
];

/** Changes the file as another program may. */
function rewrite(from: string, to: string): void {
  const changed = text().replace(from, to);
  expect(changed).not.toBe(text());
  writeFileSync(file, changed);
}

describe("reading", () => {
  it("lists the entries, newest first", async () => {
    const history = await History.open(pathToFileURL(folder));
    expect(history.list().map((e) => e.entryId)).toEqual([second, first]);
    expect(history.list({ reverse: false }).map((e) => e.entryId)).toEqual([first, second]);
    expect(history.list({ limit: 1 }).map((e) => e.entryId)).toEqual([second]);
    expect(history.list({ modelId: MODEL_ID }).map((e) => e.entryId)).toEqual([first]);
    expect(history.count()).toBe(2);
    expect(history.get("nothing")).toBeNull();
    expect(history.get(first)).toEqual({
      entryId: first,
      timestamp: "2026-11-26T07:05:01.307261+00:00",
      modelId: MODEL_ID,
      modelName: "Singing Wires",
      sliderPositions: null,
      nComponents: 3,
      seed: 1601,
      durationS: 0.01,
      sampleRate: 44100,
      stereoMode: "mono",
      presetName: "custom",
      audioFile: `audio/${first}.wav`,
      thumbnailFile: `thumbnails/${first}.png`,
      qualityScore: {
        ...sound.quality,
        clipping: { ...sound.quality.clipping, peakValue: 0.8751504421234131 },
      },
      latentVector: null,
    });
    expect(history.get(second)).toMatchObject({
      sliderPositions: [-1, 9, 5],
      durationS: 2,
      qualityScore: { snrDb: 59.66640736409212 },
      latentVector: [1.3763988018035889, -0.09124013781547546, 1e-5],
    });
  });

  it("is empty where there is no file, and makes no folder", async () => {
    const none = join(temporaryFolder(), "history");
    const history = await History.open(none);
    expect([history.list(), history.count(), history.path]).toEqual([[], 0, none]);
    expect(await history.delete(first)).toBe(false);
    expect(existsSync(none)).toBe(false);
  });

  it("finds and deletes files through a link to the folder", async () => {
    const link = join(temporaryFolder(), "link");
    symlinkSync(folder, link);
    const history = await History.open(link);
    expect(await history.audioPath(first)).toBe(join(realpathSync(folder), `audio/${first}.wav`));
    expect(await history.delete(first)).toBe(true);
    expect(sounds()).toEqual([`${second}.wav`, `${second}.png`]);
  });

  it("finds the files", async () => {
    const history = await History.open(folder);
    expect(await history.audioPath(first)).toBe(join(folder, "audio", `${first}.wav`));
    expect(await history.thumbnailPath(first)).toBe(join(folder, "thumbnails", `${first}.png`));
    expect(await history.audioPath("nothing")).toBeNull();
  });
});

describe("bytes", () => {
  test.each(DATA_FOLDERS)("of %s stay when an added sound is deleted", async (data) => {
    cpSync(join(data, "history"), folder, { recursive: true });
    const before = text();
    const history = await History.open(folder);
    const files = sounds();
    expect(history.count()).toBeGreaterThan(1);
    const { entryId } = await history.add(sound, { model });
    const between = text();
    expect(text(`${file}.bak`)).toBe(before);
    expect(sounds()).toHaveLength(files.length + 2);
    expect(await history.delete(entryId)).toBe(true);
    expect([text(), text(`${file}.bak`)]).toEqual([before, between]);
    expect(sounds()).toEqual(files);
  });

  test.skipIf(python === null)(
    "of a new entry are Python's, with its fields in order",
    async () => {
      const history = await History.open(folder);
      const names = [...(entriesIn().get(second) as PyDict).keys()];
      const latent = Float32Array.of(0.1, -1, 0);
      const added = await history.add(sound, { model, options: { latent }, presetName: "é" });
      const record = entriesIn().get(added.entryId) as PyDict;
      expect([...record.keys()]).toEqual(names);
      const script = "import json, sys; print(json.dumps(json.load(sys.stdin), indent=2), end='')";
      expect(runPython(["-c", script], text())).toBe(text());
      expect(text()).toContain('"snr_db": Infinity');
      expect(text()).toContain('"clipped_percentage": 0.0');
      expect(text()).toContain('"duration_s": 0.1');
      expect(record.get("latent_vector")).toEqual([Math.fround(0.1), -1, 0]);
      expect(record.get("preset_name")).toBe("é");
    },
  );

  it("of the first entry", async () => {
    const empty = join(temporaryFolder(), "a", "history");
    const { entryId, timestamp } = await (await History.open(empty)).add(sound, { model });
    const written = text(join(empty, "history.json"));
    expect(written.startsWith(`{\n  "version": 1,\n  "entries": {\n    "${entryId}": {\n`)).toBe(
      true,
    );
    expect(written).toContain(`"timestamp": "${timestamp}"`);
    expect(sounds(empty)).toEqual([`${entryId}.wav`, `${entryId}.png`]);
    expect(readdirSync(empty).sort()).toEqual([
      ".history.lock",
      "audio",
      "history.json",
      "thumbnails",
    ]);
  });
});

describe("adding", () => {
  it("keeps the sound, its picture and how it was made", async () => {
    const history = await History.open(folder);
    const options = { sliders: [1, -2, 0], durationS: 0.1 };
    const added = await history.add(sound, { model, options, bitDepth: 16 });
    expect(added).toMatchObject({
      modelId: "id-1",
      modelName: "Küche",
      sliderPositions: [1, -2, 0],
      nComponents: 3,
      seed: 42,
      durationS: 0.1,
      sampleRate: 44100,
      stereoMode: "mono",
      presetName: "custom",
      qualityScore: sound.quality,
      latentVector: null, // without an analysis
    });
    expect(history.get(added.entryId)).toEqual(added);
    expect((await History.open(folder)).get(added.entryId)).toEqual(added);
    const wav = readFileSync((await history.audioPath(added.entryId)) as string);
    expect([wav.readUInt16LE(34), wav.length]).toEqual([16, 44 + 2 * 4410]);
    const png = decode(readFileSync((await history.thumbnailPath(added.entryId)) as string));
    expect([png.width, png.height, png.channels]).toEqual([310, 46, 4]);
  });

  it("stores no sliders as null, and counts the model's sliders", async () => {
    const history = await History.open(folder);
    const { sliderPositions, nComponents } = await history.add(sound, {
      model,
      options: { sliders: [] },
    });
    expect([sliderPositions, nComponents]).toEqual([null, 3]);
  });

  const wrong: [string, (h: History) => Promise<unknown>][] = [
    ["no options", (h) => h.add(sound, undefined as never)],
    ["no model", (h) => h.add(sound, {} as never)],
    ["an unknown option", (h) => h.add(sound, { model, name: "a" } as never)],
    ["no sound", (h) => h.add(undefined as never, { model })],
    ["no quality", (h) => h.add({ ...sound, quality: undefined as never }, { model })],
    ["a wrong quality", (h) => h.add({ ...sound, quality: { snrDb: "a" } as never }, { model })],
    ["no duration", (h) => h.add({ ...sound, durationS: undefined as never }, { model })],
    ["a wrong seed", (h) => h.add({ ...sound, seed: 0.5 }, { model })],
    [
      "a sample that is not finite",
      (h) => h.add({ ...sound, audio: [Float32Array.of(NaN)] }, { model }),
    ],
    ["no channels", (h) => h.add({ ...sound, audio: [] }, { model })],
    ["a wrong bit depth", (h) => h.add(sound, { model, bitDepth: 8 as never })],
    ["a wrong name of a preset", (h) => h.add(sound, { model, presetName: "" })],
    ["a wrong limit", async (h) => h.list({ limit: -1 })],
    ["a wrong id of a model", async (h) => h.list({ modelId: 1 as never })],
    ["a wrong order", async (h) => h.list({ reverse: "yes" as never })],
  ];
  it.each(wrong)("%s is refused, and leaves nothing", async (_, act) => {
    const [before, files] = [text(), sounds()];
    const history = await History.open(folder);
    expect((await sdaError(() => act(history))).code).toBe("ERR_SDA_ARGUMENT");
    expect([text(), sounds()]).toEqual([before, files]);
  });

  it("into a file of a newer version is refused, and leaves nothing", async () => {
    rewrite('"version": 1', '"version": 2');
    const [before, files] = [text(), sounds()];
    const history = await History.open(folder);
    expect(history.count()).toBe(2);
    expect((await sdaError(() => history.add(sound, { model }))).code).toBe("ERR_SDA_VERSION");
    expect((await sdaError(() => history.delete(first))).code).toBe("ERR_SDA_VERSION");
    expect([text(), sounds()]).toEqual([before, files]);
  });

  it("that is aborted leaves nothing", async () => {
    const files = sounds();
    const history = await History.open(folder);
    const reason = new Error("enough");
    const signal = AbortSignal.abort(reason);
    await expect(history.add(sound, { model, signal })).rejects.toBe(reason);
    expect(sounds()).toEqual(files);
  });

  it("of many at once loses none", async () => {
    const histories = await Promise.all([History.open(folder), History.open(folder)]);
    const all = Array.from({ length: 12 }, (_, i) =>
      (histories[i % 2] as History).add({ ...sound, seed: i }, { model }),
    );
    const ids = (await Promise.all(all)).map((e) => e.entryId);
    const history = await History.open(folder);
    expect(history.count()).toBe(14);
    expect(ids.every((id) => history.get(id))).toBe(true);
  });
});

describe("deleting", () => {
  it("removes the entry and its files", async () => {
    const history = await History.open(folder);
    expect(await history.delete(first)).toBe(true);
    expect(await history.delete(first)).toBe(false);
    expect(history.list().map((e) => e.entryId)).toEqual([second]);
    expect(sounds()).toEqual([`${second}.wav`, `${second}.png`]);
  });

  it("does without files that are gone", async () => {
    rmSync(join(folder, "audio"), { recursive: true });
    expect(await (await History.open(folder)).delete(first)).toBe(true);
  });

  const hostile = [
    "../victim.wav",
    "audio/../../victim.wav",
    "/etc/victim.wav",
    "history.json",
    "audio/link/victim.wav",
    "audio",
    "audio\\..\\..\\victim.wav",
  ];
  it.each(hostile)("leaves %s alone, and reports it", async (path) => {
    const outside = temporaryFolder();
    writeFileSync(join(outside, "victim.wav"), "keep");
    writeFileSync(join(folder, "..", "victim.wav"), "keep");
    symlinkSync(outside, join(folder, "audio/link"));
    rewrite(`"audio/${first}.wav"`, JSON.stringify(path));
    const history = await History.open(folder);
    if (!["history.json", "audio"].includes(path)) {
      expect((await sdaError(() => history.audioPath(first))).code).toBe("ERR_SDA_UNSAFE");
    }
    const warnings = await warningsOf(async () => expect(await history.delete(first)).toBe(true));
    expect(warnings.map((w) => w.code)).toEqual(["SDA_CLEANUP_FAILED"]);
    expect(text(join(outside, "victim.wav"))).toBe("keep");
    expect(text(join(folder, "..", "victim.wav"))).toBe("keep");
    expect((await History.open(folder)).count()).toBe(1);
  });

  it("leaves the file of another entry", async () => {
    rewrite(`"audio/${first}.wav"`, `"audio/${second}.wav"`);
    const history = await History.open(folder);
    expect(await history.delete(first)).toBe(true);
    expect(existsSync(join(folder, "audio", `${second}.wav`))).toBe(true);
  });
});

describe("an unreadable entry", () => {
  const fields: [string, PyValue][] = [
    ["timestamp", 1n],
    ["model_id", null],
    ["model_name", new Map()],
    ["slider_positions", ["1"]],
    ["n_components", 0.5],
    ["seed", null],
    ["duration_s", "1"],
    ["sample_rate", 44100.5],
    ["stereo_mode", false],
    ["preset_name", 1n],
    ["audio_file", null],
    ["thumbnail_file", null],
    ["quality_score", "green"],
    ["latent_vector", 3n],
  ];
  it.each(fields)("with a wrong %s is skipped, reported and kept", async (name, value) => {
    const json = (v: PyValue): string =>
      v instanceof Map
        ? "{}"
        : JSON.stringify(v, (_, x) => (typeof x === "bigint" ? Number(x) : x));
    const key = new RegExp(
      `("entry_id": "${first}",[^]*?"${name}": )(\\{[^]*?\\n      \\}|[^\\n]*?)(,?\\n)`,
    );
    writeFileSync(file, text().replace(key, `$1${json(value)}$3`));
    let history: History | undefined;
    const warnings = await warningsOf(async () => {
      history = await History.open(folder);
    });
    expect(warnings.map((w) => w.code)).toEqual(["SDA_ENTRY_SKIPPED"]);
    expect(warnings[0]?.message).toContain(name);
    expect(history?.list().map((e) => e.entryId)).toEqual([second]);
    const kept = entriesIn().get(first);
    await history?.add(sound, { model });
    expect(entriesIn().get(first)).toEqual(kept);
  });

  it("a report of quality that is null is read", async () => {
    const value = /"quality_score": \{[\s\S]*?\n {6}\}/;
    writeFileSync(file, text().replace(value, '"quality_score": null'));
    expect((await History.open(folder)).get(first)?.qualityScore).toBeNull();
  });
});

describe("a damaged history", () => {
  it("is restored from its backup and kept; the sounds stay", async () => {
    const [saved, files] = [text(`${file}.bak`), sounds()];
    writeFileSync(file, text().slice(0, 700));
    const warnings = await warningsOf(async () => {
      expect((await History.open(folder)).list().map((e) => e.entryId)).toEqual([first]);
    });
    expect(warnings.map((w) => w.code)).toEqual(["SDA_FILE_RECOVERED"]);
    expect([text(), sounds()]).toEqual([saved, files]);
    expect(readdirSync(folder).filter((n) => n.startsWith("history.json.damaged-"))).toHaveLength(
      1,
    );
  });

  it("with a folder in the backup's place begins anew", async () => {
    writeFileSync(file, "null");
    rmSync(`${file}.bak`);
    mkdirSync(`${file}.bak`);
    await warningsOf(async () => expect((await History.open(folder)).count()).toBe(0));
    expect(text()).toBe('{\n  "version": 1,\n  "entries": {}\n}');
  });
});
