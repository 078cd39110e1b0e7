import { decode } from "fast-png";
import {
  type GenerateOptions,
  type LoadedModel,
  ModelCache,
  saveModel,
  updateModel,
  wavStream,
} from "small-dataset-audio";
import { afterAll, describe, expect, test } from "vitest";
import { engineBuilt } from "../../test/support/native.js";
import { interleave } from "../../test/support/sound.js";
import {
  afterTest,
  application,
  modelsFolder,
  PLUCKS_ID,
  plucks,
  problemOf,
  running,
  sharedApplication,
  tiny,
  until,
} from "./support.js";

const url = `/api/models/${PLUCKS_ID}/generate`;
const SLIDERS = [5, -3, 0, 2, 0, 0];

async function whole(pieces: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  for await (const piece of pieces) parts.push(piece);
  return Buffer.concat(parts);
}

const floats = (bytes: Buffer) =>
  new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length));

describe.skipIf(!engineBuilt)("sound", () => {
  const cache = new ModelCache({ device: "cpu" });
  afterAll(() => cache.disposeAsync());
  const library = <T>(f: (model: LoadedModel) => Promise<T>, path = plucks) => cache.use(path, f);
  const wavOf = (options: GenerateOptions, bitDepth: 16 | 24 | 32 = 24) =>
    library((model) =>
      whole(wavStream(model.stream(options), { ...model.audioFormat(options), bitDepth })),
    );

  describe.each([
    ["crossfade", { durationS: 2.5, seed: 7 }],
    ["sliders", { durationS: 2, seed: 7, sliders: SLIDERS }],
    ["latent", { durationS: 1, seed: 7, latent: [0.5, -1, 0, 2, 0.1, 0] }],
    [
      "interpolation",
      { durationS: 2, seed: 1, concatMode: "latent_interpolation", stepsBetween: 2 },
    ],
    [
      "stereo at 44.1 kHz",
      { durationS: 1.5, seed: 3, spatial: { mode: "stereo", width: 1 }, sampleRate: 44100 },
    ],
    ["two seeds", { durationS: 1, seed: 3, spatial: { mode: "dual_seed" }, joint: "equal-power" }],
    ["no loudness, no overlap", { durationS: 1, seed: 3, loudness: "none", overlapSamples: 0 }],
  ] as const)("%s", (_, body) => {
    const options = {
      ...body,
      ...("latent" in body && { latent: Float32Array.from(body.latent) }),
    } as unknown as GenerateOptions;

    test("the WAV file equals the library's, bit for bit", async () => {
      const app = await application();
      const response = await app.inject({ method: "POST", url, payload: body });
      const format = await library(async (model) => model.audioFormat(options));
      const expected = await wavOf(options);
      expect(response.rawPayload.equals(expected)).toBe(true);
      expect(response.headers).toMatchObject({
        "content-type": "audio/wav",
        "content-length": String(expected.length),
        "x-seed": String(body.seed),
        "x-sample-rate": String(format.sampleRate),
        "x-channels": String(format.channels),
        "content-disposition": `attachment; filename="Synthetic_Plucks_${body.seed}.wav"`,
      });
    });

    test("the samples equal the library's, bit for bit", async () => {
      const app = await application();
      const response = await app.inject({
        method: "POST",
        url: `${url}?format=float32`,
        payload: body,
      });
      const loudness = options.loudness ?? "running";
      const { audio } = await library((model) => model.generate({ ...options, loudness }));
      expect(floats(response.rawPayload)).toEqual(interleave(audio));
      expect(response.headers["x-frames"]).toBe(String(audio[0]?.length));
    });

    test("the finished sound equals the library's, bit for bit", async () => {
      const app = await application();
      const sound = (
        await app.inject({ method: "POST", url: `${url}?format=json`, payload: body })
      ).json();
      const expected = await library((model) => model.generate(options));
      const wav = await app.inject(`${sound.url}?bitDepth=32`);
      expect(floats(wav.rawPayload.subarray(58))).toEqual(interleave(expected.audio));
      expect(sound).toMatchObject({
        sampleRate: expected.sampleRate,
        channels: expected.channels,
        frames: expected.audio[0]?.length,
        durationS: expected.durationS,
        seed: body.seed,
        quality: JSON.parse(JSON.stringify(expected.quality)),
      });
      for (const [channel, peaks] of sound.peaks.entries()) {
        const samples = expected.audio[channel] as Float32Array;
        expect(peaks).toHaveLength(2000);
        expect(Math.min(...peaks)).toBe(samples.reduce((a, b) => Math.min(a, b)));
        expect(Math.max(...peaks)).toBe(samples.reduce((a, b) => Math.max(a, b)));
        const span = samples.subarray(
          Math.floor((500 * samples.length) / 1000),
          Math.floor((501 * samples.length) / 1000),
        );
        expect(peaks.slice(1000, 1002)).toEqual([Math.min(...span), Math.max(...span)]);
      }
      const png = await app.inject(sound.mel.url);
      expect(png.headers["content-type"]).toBe("image/png");
      expect(decode(png.rawPayload)).toMatchObject({ width: sound.mel.width, height: 128 });
    });
  });

  test.each([16, 24, 32] as const)("%i bits", async (bitDepth) => {
    const app = await application();
    const response = await app.inject({ method: "POST", url, payload: { seed: 1, bitDepth } });
    expect(response.rawPayload.equals(await wavOf({ seed: 1 }, bitDepth))).toBe(true);
  });

  test("loudness peak sends the finished sound with its length", async () => {
    const app = await application();
    const payload = { seed: 1, durationS: 2, loudness: "peak", bitDepth: 32 };
    const response = await app.inject({ method: "POST", url, payload });
    const { audio } = await library((model) => model.generate({ seed: 1, durationS: 2 }));
    expect(floats(response.rawPayload.subarray(58))).toEqual(interleave(audio));
    expect(response.headers["content-length"]).toBe(String(response.rawPayload.length));
    const raw = await app.inject({ method: "POST", url: `${url}?format=float32`, payload });
    expect(floats(raw.rawPayload)).toEqual(interleave(audio));
  });

  test("without a body, the sound has a second and a random seed", async () => {
    const app = await application();
    const response = await app.inject({ method: "POST", url });
    const seed = Number(response.headers["x-seed"]);
    expect(response.rawPayload.equals(await wavOf({ seed }))).toBe(true);
    const other = await app.inject({ method: "POST", url });
    expect(other.headers["x-seed"]).not.toBe(String(seed));
  });

  test.each([
    ["audio/wav", "audio/wav"],
    ["application/json", "application/json; charset=utf-8"],
    ["application/octet-stream", "application/octet-stream"],
    ["text/html, audio/*;q=0.5", "audio/wav"],
    ["*/*", "audio/wav"],
    ["audio/wav;q=0, application/json", "application/json; charset=utf-8"],
    ["audio/wav;q=0.1, application/json;q=0.9", "application/json; charset=utf-8"],
    ["audio/wav;q=0, */*;q=0.5", "application/json; charset=utf-8"],
    ["audio/*;q=0.2, application/*;q=0.3", "application/json; charset=utf-8"],
    ["*/*;q=0.1, application/octet-stream;q=0.2", "application/octet-stream"],
    ["Audio/X-WAV, application/json;q=0.5", "audio/wav"],
    ["audio/x-wav;q=0.4, application/json;q=0.5", "application/json; charset=utf-8"],
  ])("Accept: %s", async (accept, type) => {
    const app = await sharedApplication();
    const response = await app.inject({ method: "POST", url, headers: { accept } });
    expect(response.headers["content-type"]).toBe(type);
  });

  test("an Accept without an offered type is 406", async () => {
    const app = await sharedApplication();
    const { status } = await problemOf(app, {
      method: "POST",
      url,
      headers: { accept: "text/html" },
    });
    expect(status).toBe(406);
    for (const accept of ["", ";;;", "audio", "audio/wav;q=0", "*/*;q=0"]) {
      expect((await problemOf(app, { method: "POST", url, headers: { accept } })).status).toBe(406);
    }
  });

  test.each<[string, object]>([
    ["durationS", { durationS: 0 }],
    ["durationS", { durationS: 60.1 }],
    ["durationS", { durationS: "1" }],
    ["durationS", { durationS: null }],
    ["seed", { seed: -1 }],
    ["seed", { seed: 1.5 }],
    ["seed", { seed: 2 ** 53 }],
    ["concatMode", { concatMode: "loop" }],
    ["sliders", { sliders: [1] }],
    ["sliders", { sliders: [11, 0, 0, 0, 0, 0] }],
    ["sliders.1", { sliders: [0, 0.5, 0, 0, 0, 0] }],
    ["sliders", { sliders: "0,0,0,0,0,0" }],
    ["sliders", { sliders: SLIDERS, latent: [0, 0, 0, 0, 0, 0] }],
    ["sliders", { sliders: new Array(70_000).fill(0) }],
    ["latent", { latent: [] }],
    ["latent", { latent: [0, 0, 0, 0, 0, 1e300] }],
    ["latent.0", { latent: ["0", 0, 0, 0, 0, 0] }],
    ["stepsBetween", { stepsBetween: 0 }],
    ["stepsBetween", { stepsBetween: 1000, durationS: 60, concatMode: "latent_interpolation" }],
    ["overlapSamples", { overlapSamples: 24_001 }],
    ["joint", { joint: "glue" }],
    ["loudness", { loudness: "loud" }],
    ["spatial.mode", { spatial: {} }],
    ["spatial.mode", { spatial: { mode: "7.1" } }],
    ["spatial.width", { spatial: { mode: "stereo", width: 2 } }],
    ["sampleRate", { sampleRate: 8000 }],
    ["bitDepth", { bitDepth: 8 }],
    ["signal", { signal: {} }],
    ["__proto__x", { __proto__x: 1 }],
  ])("names the wrong option %s", async (option, payload) => {
    const app = await sharedApplication();
    for (const format of ["wav", "json"]) {
      const problem = await problemOf(app, {
        method: "POST",
        url: `${url}?format=${format}`,
        payload,
      });
      expect([problem.status, problem.code, problem.option]).toEqual([
        400,
        "ERR_SDA_ARGUMENT",
        option,
      ]);
    }
  });

  test.each([
    ["{", 400],
    ["[]", 400],
    ["1", 400],
    ["null", 400],
    ["", 400],
    ['{"__proto__":{"seed":1}}', 400],
    ['{"constructor":{"prototype":{"seed":1}}}', 400],
    [`{"latent":[${"[".repeat(100_000)}`, 400],
    [`{"latent":[${"0,".repeat(1_000_000)}0]}`, 413],
  ])("a body of %.30s is refused", async (payload, status) => {
    const app = await sharedApplication();
    const headers = { "content-type": "application/json" };
    expect((await problemOf(app, { method: "POST", url, headers, payload })).status).toBe(status);
  });

  test("a body of another type is 415", async () => {
    const app = await sharedApplication();
    for (const type of [
      "text/plain",
      "application/x-www-form-urlencoded",
      "multipart/form-data; boundary=x",
    ]) {
      const headers = { "content-type": type };
      const request = { method: "POST", url, headers, payload: "seed=1" } as const;
      expect((await problemOf(app, request)).status).toBe(415);
    }
  });

  test("a model without analysis has no sliders and generates sound", async () => {
    const modelsDir = modelsFolder({});
    await library((model) => saveModel(model, { modelsDir, analysis: null }), tiny);
    const app = await application({ modelsDir });
    const [{ modelId }] = (await app.inject("/api/models")).json().models;
    const asked = { method: "POST", url: `/api/models/${modelId}/generate` } as const;
    const problem = await problemOf(app, { ...asked, payload: { sliders: [0] } });
    expect(problem).toMatchObject({ status: 400, option: "sliders" });
    expect((await app.inject(`/api/models/${modelId}/sliders`)).json()).toEqual({
      modelId,
      half: 0,
      sliders: [],
    });
    expect((await app.inject(asked)).statusCode).toBe(200);
  });

  describe("finished sounds", () => {
    const make = async (app: Awaited<ReturnType<typeof application>>, payload: object) =>
      (await app.inject({ method: "POST", url: `${url}?format=json`, payload })).json();

    test("equal requests share a sound that is generated once", async () => {
      const app = await application();
      const made = async () =>
        Number(
          /^sda_generated_seconds_total (\S+)$/m.exec((await app.inject("/metrics")).body)?.[1],
        );
      const first = await make(app, { seed: 5, durationS: 1 });
      const seconds = await made();
      expect(seconds).toBeGreaterThan(0.5);
      const same = await make(app, {
        seed: 5,
        concatMode: "crossfade",
        sampleRate: 48000,
        spatial: { mode: "mono", width: 1 },
      });
      expect(same).toEqual(first);
      expect(await made()).toBe(seconds);
      for (const other of [
        { seed: 6 },
        { seed: 5, durationS: 2 },
        { seed: 5, loudness: "none" },
        { seed: 5, sliders: SLIDERS },
      ]) {
        expect((await make(app, other)).soundId).not.toBe(first.soundId);
      }
    });

    test("a changed file has other sounds", async () => {
      const modelsDir = modelsFolder();
      const app = await application({ modelsDir });
      const first = await make(app, { seed: 5 });
      await updateModel(PLUCKS_ID, modelsDir, { description: "changed" });
      expect((await make(app, { seed: 5 })).soundId).not.toBe(first.soundId);
    });

    test("support ranges, ETags and HEAD", async () => {
      const app = await application();
      const { url: sound } = await make(app, { seed: 5 });
      const all = (await app.inject(sound)).rawPayload;
      const part = await app.inject({ url: sound, headers: { range: "bytes=100-199" } });
      expect(part.statusCode).toBe(206);
      expect(part.rawPayload.equals(all.subarray(100, 200))).toBe(true);
      expect(part.headers["content-range"]).toBe(`bytes 100-199/${all.length}`);
      const none = await app.inject({ url: sound, headers: { range: `bytes=${all.length}-` } });
      expect(none.statusCode).toBe(416);
      const head = await app.inject({ method: "HEAD", url: sound });
      expect([head.headers["content-length"], head.body]).toEqual([String(all.length), ""]);
      const headers = { "if-none-match": String(head.headers["etag"]) };
      expect((await app.inject({ url: sound, headers })).statusCode).toBe(304);
      const other = await app.inject({ url: `${sound}?bitDepth=16`, headers });
      expect([other.statusCode, other.rawPayload.length < all.length]).toEqual([200, true]);
    });

    test("memory is bounded: the least recently used sound is removed", async () => {
      const app = await application({ limits: { maxSoundBytes: 600_000 } });
      const first = await make(app, { seed: 1 });
      await make(app, { seed: 2 });
      await make(app, { seed: 3 });
      await make(app, { seed: 4 });
      expect((await problemOf(app, { url: first.url })).status).toBe(404);
      const bytes = Number(
        /^sda_sound_bytes (\S+)$/m.exec((await app.inject("/metrics")).body)?.[1],
      );
      expect(bytes).toBeGreaterThan(100_000);
      expect(bytes).toBeLessThanOrEqual(600_000);
      expect((await make(app, { seed: 1 })).soundId).toBe(first.soundId);
    });

    test.each([
      "nothing",
      "..%2f..%2fetc%2fpasswd",
      "%2e%2e",
      "%00",
      "0".repeat(32),
      "0".repeat(99),
      "__proto__",
      `${"0".repeat(32)}:24`,
    ])("the sound id %s is 404", async (id) => {
      const app = await application();
      expect((await app.inject(`/api/sounds/${id}`)).statusCode).toBe(404);
      expect((await app.inject(`/api/sounds/${id}/mel.png`)).statusCode).toBe(404);
    });

    test("an invalid bit depth is 400", async () => {
      const app = await application();
      const { url: sound } = await make(app, { seed: 5 });
      for (const bitDepth of ["8", "x", "24.0", ""]) {
        const problem = await problemOf(app, { url: `${sound}?bitDepth=${bitDepth}` });
        expect([problem.status, problem.option]).toEqual([400, "bitDepth"]);
      }
    });
  });

  describe("progress", () => {
    test("goes only to the stream that the request names", async () => {
      const server = await running();
      const listen = async (clientId: string) => {
        const left = new AbortController();
        afterTest(() => left.abort());
        const response = await fetch(`${server.url}api/events?clientId=${clientId}`, {
          signal: left.signal,
        });
        const heard = { text: "" };
        void (async () => {
          for await (const part of response.body as unknown as AsyncIterable<Uint8Array>)
            heard.text += Buffer.from(part);
        })().catch(() => {});
        return heard;
      };
      const mine = await listen("mine");
      const other = await listen("other");
      await fetch(`${server.url}api/models/${PLUCKS_ID}/generate?format=json`, {
        method: "POST",
        headers: {
          "content-type": "application/json",
          "x-client-id": "mine",
          "x-request-id": "req-1",
        },
        body: JSON.stringify({ durationS: 3, seed: 1 }),
      });
      await until(() => mine.text.includes('"done":3,"total":3'));
      const told = [...mine.text.matchAll(/^event: progress\ndata: (.*)$/gm)].map(([, data]) =>
        JSON.parse(data as string),
      );
      expect(told.map(({ requestId, total }) => [requestId, total])).toEqual(
        told.map(() => ["req-1", 3]),
      );
      expect(told.map(({ done }) => done)).toEqual([...told.map(({ done }) => done)].sort());
      expect(other.text).not.toContain("progress");
    });
  });
});
