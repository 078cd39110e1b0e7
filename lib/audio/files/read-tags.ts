/** Finds the recipe's text in a sound file. Of a large file, only the tags are read. */
import { findId3Text, ID3_HEADER_BYTES, id3Length } from "./id3.js";
import { COMMENT_MARK, packetsOf } from "./ogg.js";
import { findInfo } from "./riff-info.js";
import { RECIPE_CHUNK, RECIPE_TAG } from "./tags.js";
import { findVorbisComment } from "./vorbis-comment.js";

/** A file, of which parts are read. */
export interface Source {
  size: number;
  /** Reads fewer bytes only where the file ends. */
  read(at: number, length: number): Promise<Buffer>;
}

/** Bytes of one tag, pictures included. */
const MOST_TAG_BYTES = 32 * 2 ** 20;
/** Where the comment of an Ogg file ends at the latest. */
const MOST_OGG_HEAD = 4 * 2 ** 20;
/** Chunks and blocks to look at. */
const MOST_PARTS = 10_000;

/** @returns null: the file has no recipe; undefined: it is no file of a known format */
export async function findRecipeText(source: Source): Promise<string | null | undefined> {
  const head = await source.read(0, 12);
  const mark = head.toString("latin1", 0, 4);
  if (mark === "fLaC") return inFlac(source, 0);
  if (mark === "OggS") return inOgg(source);
  if (mark === "RIFF" || mark === "RF64") {
    return head.toString("latin1", 8, 12) === "WAVE" ? inWav(source) : undefined;
  }
  if (mark.startsWith("ID3")) return inId3(source, head);
  const isMp3Frame = head[0] === 0xff && ((head[1] ?? 0) & 0xe6) === 0xe2;
  return isMp3Frame ? null : undefined;
}

async function inWav(source: Source): Promise<string | null> {
  for (let at = 12, i = 0; i < MOST_PARTS; i++) {
    const head = await source.read(at, 8);
    if (head.length < 8) return null;
    const length = head.readUInt32LE(4);
    if (head.toString("latin1", 0, 4) === "LIST" && length <= MOST_TAG_BYTES) {
      const found = findInfo(await source.read(at + 8, length), RECIPE_CHUNK);
      if (found !== null) return found;
    }
    at += 8 + length + (length % 2);
  }
  return null;
}

async function inFlac(source: Source, start: number): Promise<string | null> {
  for (let at = start + 4, i = 0; i < MOST_PARTS; i++) {
    const head = await source.read(at, 4);
    if (head.length < 4) return null;
    const type = (head[0] as number) & 0x7f;
    const length = head.readUIntBE(1, 3);
    if (type === 4) return findVorbisComment(await source.read(at + 4, length), RECIPE_TAG);
    if ((head[0] as number) & 0x80) return null;
    at += 4 + length;
  }
  return null;
}

async function inOgg(source: Source): Promise<string | null> {
  const head = await source.read(0, Math.min(source.size, MOST_OGG_HEAD));
  let i = 0;
  for (const packet of packetsOf(head)) {
    if (i++ === 0) continue;
    const isComment = packet.subarray(0, COMMENT_MARK.length).equals(COMMENT_MARK);
    return isComment ? findVorbisComment(packet.subarray(COMMENT_MARK.length), RECIPE_TAG) : null;
  }
  return null;
}

/** Some programs put ID3 before a FLAC, too. */
async function inId3(source: Source, head: Buffer): Promise<string | null> {
  const length = id3Length(head);
  if (length <= ID3_HEADER_BYTES || length > MOST_TAG_BYTES) return null;
  const found = findId3Text(await source.read(0, length), RECIPE_TAG);
  if (found !== null) return found;
  const next = await source.read(length, 4);
  return next.toString("latin1") === "fLaC" ? inFlac(source, length) : null;
}
