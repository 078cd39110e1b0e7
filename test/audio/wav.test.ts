import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { describe, expect, it } from "vitest";
import { toWav, writeWav } from "../../lib/audio/wav.js";
import type { BitDepth } from "../../lib/audio/wav-format.js";
import { sdaError } from "../support/errors.js";
import { temporaryFolder } from "../support/folder.js";

interface Chunk {
  id: string;
  body: Buffer;
}

/** The chunks of a RIFF file. Fails if their sizes do not add up. */
function readRiff(bytes: Buffer): Chunk[] {
  expect(bytes.toString("latin1", 0, 4)).toBe("RIFF");
  expect(bytes.readUInt32LE(4)).toBe(bytes.length - 8);
  expect(bytes.toString("latin1", 8, 12)).toBe("WAVE");
  const chunks: Chunk[] = [];
  let at = 12;
  while (at < bytes.length) {
    const size = bytes.readUInt32LE(at + 4);
    chunks.push({
      id: bytes.toString("latin1", at, at + 4),
      body: bytes.subarray(at + 8, at + 8 + size),
    });
    at += 8 + size + (size % 2);
  }
  expect(at).toBe(bytes.length);
  return chunks;
}

/** The chunks of a file that `writeWav` has written. `toWav` must give the same bytes. */
async function write(audio: number[][], bitDepth?: BitDepth) {
  const path = join(temporaryFolder(), "a.wav");
  const result = { audio: audio.map((c) => Float32Array.from(c)), sampleRate: 44100 };
  const options = bitDepth === undefined ? {} : { bitDepth };
  await writeWav(path, result, options);
  const file = readFileSync(path);
  expect(file.equals(toWav(result, options))).toBe(true);
  const chunks = readRiff(file);
  const body = (id: string) => chunks.find((chunk) => chunk.id === id)?.body as Buffer;
  return { fmt: body("fmt "), data: body("data"), fact: body("fact") };
}

const levels = [0, 0.5, -0.5, 1, -1, 1.5, -1.5];

describe("samples", () => {
  it("as 16 bits", async () => {
    const { data } = await write([levels], 16);
    const read = levels.map((_, i) => data.readInt16LE(2 * i));
    expect(read).toEqual([0, 16384, -16384, 32767, -32768, 32767, -32768]);
  });

  it("as 24 bits, the default, with a pad byte after an odd length", async () => {
    const { fmt, data } = await write([levels]);
    expect(fmt.readUInt16LE(14)).toBe(24);
    const read = levels.map((_, i) => data.readIntLE(3 * i, 3));
    expect(read).toEqual([0, 4194304, -4194304, 8388607, -8388608, 8388607, -8388608]);
  });

  it("as 32-bit floats, unchanged", async () => {
    const { data } = await write([levels], 32);
    expect(levels.map((_, i) => data.readFloatLE(4 * i))).toEqual(levels);
  });

  it("rounded to the nearest step", async () => {
    const { data } = await write([[0.4, 0.6, -0.4, -0.6].map((x) => x / 32768)], 16);
    expect([0, 1, 2, 3].map((i) => data.readInt16LE(2 * i))).toEqual([0, 1, 0, -1]);
  });

  it("of two channels, interleaved", async () => {
    const { data } = await write(
      [
        [0.25, 0.5],
        [-0.25, -0.5],
      ],
      16,
    );
    expect([0, 1, 2, 3].map((i) => data.readInt16LE(2 * i))).toEqual([8192, -8192, 16384, -16384]);
  });

  it("across slices", async () => {
    const length = 150_001;
    const ramp = Array.from({ length }, (_, i) => (i % 1000) / 1000);
    const { data } = await write([ramp], 32);
    const read = new Float32Array(length).map((_, i) => data.readFloatLE(4 * i));
    expect(read).toEqual(Float32Array.from(ramp));
  });

  it("none at all", async () => {
    expect((await write([[]], 16)).data).toHaveLength(0);
  });
});

describe("header", () => {
  it.each([16, 24, 32] as const)("of %d bits, two channels", async (bits) => {
    const { fmt, fact } = await write([levels, levels], bits);
    const frameBytes = (2 * bits) / 8;
    expect(fmt.readUInt16LE(0)).toBe(bits === 32 ? 3 : 1);
    expect(fmt.readUInt16LE(2)).toBe(2);
    expect(fmt.readUInt32LE(4)).toBe(44100);
    expect(fmt.readUInt32LE(8)).toBe(44100 * frameBytes);
    expect(fmt.readUInt16LE(12)).toBe(frameBytes);
    expect(fmt.readUInt16LE(14)).toBe(bits);
    expect(fmt).toHaveLength(bits === 32 ? 18 : 16);
    expect(fact?.readUInt32LE(0)).toBe(bits === 32 ? levels.length : undefined);
  });
});

describe("the file", () => {
  const sound = { audio: [new Float32Array(10)], sampleRate: 48000 };

  it("may be named by a URL, and replaces an older one", async () => {
    const path = join(temporaryFolder(), "a.wav");
    writeFileSync(path, "old");
    await writeWav(pathToFileURL(path), sound);
    expect(readFileSync(path).toString("latin1", 0, 4)).toBe("RIFF");
  });

  it("is unchanged, and leaves no other file, if a sample is not finite", async () => {
    const folder = temporaryFolder();
    const path = join(folder, "a.wav");
    writeFileSync(path, "old");
    // After the first slice, so a part of the file is already written
    const audio = [new Float32Array(200_000)];
    (audio[0] as Float32Array)[199_999] = Number.NaN;
    const error = await sdaError(() => writeWav(path, { audio, sampleRate: 48000 }));
    expect(error.code).toBe("ERR_SDA_ARGUMENT");
    expect(error.details?.["option"]).toBe("audio");
    expect(readFileSync(path, "utf8")).toBe("old");
    expect(readdirSync(folder)).toEqual(["a.wav"]);
  });

  it("does not appear when writing is aborted", async () => {
    const folder = temporaryFolder();
    const controller = new AbortController();
    const long = { audio: [new Float32Array(3_000_000)], sampleRate: 48000 };
    const writing = writeWav(join(folder, "a.wav"), long, { signal: controller.signal });
    const reason = new Error("enough");
    setTimeout(() => controller.abort(reason), 2);
    await expect(writing).rejects.toBe(reason);
    expect(readdirSync(folder)).toEqual([]);
  });

  it("is refused in a folder that does not exist", async () => {
    const path = join(temporaryFolder(), "none", "a.wav");
    const error = await sdaError(() => writeWav(path, sound));
    expect(error.code).toBe("ERR_SDA_NOT_FOUND");
    expect(error.details?.["path"]).toBe(path);
  });

  it("is refused where a folder has its name", async () => {
    const folder = temporaryFolder();
    mkdirSync(join(folder, "a.wav"));
    const error = await sdaError(() => writeWav(join(folder, "a.wav"), sound));
    expect(error.code).toBe("ERR_SDA_IO");
    expect(readdirSync(folder)).toEqual(["a.wav"]);
  });

  it.each([
    ["bitDepth", { bitDepth: 8 }, sound],
    ["bitDepth", { bitDepth: "24" }, sound],
    ["signal", { signal: true }, sound],
    ["bitdepth", { bitdepth: 16 }, sound],
    ["audio", {}, { audio: [], sampleRate: 48000 }],
    ["audio", {}, { audio: [[0]], sampleRate: 48000 }],
    ["audio", {}, { audio: [new Float32Array(1), new Float32Array(2)], sampleRate: 48000 }],
    ["audio", {}, null],
    ["sampleRate", {}, { ...sound, sampleRate: 0 }],
    ["sampleRate", {}, { ...sound, sampleRate: Number.NaN }],
  ])("needs a good %s (%o)", async (option, options, result) => {
    const path = join(temporaryFolder(), "a.wav");
    const error = await sdaError(() => writeWav(path, result as never, options as never));
    expect(error.code).toBe("ERR_SDA_ARGUMENT");
    expect(error.details?.["option"]).toBe(option);
    const inMemory = await sdaError(() => toWav(result as never, options as never));
    // `toWav` refuses each `signal` as an unknown option.
    expect(inMemory.details?.["option"]).toBe(option);
  });

  it.each([
    ["4 GiB", 16_000, 70_000],
    ["frames of 64 KiB", 17_000, 1],
  ])("is not made of more than %s", async (_, channels, length) => {
    const folder = temporaryFolder();
    const audio = new Array<Float32Array>(channels).fill(new Float32Array(length));
    const path = join(folder, "a.wav");
    const error = await sdaError(() =>
      writeWav(path, { audio, sampleRate: 100 }, { bitDepth: 32 }),
    );
    expect(error.code).toBe("ERR_SDA_ARGUMENT");
    expect(error.message).toContain("too much for a WAV file");
    expect(readdirSync(folder)).toEqual([]);
  });

  it.each(["", "a\0b", 5, new URL("https://example.org/a.wav")])(
    "needs a path, not %s",
    async (path) => {
      const error = await sdaError(() => writeWav(path as string, sound));
      expect(error.code).toBe("ERR_SDA_ARGUMENT");
      expect(error.details?.["option"]).toBe("path");
    },
  );
});

it("sixty seconds in stereo leave the event loop free", async () => {
  const audio = [new Float32Array(60 * 48000), new Float32Array(60 * 48000)];
  let turns = 0;
  let writing = true;
  const count = () => {
    turns++;
    if (writing) setImmediate(count);
  };
  setImmediate(count);
  await writeWav(join(temporaryFolder(), "a.wav"), { audio, sampleRate: 48000 });
  writing = false;
  // Between two turns, about a millisecond is spent on encoding. All at once it takes 100 ms.
  expect(turns).toBeGreaterThan(80);
});
