/** The comments of FLAC and Ogg Vorbis: a list of NAME=text. */
import type { Bytes } from "../../values/arrays.js";
import type { Field } from "./tags.js";

/** @returns the comment without the framing bit that only Vorbis has */
export function writeVorbisComment(vendor: string, fields: readonly Field[]): Bytes {
  const texts = [vendor, ...fields.map(([name, value]) => `${name}=${value}`)];
  const parts = texts.flatMap((text, i) => {
    const bytes = Buffer.from(text, "utf8");
    return i === 0
      ? [uint32(bytes.length), bytes, uint32(fields.length)]
      : [uint32(bytes.length), bytes];
  });
  return new Uint8Array(Buffer.concat(parts));
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}

/** The name of the encoder. */
export function vendorOf(comment: Buffer): string {
  return comment.toString("utf8", 4, 4 + comment.readUInt32LE(0));
}

/** Finds a field by its name in any case. null: it is missing, or the bytes end early. */
export function findVorbisComment(comment: Uint8Array, name: string): string | null {
  const bytes = Buffer.from(comment.buffer, comment.byteOffset, comment.length);
  const prefix = `${name.toLowerCase()}=`;
  let at = 0;
  const next = (): number | undefined => {
    if (at + 4 > bytes.length) return undefined;
    const length = bytes.readUInt32LE(at);
    at += 4;
    return length;
  };
  const vendorLength = next() ?? 0;
  at += vendorLength;
  const count = next() ?? 0;
  for (let i = 0; i < count; i++) {
    const length = next();
    if (length === undefined || at + length > bytes.length) return null;
    if (bytes.toString("latin1", at, at + prefix.length).toLowerCase() === prefix) {
      return bytes.toString("utf8", at + prefix.length, at + length);
    }
    at += length;
  }
  return null;
}
