import {
  latentToSliders,
  ModelCache,
  resample,
  Tensor,
  wavBytes,
  wavStream,
} from "small-dataset-audio";
import { afterAll, describe, expect, test } from "vitest";
import { count } from "../../test/support/effort.js";
import { engineBuilt } from "../../test/support/native.js";
import { Problem } from "../src/problem.js";
import { readWav, WAV_LIMITS } from "../src/wav-reader.js";
import { randomOf } from "./bad-requests.js";
import {
  application,
  checkProblem,
  decoderOnly,
  modelsFolder,
  PLUCKS_ID,
  plucks,
  rawConnection,
  readAll,
  running,
  sharedApplication,
} from "./support.js";

const url = `/api/models/${PLUCKS_ID}/encode`;
type App = Awaited<ReturnType<typeof application>>;

async function wav(
  samples: Float32Array,
  sampleRate: number,
  channels = 1,
  bitDepth: 16 | 24 | 32 = 32,
) {
  const format = { sampleRate, channels, frames: samples.length / channels, bitDepth };
  async function* pieces() {
    yield samples;
  }
  const bytes = Buffer.alloc(wavBytes(format));
  let at = 0;
  for await (const part of wavStream(pieces(), format)) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

const tone = (samples: number, rate: number, hz = 440) =>
  Float32Array.from({ length: samples }, (_, i) => 0.5 * Math.sin((2 * Math.PI * hz * i) / rate));

const send = (app: App, payload: Buffer, type = "audio/wav") =>
  app.inject({ method: "POST", url, headers: { "content-type": type }, payload });

describe.skipIf(!engineBuilt)("POST /api/models/:id/encode", () => {
  const cache = new ModelCache({ device: "cpu" });
  afterAll(() => cache.disposeAsync());
  const encoded = (sound: Float32Array) =>
    cache.use(plucks, async (model) => {
      const waveform = new Tensor("float32", [1, 1, 48000], sound);
      const { mu, logvar } = await model.model.encode(
        await model.spectrogram.waveformToMel(waveform),
      );
      return {
        mu: Array.from(mu.data as Float32Array),
        logvar: Array.from(logvar.data as Float32Array),
      };
    });

  test("returns the library's latents for each second; silence fills the last one", async () => {
    const app = await application();
    const sound = tone(120_000, 48000);
    const response = await send(app, await wav(sound, 48000));
    expect(response.statusCode).toBe(200);
    const { sampleRate, chunks, mu, positions } = response.json();
    expect(sampleRate).toBe(48000);
    expect(chunks.map(({ startS }: { startS: number }) => startS)).toEqual([0, 1, 2]);
    const last = new Float32Array(48000);
    last.set(sound.subarray(96_000));
    for (const [i, chunk] of [
      sound.subarray(0, 48000),
      sound.subarray(48000, 96000),
      last,
    ].entries()) {
      expect(chunks[i]).toMatchObject(await encoded(chunk));
    }
    const mean = (d: number) => (chunks[0].mu[d] + chunks[1].mu[d] + chunks[2].mu[d]) / 3;
    for (const [d, value] of mu.entries()) expect(value).toBeCloseTo(mean(d), 6);
    await cache.use(plucks, async ({ analysis }) => {
      if (analysis === null) throw new Error("the model must have sliders");
      expect(positions).toEqual(latentToSliders(analysis, Float32Array.from(mu)));
      expect(chunks[1].positions).toEqual(
        latentToSliders(analysis, Float32Array.from(chunks[1].mu)),
      );
    });
  });

  test("mixes channels and resamples to the model's rate", async () => {
    const app = await application();
    const mono = tone(22_050, 22_050);
    const stereo = new Float32Array(44_100);
    for (let i = 0; i < mono.length; i++) {
      stereo[2 * i] = 1.5 * (mono[i] as number);
      stereo[2 * i + 1] = 0.5 * (mono[i] as number);
    }
    const expected = await encoded(await resample(mono, 22_050, 48_000));
    const { chunks } = (await send(app, await wav(stereo, 22_050, 2))).json();
    expect(chunks).toHaveLength(1);
    for (const [d, value] of expected.mu.entries()) expect(chunks[0].mu[d]).toBeCloseTo(value, 4);
  });

  test("returns positions in range for a generated sound", async () => {
    const app = await application();
    const made = await app.inject({
      method: "POST",
      url: `/api/models/${PLUCKS_ID}/generate?format=wav`,
      payload: { sliders: [8, -6, 0, 0, 0, 0], seed: 1, loudness: "none" },
    });
    const { positions } = (await send(app, made.rawPayload)).json();
    expect(positions).toHaveLength(6);
    for (const position of positions) expect(Math.abs(position)).toBeLessThanOrEqual(10);
  });

  test("a model without an encoder is 409", async () => {
    const modelsDir = modelsFolder({ decoderOnly });
    const app = await application({ modelsDir });
    const [model] = (await app.inject("/api/models")).json().models;
    const response = await app.inject({
      method: "POST",
      url: `/api/models/${model.modelId}/encode`,
      headers: { "content-type": "audio/wav" },
      payload: await wav(tone(8000, 8000), 8000),
    });
    checkProblem(409, response.headers["content-type"], response.body);
    expect((await app.inject(`/api/models/${model.modelId}`)).json().hasEncoder).toBe(false);
  });

  test("another type, or no type, is 415", async () => {
    const app = await sharedApplication();
    const bytes = await wav(tone(8000, 8000), 8000);
    for (const type of [
      "audio/mpeg",
      "application/json",
      "application/octet-stream",
      "text/plain",
    ]) {
      const response = await send(app, bytes, type);
      checkProblem(response.statusCode, response.headers["content-type"], response.body);
      expect(response.statusCode).toBe(type === "application/json" ? 400 : 415);
    }
    const none = await app.inject({ method: "POST", url });
    checkProblem(415, none.headers["content-type"], none.body);
    expect((await send(app, bytes, "audio/x-wav")).statusCode).toBe(200);
  });

  test("a too large file is 413, with and without Content-Length", async () => {
    const limits = { maxWavBytes: 10_000 };
    const app = await application({ limits });
    const bytes = await wav(tone(8000, 8000), 8000);
    expect((await send(app, bytes)).statusCode).toBe(413);
    const server = await running({ limits });
    const socket = await rawConnection(server.url);
    socket.write(
      `POST ${url} HTTP/1.1\r\nHost: localhost\r\nContent-Type: audio/wav\r\n` +
        "Transfer-Encoding: chunked\r\n\r\n",
    );
    socket.write(`4e20\r\n${"x".repeat(20_000)}\r\n`);
    expect(await readAll(socket)).toMatch(/^HTTP\/1\.1 413 /);
  });

  test.each<[string, () => Buffer | Promise<Buffer>, number]>([
    ["nothing", () => Buffer.alloc(0), 415],
    ["HTML", () => Buffer.from("<!doctype html>"), 415],
    ["zeros", () => Buffer.alloc(100_000), 415],
    ["only the RIFF header", () => Buffer.from("RIFF\xff\xff\xff\xffWAVE", "latin1"), 400],
    ["no samples", async () => (await wav(tone(8000, 8000), 8000)).subarray(0, 58), 400],
    ["61 seconds", () => wav(new Float32Array(61 * 8000), 8000), 400],
  ])("%s is refused", async (_, bytes, status) => {
    const app = await sharedApplication();
    const response = await send(app, await bytes());
    checkProblem(response.statusCode, response.headers["content-type"], response.body);
    expect(response.statusCode).toBe(status);
  });
});

describe("the WAV reader", () => {
  interface Head {
    format?: number;
    channels?: number;
    rate?: number;
    bits?: number;
    data?: Buffer;
    dataSize?: number;
    before?: Buffer;
    after?: Buffer;
    extension?: Buffer;
    kind?: string;
    blockBytes?: number;
  }
  function build({
    format = 1,
    channels = 1,
    rate = 8000,
    bits = 16,
    data = Buffer.alloc(16),
    dataSize = data.length,
    before = Buffer.alloc(0),
    after = Buffer.alloc(0),
    extension = Buffer.alloc(0),
    kind = "RIFF",
    blockBytes = 0,
  }: Head = {}): Buffer {
    const fmt = Buffer.alloc(24);
    fmt.write("fmt ", 0, "latin1");
    fmt.writeUInt32LE(16 + extension.length, 4);
    fmt.writeUInt16LE(format, 8);
    fmt.writeUInt16LE(channels, 10);
    fmt.writeUInt32LE(rate, 12);
    fmt.writeUInt16LE(blockBytes, 20);
    fmt.writeUInt16LE(bits, 22);
    const head = Buffer.alloc(8);
    head.write("data", 0, "latin1");
    head.writeUInt32LE(dataSize, 4);
    return Buffer.concat([
      Buffer.from(`${kind}\0\0\0\0WAVE`, "latin1"),
      before,
      fmt,
      extension,
      head,
      data,
      after,
    ]);
  }
  const samples = async (head: Head) => Array.from((await readWav(build(head))).samples);

  test("reads every sample format", async () => {
    expect(await samples({ bits: 8, data: Buffer.from([0, 64, 128, 192]) })).toEqual([
      -1, -0.5, 0, 0.5,
    ]);
    expect(
      await samples({ bits: 16, data: Buffer.from([0, 0x80, 0, 0xc0, 0, 0, 0, 0x40]) }),
    ).toEqual([-1, -0.5, 0, 0.5]);
    expect(await samples({ bits: 24, data: Buffer.from([0, 0, 0x80, 0, 0, 0x40]) })).toEqual([
      -1, 0.5,
    ]);
    expect(await samples({ bits: 32, data: Buffer.from([0, 0, 0, 0x80, 0, 0, 0, 0x40]) })).toEqual([
      -1, 0.5,
    ]);
    const floats = Buffer.from(new Float32Array([0.25, -1.5]).buffer);
    expect(await samples({ format: 3, bits: 32, data: floats })).toEqual([0.25, -1.5]);
    const doubles = Buffer.from(new Float64Array([0.25, -1.5]).buffer);
    expect(await samples({ format: 3, bits: 64, data: doubles })).toEqual([0.25, -1.5]);
    expect(
      await samples({
        bits: 16,
        channels: 2,
        data: Buffer.from([0, 0x40, 0, 0xc0, 0, 0x40, 0, 0x40]),
      }),
    ).toEqual([0, 0.5]);
    const guid = Buffer.alloc(24);
    guid.writeUInt16LE(22, 0);
    guid.writeUInt16LE(3, 8);
    expect(await samples({ format: 0xfffe, bits: 32, data: floats, extension: guid })).toEqual([
      0.25, -1.5,
    ]);
  });

  test("a streamed or truncated file is read to its end", async () => {
    const data = Buffer.from([0, 0x40, 0, 0xc0, 7]);
    expect(await samples({ data, dataSize: 0xffff_ffff })).toEqual([0.5, -0.5]);
    expect(await samples({ data, dataSize: 1000 })).toEqual([0.5, -0.5]);
  });

  const list = Buffer.from("LIST\x04\0\0\0abcd", "latin1");

  test("a data chunk of size 0 ends with the file, unless chunks follow", async () => {
    const data = Buffer.from([0, 0x40, 0, 0xc0, 0, 0, 0, 0, 0, 0x40]);
    expect(await samples({ data, dataSize: 0 })).toEqual([0.5, -0.5, 0, 0, 0.5]);
    const empty = build({ data: Buffer.alloc(0), after: list });
    await expect(readWav(empty)).rejects.toMatchObject({ status: 400 });
  });

  test("RF64 states the size of its samples in ds64", async () => {
    const data = Buffer.from([0, 0x40, 0, 0xc0]);
    const ds64 = Buffer.alloc(36);
    ds64.write("ds64");
    ds64.writeUInt32LE(28, 4);
    const rf64 = { kind: "RF64", data, before: ds64, after: list };
    ds64.writeBigUInt64LE(4n, 16);
    expect(await samples({ ...rf64, dataSize: 0xffff_ffff })).toEqual([0.5, -0.5]);
    expect(await samples({ ...rf64, dataSize: 4 })).toEqual([0.5, -0.5]);
    ds64.writeBigUInt64LE(2n ** 63n, 16);
    expect(await samples({ ...rf64, after: list.subarray(0, 0), dataSize: 0xffff_ffff })).toEqual([
      0.5, -0.5,
    ]);
  });

  test("random bytes are read or refused", async () => {
    const random = randomOf(7);
    const whole = build({ data: Buffer.alloc(200, 0x40), after: list });
    for (let n = 0; n < count({ quick: 2000, full: 200_000 }); n++) {
      const bytes = Buffer.from(whole.subarray(0, 12 + Math.floor(random() * whole.length)));
      for (let flips = 1 + Math.floor(random() * 6); flips > 0; flips--) {
        const values = [0, 1, 3, 8, 24, 32, 0xfe, 0xff, Math.floor(random() * 256)];
        bytes[Math.floor(random() * bytes.length)] = values[Math.floor(random() * 9)] as number;
      }
      try {
        const { samples: read, sampleRate } = await readWav(bytes);
        expect(read.length).toBeLessThanOrEqual(bytes.length);
        expect(read.every(Number.isFinite)).toBe(true);
        expect(sampleRate).toBeGreaterThanOrEqual(8000);
      } catch (error) {
        expect(error).toBeInstanceOf(Problem);
      }
    }
  }, 600_000);

  const chunk = (size: number, count = 1) => {
    const one = Buffer.alloc(8 + Math.min(size, 1000));
    one.write("junk", 0, "latin1");
    one.writeUInt32LE(size, 4);
    return Buffer.concat(new Array(count).fill(one));
  };
  test.each<[string, Head, number]>([
    ["no channels", { channels: 0 }, 400],
    ["too many channels", { channels: 33 }, 400],
    ["65,535 channels", { channels: 65_535, data: Buffer.alloc(200_000) }, 400],
    ["a rate of 0", { rate: 0 }, 400],
    ["a rate of 1 GHz", { rate: 1e9 }, 400],
    ["24 bits in blocks of 4 bytes", { bits: 24, blockBytes: 4, data: Buffer.alloc(24) }, 400],
    ["two channels in blocks of one", { channels: 2, blockBytes: 2 }, 400],
    ["no bits", { bits: 0 }, 415],
    ["12 bits", { bits: 12 }, 415],
    ["64-bit integers", { bits: 64 }, 415],
    ["16-bit floats", { format: 3, bits: 16 }, 415],
    ["MP3 inside", { format: 0x55 }, 415],
    ["ADPCM", { format: 0x11, bits: 4 }, 415],
    ["less than a frame", { data: Buffer.alloc(1) }, 400],
    ["a chunk without an end", { before: chunk(0xffff_fff0) }, 400],
    ["a million chunks", { before: chunk(0, 1_000_000) }, 400],
    [
      "not a number",
      { format: 3, bits: 32, data: Buffer.from(new Float32Array([Number.NaN]).buffer) },
      400,
    ],
    [
      "infinity",
      { format: 3, bits: 32, data: Buffer.from(new Float32Array([Infinity]).buffer) },
      400,
    ],
    [
      "beyond a float32",
      { format: 3, bits: 64, data: Buffer.from(new Float64Array([1e300]).buffer) },
      400,
    ],
  ])("%s is refused", async (_, head, status) => {
    await expect(readWav(build(head))).rejects.toThrow(expect.objectContaining({ status }));
  });

  test("a file cut at any byte is read or refused", async () => {
    const bytes = build({ data: Buffer.alloc(64, 0x40) });
    for (let length = 0; length < bytes.length; length++) {
      try {
        const { samples } = await readWav(bytes.subarray(0, length));
        expect(samples.length).toBeLessThanOrEqual(32);
      } catch (error) {
        expect([400, 415]).toContain((error as { status?: number }).status);
      }
    }
  });

  test("the limits are those in the README", () => {
    expect(WAV_LIMITS).toEqual({
      maxSeconds: 60,
      maxChannels: 32,
      minSampleRate: 8000,
      maxSampleRate: 192_000,
    });
  });
});
