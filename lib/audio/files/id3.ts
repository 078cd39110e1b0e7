/** ID3v2, the tags before the frames of an MP3. Written as version 2.4, read from 2.3 and 2.4. */
import type { Bytes } from "../../values/arrays.js";
import type { Field } from "./tags.js";

export const ID3_HEADER_BYTES = 10;
const FRAME_HEADER_BYTES = 10;
const UTF8 = 3;
const IS_UNSYNCHRONISED = 0x80;
const HAS_EXTENDED_HEADER = 0x40;
/** Flags of a frame whose content is compressed or encrypted, by version. */
const IS_PACKED = { 3: 0xc0, 4: 0x0c } as const;

/** @param fields a name such as "TXXX:SDA_SEED" is a user text with that description */
export function writeId3(fields: readonly Field[]): Bytes {
  const frames = fields.map(([name, value]) => {
    const [id, description] = name.split(":");
    const text = description === undefined ? value : `${description}\0${value}`;
    const content = Buffer.concat([Buffer.from([UTF8]), Buffer.from(text, "utf8")]);
    return Buffer.concat([
      Buffer.from(id as string, "latin1"),
      sevenBits(content.length),
      Buffer.alloc(2),
      content,
    ]);
  });
  const body = Buffer.concat(frames);
  const head = Buffer.from([0x49, 0x44, 0x33, 4, 0, 0]);
  return new Uint8Array(Buffer.concat([head, sevenBits(body.length), body]));
}

/** A number of 28 bits in four bytes, whose highest bits are 0. */
function sevenBits(value: number): Buffer {
  return Buffer.from([21, 14, 7, 0].map((shift) => (value >>> shift) & 0x7f));
}

function readSevenBits(bytes: Buffer, at: number): number {
  return [0, 1, 2, 3].reduce((sum, i) => sum * 128 + ((bytes[at + i] as number) & 0x7f), 0);
}

/** The length of the tag that begins here, its header included; 0: there is none. */
export function id3Length(bytes: Buffer, at = 0): number {
  if (at + ID3_HEADER_BYTES > bytes.length) return 0;
  if (bytes.toString("latin1", at, at + 3) !== "ID3") return 0;
  return ID3_HEADER_BYTES + readSevenBits(bytes, at + 6);
}

/**
 * Finds the user text with this description, in upper or lower case. null: it is missing, or the
 * tag is damaged.
 *
 * @param tag the whole tag with its header
 */
export function findId3Text(tag: Buffer, description: string): string | null {
  const version = tag[3];
  if (version !== 3 && version !== 4) return null;
  const flags = tag[5] as number;
  const isOld = version === 3;
  const whole = tag.subarray(ID3_HEADER_BYTES);
  const body = isOld && flags & IS_UNSYNCHRONISED ? synchronised(whole) : whole;
  let at = 0;
  if (flags & HAS_EXTENDED_HEADER && body.length >= 4) {
    at = isOld ? 4 + body.readUInt32BE(0) : readSevenBits(body, 0);
  }
  while (at + FRAME_HEADER_BYTES <= body.length && body[at] !== 0) {
    const size = isOld ? body.readUInt32BE(at + 4) : readSevenBits(body, at + 4);
    const start = at + FRAME_HEADER_BYTES;
    const frameFlags = body[at + 9] as number;
    if (start + size > body.length) return null;
    if (body.toString("latin1", at, at + 4) === "TXXX" && !(frameFlags & IS_PACKED[version])) {
      const content = contentOf(body.subarray(start, start + size), isOld ? 0 : frameFlags);
      const [name = "", ...values] = textOf(content).split("\0");
      if (name.toLowerCase() === description.toLowerCase()) return values[0] ?? "";
    }
    at = start + size;
  }
  return null;
}

/** Of version 2.4: a frame may state its length, and be unsynchronised by itself. */
function contentOf(frame: Buffer, flags: number): Buffer {
  const content = flags & 1 ? frame.subarray(4) : frame;
  return flags & 2 ? synchronised(content) : content;
}

/** Removes the zeros that hide a sync code. */
function synchronised(bytes: Buffer): Buffer {
  return bytes.filter((byte, i) => !(byte === 0 && bytes[i - 1] === 0xff)) as Buffer;
}

function textOf(content: Buffer): string {
  const text = Buffer.from(content.subarray(1));
  const isPaired = text.length % 2 === 0 ? text : text.subarray(0, -1);
  switch (content[0]) {
    case 0:
      return text.toString("latin1");
    case 1:
      return utf16(isPaired);
    case 2:
      return utf16(Buffer.concat([Buffer.from([0xfe, 0xff]), isPaired]));
    default:
      return text.toString("utf8");
  }
}

/** Each text of a frame may have its own byte order mark. */
function utf16(bytes: Buffer): string {
  const isBigEndian = bytes[0] === 0xfe && bytes[1] === 0xff;
  const text = (isBigEndian ? Buffer.from(bytes).swap16() : bytes).toString("utf16le");
  return text.replaceAll("\ufeff", "");
}
