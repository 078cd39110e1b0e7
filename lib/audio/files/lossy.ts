/**
 * MP3 and Ogg Vorbis by `wasm-media-encoders`: LAME and libvorbis as WebAssembly, without a
 * compiler and without an install script. It stays a dependency of its own and is never bundled,
 * because LAME's licence is the LGPL.
 */
import { createMp3Encoder, createOggEncoder } from "wasm-media-encoders";
import { SdaError } from "../../base/errors.js";
import type { Bytes } from "../../values/arrays.js";
import { checkFinite } from "../wav-format.js";
import { joined } from "./flac.js";
import { writeId3 } from "./id3.js";
import { CommentChanger } from "./ogg.js";
import type { EncoderSettings, Kbps } from "./settings.js";
import type { Digests, FileShape, SoundEncoder, TaggingOf } from "./sound-encoder.js";
import { id3Fields, type Tagging, vorbisFields } from "./tags.js";
import { writeVorbisComment } from "./vorbis-comment.js";

type LossySettings = Extract<EncoderSettings, { format: "mp3" | "ogg" }>;

/** The same sound gives the same file: libvorbis would draw the number at random. */
const SERIAL = 0x53444121;
/** Samples per channel that an encoder gets at a time. */
const BLOCK = 16 * 1024;

export async function lossyEncoder(
  settings: LossySettings,
  { sampleRate, channels: count }: FileShape,
  tagging: TaggingOf,
  option: string,
): Promise<SoundEncoder> {
  const channels = count as 1 | 2;
  const shape = { sampleRate, channels };
  const tags = (digests: Digests | null) => tagging(digests?.samples ?? null);
  const { encode, finish, ...own } =
    settings.format === "mp3" ? await mp3(settings, shape) : await vorbis(settings, shape);
  const blocks = inBlocks(channels, (block) => encode(byChannel(block, channels)));
  return {
    begin: (digests) => own.begin(tags(digests)),
    encode(samples, first) {
      checkFinite(samples, channels, option, first);
      return blocks.add(samples);
    },
    end: () => joined([blocks.rest(), finish()]),
  };
}

interface Shape {
  channels: 1 | 2;
  sampleRate: number;
}

async function mp3({ kbps: bitrate }: { kbps: Kbps }, shape: Shape) {
  const encoder = await createMp3Encoder();
  const outputSampleRate = shape.sampleRate as 48000;
  configure(() => encoder.configure({ ...shape, bitrate, outputSampleRate }));
  return {
    begin: (tags: Tagging) => writeId3(id3Fields(tags)),
    encode: (block: Float32Array[]) => new Uint8Array(encoder.encode(block)),
    finish: () => new Uint8Array(encoder.finalize()),
  };
}

async function vorbis({ quality: vbrQuality }: { quality: number }, shape: Shape) {
  const encoder = await createOggEncoder();
  configure(() => encoder.configure({ ...shape, vbrQuality, oggSerialNo: SERIAL }));
  let changer: CommentChanger;
  return {
    begin(tags: Tagging) {
      changer = new CommentChanger((vendor) => writeVorbisComment(vendor, vorbisFields(tags)));
      return new Uint8Array(0); // the headers come with the first block
    },
    encode: (block: Float32Array[]) => changer.change(encoder.encode(block)),
    finish: () => changer.change(encoder.finalize()),
  };
}

function configure(run: () => void): void {
  try {
    run();
  } catch (cause) {
    const problem = `the encoder refuses such sound: ${(cause as Error).message}`;
    throw new SdaError("ERR_SDA_ARGUMENT", problem, { option: "format" }, { cause });
  }
}

/**
 * Hands samples on in blocks of one length, whatever the length of the slices is: what libvorbis
 * makes of a sound depends on how the sound is divided.
 */
function inBlocks(channels: number, encode: (block: Float32Array) => Bytes) {
  const block = new Float32Array(BLOCK * channels);
  let filled = 0;
  return {
    add(samples: Float32Array): Bytes {
      const done: Bytes[] = [];
      for (let at = 0; at < samples.length; ) {
        const part = samples.subarray(at, at + block.length - filled);
        block.set(part, filled);
        filled += part.length;
        at += part.length;
        if (filled === block.length) {
          done.push(encode(block));
          filled = 0;
        }
      }
      return joined(done);
    },
    rest: (): Bytes => (filled === 0 ? new Uint8Array(0) : encode(block.subarray(0, filled))),
  };
}

/** The encoders expect at most full scale. */
function byChannel(samples: Float32Array, channels: number): Float32Array[] {
  return Array.from({ length: channels }, (_, c) => {
    const channel = new Float32Array(samples.length / channels);
    for (let i = 0; i < channel.length; i++) {
      channel[i] = Math.min(1, Math.max(-1, samples[i * channels + c] as number));
    }
    return channel;
  });
}
