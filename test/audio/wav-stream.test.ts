import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it, vi } from "vitest";
import { writeWav } from "../../lib/audio/wav.js";
import { type WavFormat, wavByteLength, wavBytes, wavStream } from "../../lib/audio/wav-stream.js";
import { gather } from "../support/bytes.js";
import { sdaError } from "../support/errors.js";
import { temporaryFolder } from "../support/folder.js";

const sampleRate = 44100;
/** Longer than one block of the encoder, partly above full scale, with an odd length. */
const sound = Float32Array.from({ length: 70_001 }, (_, i) => Math.sin(i * i) * 1.2);

/** A source of pieces that records what its reader does. */
function source(pieces: Float32Array[], failure?: Error) {
  const seen = { given: 0, left: false };
  async function* give() {
    try {
      for (const piece of pieces) {
        seen.given++;
        yield piece;
      }
      if (failure) throw failure;
    } finally {
      seen.left = true;
    }
  }
  return { pieces: give(), seen };
}

function inPieces(samples: Float32Array, length: number): Float32Array[] {
  const pieces: Float32Array[] = [];
  for (let at = 0; at < samples.length; at += length)
    pieces.push(samples.subarray(at, at + length));
  return pieces;
}

const stream = (pieces: Float32Array[], format: WavFormat) =>
  gather(wavStream(source(pieces).pieces, format));

describe.each([16, 24, 32] as const)("%d bits", (bitDepth) => {
  it.each([
    ["mono", [sound]],
    ["mono, of an even length", [sound.subarray(1)]],
    ["stereo", [sound, sound.map((x) => -x / 2)]],
    ["of three channels, very short", [sound, sound, sound].map((c) => c.subarray(0, 1))],
    ["mono, silent for no time", [new Float32Array(0)]],
  ])("%s: the bytes of writeWav", async (_, audio) => {
    const path = join(temporaryFolder(), "a.wav");
    await writeWav(path, { audio, sampleRate }, { bitDepth });
    const file = readFileSync(path);

    const channels = audio.length;
    const frames = audio[0]?.length ?? 0;
    const samples = new Float32Array(frames * channels).map(
      (_, i) => audio[i % channels]?.[Math.floor(i / channels)] as number,
    );
    const format = { sampleRate, channels, frames, bitDepth };
    expect(wavByteLength(format)).toBe(file.length);
    expect(wavBytes(format)).toBe(file.length);
    expect(wavStream(source([]).pieces, format).byteLength).toBe(file.length);
    for (const length of [1000 * channels, samples.length + 1]) {
      const bytes = await stream(inPieces(samples, length), format);
      expect(bytes.equals(file), `pieces of ${length}`).toBe(true);
    }
  });

  it("the same without a length, except for sizes and pad byte", async () => {
    const known = await stream([sound], { sampleRate, channels: 1, frames: 70_001, bitDepth });
    const bytes = await stream([sound], { sampleRate, channels: 1, bitDepth });
    const unknown = wavStream(source([]).pieces, { sampleRate, channels: 1, bitDepth });
    expect(unknown.byteLength).toBeUndefined();
    const dataAt = bitDepth === 32 ? 54 : 40;
    const sizes = bitDepth === 32 ? [4, 46, dataAt] : [4, dataAt];
    for (const at of sizes) {
      expect(bytes.readUInt32LE(at)).toBe(0xffff_ffff);
      known.copy(bytes, at, at, at + 4);
    }
    expect(bytes.length).toBe(dataAt + 4 + (70_001 * bitDepth) / 8);
    expect(bytes.equals(known.subarray(0, bytes.length))).toBe(true);
  });
});

describe("the reader", () => {
  const format = { sampleRate, channels: 1, frames: 70_001 };

  it("gets 24 bits by default", async () => {
    expect((await stream([sound], format)).readUInt16LE(34)).toBe(24);
    expect(wavBytes(format)).toBe(44 + 70_001 * 3 + 1);
  });

  it("is encoded in step with its pieces", async () => {
    const { pieces, seen } = source(inPieces(sound, 1000));
    const bytes = wavStream(pieces, format);
    await Promise.resolve();
    expect(seen.given).toBe(0);
    expect((await bytes.next()).value).toHaveLength(44);
    expect(seen.given).toBe(1);
    expect((await bytes.next()).value).toHaveLength(3000);
    expect(seen.given).toBe(1);
    expect((await bytes.next()).value).toHaveLength(3000);
    expect(seen).toEqual({ given: 2, left: false });
  });

  it("leaves the source when it leaves", async () => {
    const { pieces, seen } = source(inPieces(sound, 1000));
    for await (const bytes of wavStream(pieces, format)) {
      expect(seen.left).toBe(false);
      if (bytes.length === 3000) break;
    }
    expect(seen).toEqual({ given: 1, left: true });
  });

  it.each(["return", "throw"] as const)("leaves a source unread, by %s", async (leave) => {
    const { pieces, seen } = source([sound]);
    const unread = vi.spyOn(pieces, "return");
    const bytes = wavStream(pieces, format);
    const failure = new Error("mine");
    if (leave === "return") await bytes.return();
    else await expect(bytes.throw(failure)).rejects.toBe(failure);
    expect(unread).toHaveBeenCalledTimes(1);
    expect(await pieces.next()).toEqual({ done: true, value: undefined });
    expect((await bytes.next()).done).toBe(true);
    await bytes.return();
    expect(unread).toHaveBeenCalledTimes(1);
    expect(seen.given).toBe(0);
  });

  it("leaves the source at the end of an `await using` block", async () => {
    const { pieces, seen } = source([sound, sound]);
    {
      await using bytes = wavStream(pieces, { sampleRate, channels: 1 });
      await bytes.next();
    }
    expect(seen).toEqual({ given: 1, left: true });
  });

  it("works as a web stream, which reads no faster and leaves the source when cancelled", async () => {
    const whole = wavStream(source(inPieces(sound, 1000)).pieces, format).toReadableStream();
    expect((await gather(whole)).equals(await stream([sound], format))).toBe(true);
    const { pieces, seen } = source(inPieces(sound, 1000));
    const reader = wavStream(pieces, format).toReadableStream().getReader();
    expect((await reader.read()).value).toHaveLength(44);
    expect((await reader.read()).value).toHaveLength(3000);
    await new Promise((done) => setImmediate(done));
    expect(seen).toEqual({ given: 1, left: false });
    await reader.cancel();
    expect(seen).toEqual({ given: 1, left: true });
  });

  it("also leaves the source while a long piece is encoded", async () => {
    const { pieces, seen } = source([sound, sound]);
    const bytes = wavStream(pieces, { sampleRate, channels: 2 });
    await bytes.next();
    await bytes.next();
    await bytes.return?.();
    expect(seen).toEqual({ given: 1, left: true });
    expect((await bytes.next()).done).toBe(true);
  });

  it("gets the source's error, after what came before it", async () => {
    const reason = new Error("no more");
    const { pieces } = source([sound.subarray(0, 10)], reason);
    const bytes = wavStream(pieces, format);
    expect((await bytes.next()).value).toHaveLength(44);
    expect((await bytes.next()).value).toHaveLength(30);
    await expect(bytes.next()).rejects.toBe(reason);
  });

  it("gets an error of the source's start before any byte", async () => {
    const reason = new Error("too many");
    const bytes = wavStream(source([], reason).pieces, format);
    await expect(bytes.next()).rejects.toBe(reason);
  });

  it("lets the event loop turn while a long piece is encoded", async () => {
    let turns = 0;
    let reading = true;
    const count = () => {
      turns++;
      if (reading) setImmediate(count);
    };
    setImmediate(count);
    const frames = 2_000_000;
    await stream([new Float32Array(frames)], { sampleRate, channels: 1, frames });
    reading = false;
    expect(turns).toBeGreaterThan(20);
  });
});

describe("pieces", () => {
  const poisoned = (value: number) => sound.slice().fill(value, 69_999, 70_000);

  it.each([
    ["NaN", [sound, poisoned(Number.NaN)], "finite at sample 140000, got NaN"],
    ["infinity", [poisoned(Number.NEGATIVE_INFINITY)], "finite at sample 69999, got -Infinity"],
    ["too many samples", [sound, sound, sound], "140002 frames in all, got 210003"],
    ["too few samples", [sound], "140002 frames in all, got 70001"],
    ["none", [], "140002 frames in all, got 0"],
    ["plain arrays", [[0, 0]], "Float32Arrays, got an array of 2"],
    ["bytes", [Buffer.alloc(4)], "Float32Arrays, got a Buffer"],
  ])("with %s are refused", async (_, given, message) => {
    const format = { sampleRate, channels: 1, frames: 140_002 };
    const { pieces, seen } = source(given as Float32Array[]);
    const error = await sdaError(() => gather(wavStream(pieces, format)));
    expect(error.code).toBe("ERR_SDA_ARGUMENT");
    expect(error.details?.["option"]).toBe("pieces");
    expect(error.message).toContain(message);
    expect(seen.left).toBe(true);
  });

  it("may split a frame, but must end with a complete one", async () => {
    const format = { sampleRate, channels: 2, bitDepth: 16 } as const;
    const bytes = await stream([sound.subarray(0, 3), sound.subarray(3, 4)], format);
    expect(bytes).toHaveLength(44 + 8);
    const error = await sdaError(() => stream([sound.subarray(0, 3)], format));
    expect(error.message).toContain("whole frames, got 1.5");
  });
});

describe("pieces with a format of their own", () => {
  const format = { sampleRate, channels: 1, frames: 70_001 };
  const withFormat = () => Object.assign(source([sound]).pieces, { format });
  /** What the overload for a `SoundStream` takes; only `format` matters here. */
  const bytesOf = (options?: object) => gather(wavStream(withFormat() as never, options as never));

  it("need no other, only options", async () => {
    expect((await bytesOf()).equals(await stream([sound], format))).toBe(true);
    expect((await bytesOf({ bitDepth: 16 })).readUInt16LE(34)).toBe(16);
  });

  it("may be given another", async () => {
    const bytes = await bytesOf({ ...format, sampleRate: 8000, frames: undefined });
    expect(bytes.readUInt32LE(24)).toBe(8000);
    expect(bytes.readUInt32LE(4)).toBe(0xffff_ffff);
  });

  it("refuse an unknown option", async () => {
    const error = await sdaError(() => wavStream(withFormat() as never, { bitdepth: 16 } as never));
    expect(error).toMatchObject({ code: "ERR_SDA_ARGUMENT", details: { option: "bitdepth" } });
    expect(error.details?.["nearest"]).toBe("bitDepth");
  });

  it.each([null, 5, "format"])("refuse %s as options", async (options) => {
    const error = await sdaError(() => wavStream(withFormat(), options as never));
    expect(error.details?.["option"]).toBe("format");
  });
});

describe("needs, at once,", () => {
  const good = { sampleRate, channels: 2, frames: 10 };

  it.each([
    ["sampleRate", { ...good, sampleRate: 0 }],
    ["sampleRate", { channels: 1 }],
    ["sampleRate", { ...good, sampleRate: 2 ** 32 }],
    ["channels", { ...good, channels: 0 }],
    ["channels", { ...good, channels: 1.5 }],
    ["frames", { ...good, frames: -1 }],
    ["frames", { ...good, frames: Number.NaN }],
    ["bitDepth", { ...good, bitDepth: 8 }],
    ["format", null],
    ["format", { ...good, frames: 2 ** 32 }],
    ["format", { ...good, channels: 40_000 }],
    ["format", { ...good, sampleRate: 2 ** 31 }],
  ])("a good %s (%o)", async (option, format) => {
    for (const call of [
      () => wavByteLength(format as never),
      () => wavStream(source([]).pieces, format as never),
    ]) {
      const error = await sdaError(call);
      expect(error.code).toBe("ERR_SDA_ARGUMENT");
      expect(error.details?.["option"]).toBe(option);
    }
  });

  it("pieces that come asynchronously", async () => {
    for (const pieces of [[sound], null, undefined]) {
      const error = await sdaError(() => wavStream(pieces as never, good));
      expect(error.details?.["option"]).toBe("pieces");
    }
  });

  it("a length, to know the file's", async () => {
    const error = await sdaError(() => wavByteLength({ sampleRate, channels: 1 } as never));
    expect(error.details?.["option"]).toBe("frames");
  });
});
