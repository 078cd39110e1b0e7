/** The encoded sound in a file without its tags, to compare two files. */
import { createHash } from "node:crypto";
import { id3Length } from "./id3.js";
import { packetsOf, VORBIS_HEADERS } from "./ogg.js";

const ID3V1_BYTES = 128;
/** The largest distance of the mark "Xing" or "Info" from the start of its frame. */
const MOST_INFO_OFFSET = 4 + 32;
/** Kilobits a second of MPEG-1 layer 3, by the code in a frame's header. */
const KBPS = [0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320];
const SAMPLE_RATES = [44100, 48000, 32000];

/** Of PCM samples, in STREAMINFO: after the mark, the block's head and 18 bytes. */
const FLAC_MD5 = { start: 26, end: 42 };

/**
 * Whether two files of one format hold the same encoded sound. A FLAC that another encoder has
 * made of the same samples counts as the same: it states the MD5 of the samples.
 */
export function sameSoundData(a: Buffer, b: Buffer): boolean {
  const digest = soundDataDigest(a);
  if (digest !== null && digest === soundDataDigest(b)) return true;
  const md5 = flacMd5(a);
  return md5 !== null && flacMd5(b)?.equals(md5) === true;
}

/** null: no FLAC, or its MD5 is unknown */
function flacMd5(file: Buffer): Buffer | null {
  const start = id3Length(file);
  if (file.toString("latin1", start, start + 4) !== "fLaC") return null;
  const md5 = file.subarray(start + FLAC_MD5.start, start + FLAC_MD5.end);
  return md5.some((byte) => byte !== 0) ? md5 : null;
}

/** SHA-256 of the encoded sound; null: it can't be found. */
function soundDataDigest(file: Buffer): string | null {
  const sha = createHash("sha256");
  for (const part of partsOf(file)) {
    if (part === null) return null;
    sha.update(part);
  }
  return sha.digest("hex");
}

function partsOf(file: Buffer): Iterable<Buffer | null> {
  const mark = file.toString("latin1", 0, 4);
  if (mark === "RIFF" || mark === "RF64") return [wavData(file)];
  if (mark === "OggS") return vorbisPackets(file);
  const start = id3Length(file);
  const end = file.toString("latin1", Math.max(start, file.length - ID3V1_BYTES)).startsWith("TAG")
    ? file.length - ID3V1_BYTES
    : file.length;
  if (file.toString("latin1", start, start + 4) === "fLaC") return [flacFrames(file, start)];
  return [mp3Frames(file.subarray(start, end))];
}

function wavData(file: Buffer): Buffer | null {
  for (let at = 12; at + 8 <= file.length; ) {
    const length = file.readUInt32LE(at + 4);
    if (file.toString("latin1", at, at + 4) === "data") {
      return file.subarray(at + 8, at + 8 + length);
    }
    at += 8 + length + (length % 2);
  }
  return null;
}

function flacFrames(file: Buffer, start: number): Buffer | null {
  for (let at = start + 4; at + 4 <= file.length; ) {
    const isLast = (file[at] as number) & 0x80;
    at += 4 + file.readUIntBE(at + 1, 3);
    if (isLast) return file.subarray(at);
  }
  return null;
}

/** A length before each packet keeps apart what two packets share differently. */
function* vorbisPackets(file: Buffer): Generator<Buffer, void, undefined> {
  let i = 0;
  for (const packet of packetsOf(file)) {
    if (i++ < VORBIS_HEADERS) continue;
    const length = Buffer.alloc(4);
    length.writeUInt32LE(packet.length);
    yield length;
    yield packet;
  }
}

/** ffmpeg puts a silent frame with facts before the others. */
function mp3Frames(frames: Buffer): Buffer {
  const head = frames.toString("latin1", 0, MOST_INFO_OFFSET + 4);
  if (!head.includes("Xing") && !head.includes("Info")) return frames;
  const third = frames[2] as number;
  const kbps = KBPS[third >> 4] ?? 0;
  const rate = SAMPLE_RATES[(third >> 2) & 3] ?? 1;
  const isPadded = (third >> 1) & 1;
  return frames.subarray(Math.floor((144_000 * kbps) / rate) + isPadded);
}
