import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { encodeSound, soundFileStream, toWav } from "../../../lib/index.js";
import { gather } from "../../support/bytes.js";
import { decodeFlac } from "../../support/flac-decoder.js";
import { temporaryFolder } from "../../support/folder.js";
import { KINDS, madeSound } from "../../support/made-sounds.js";
import { interleave } from "../../support/sound.js";
import { isThere, tool } from "../../support/tools.js";

const sampleRate = 48000;
const hasFlac = isThere("flac");

/** The integers that a WAV of this bit depth has. */
function levels(audio: Float32Array[], bitDepth: 16 | 24): number[][] {
  const pcm = Buffer.from(toWav({ audio, sampleRate }, { bitDepth })).subarray(44);
  const size = bitDepth / 8;
  return audio.map((channel, c) =>
    Array.from(channel, (_, i) => pcm.readIntLE((i * audio.length + c) * size, size)),
  );
}

async function encode(audio: Float32Array[], bitDepth: 16 | 24): Promise<Buffer> {
  return Buffer.from(await encodeSound({ audio, sampleRate }, { format: "flac", bitDepth }));
}

describe.each([16, 24] as const)("%d bits", (bitDepth) => {
  describe.each(KINDS)("%s", (kind) => {
    it.each([
      [1, 9000],
      [2, 9000],
      [3, 5000],
      [2, 4096],
      [2, 4097],
      [1, 1],
      [2, 5],
      [1, 17],
    ])("%d channels of %d samples are those of a WAV", async (channels, frames) => {
      const audio = madeSound(kind, frames, channels);
      const decoded = decodeFlac(await encode(audio, bitDepth));
      expect(decoded).toMatchObject({ sampleRate, bps: bitDepth, total: frames, md5Fits: true });
      expect(decoded.audio).toEqual(levels(audio, bitDepth));
    });
  });

  it("is smaller than PCM, and hardly larger for noise", async () => {
    const ratio = async (kind: "pluck" | "noise" | "silence") => {
      const audio = madeSound(kind, 48000);
      return (await encode(audio, bitDepth)).length / ((48000 * bitDepth) / 8);
    };
    expect(await ratio("pluck")).toBeLessThan(0.65);
    expect(await ratio("noise")).toBeLessThan(1.01);
    expect(await ratio("silence")).toBeLessThan(0.01);
  });

  it.skipIf(!hasFlac).each(KINDS)("flac decodes %s", async (kind) => {
    const audio = madeSound(kind, 20_000, 2);
    const path = join(temporaryFolder(), "a.flac");
    writeFileSync(path, await encode(audio, bitDepth));
    tool("flac", "--test", "--silent", "--warnings-as-errors", path);
    const raw = ["--force-raw-format", "--endian=little", "--sign=signed"];
    const pcm = tool("flac", "--decode", "--silent", "--stdout", ...raw, path);
    const wav = toWav({ audio, sampleRate }, { bitDepth });
    expect(pcm.equals(Buffer.from(wav).subarray(44))).toBe(true);
  });
});

it("numbers more than 128 and 2048 blocks", async () => {
  const audio = madeSound("silence", 4096 * 2100 + 1);
  audio[0]?.fill(1, 4096 * 2100);
  const { audio: decoded } = decodeFlac(await encode(audio, 16));
  expect(decoded[0]?.length).toBe(audio[0]?.length);
  expect(decoded[0]?.at(-1)).toBe(32767);
}, 60_000);

it.each([8000, 44100, 96000, 12345])("states %d Hz", async (rate) => {
  const audio = madeSound("tone", 100);
  const file = await encodeSound({ audio, sampleRate: rate }, { format: "flac" });
  expect(decodeFlac(Buffer.from(file)).sampleRate).toBe(rate);
});

it("has the same frames as a stream, which does not know the MD5 at its beginning", async () => {
  const audio = madeSound("pluck", 30_000, 2);
  const samples = interleave(audio);
  async function* pieces() {
    for (let at = 0; at < samples.length; at += 7002) yield samples.subarray(at, at + 7002);
  }
  const options = { format: "flac", sampleRate, channels: 2, frames: 30_000 } as const;
  const streamed = Buffer.from(await gather(soundFileStream(pieces(), options)));
  const whole = await encode(audio, 24);
  expect(streamed.subarray(0, 26).equals(whole.subarray(0, 26))).toBe(true);
  expect(decodeFlac(streamed).md5Fits).toBe(null);
  expect(streamed.subarray(42).equals(whole.subarray(42))).toBe(true);
});
