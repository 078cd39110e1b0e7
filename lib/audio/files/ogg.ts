/** The pages of an Ogg file (RFC 3533), as far as Vorbis needs them. */
import type { Bytes } from "../../values/arrays.js";
import { crc32 } from "./crc.js";
import { joined } from "./flac.js";
import { vendorOf } from "./vorbis-comment.js";

const PAGE_HEADER_BYTES = 27;
const IS_CONTINUED = 1;
const MOST_SEGMENTS = 255;
/** Vorbis begins with three packets: identification, comment, setup. */
export const VORBIS_HEADERS = 3;
/** The comment's packet begins so. */
export const COMMENT_MARK = Buffer.from("\x03vorbis", "latin1");

export interface Page {
  flags: number;
  serial: number;
  sequence: number;
  /** The packets, or last parts of packets, that end in the page */
  packets: Buffer[];
  /** The part of a packet that goes on in the next page */
  rest: Buffer | null;
  /** The whole page */
  bytes: Buffer;
}

/** Reads the page that begins at `at`. null: it is not there as a whole, or is no page. */
export function readPage(bytes: Buffer, at: number): Page | null {
  if (at + PAGE_HEADER_BYTES > bytes.length) return null;
  if (bytes.toString("latin1", at, at + 4) !== "OggS") return null;
  const segments = bytes[at + 26] as number;
  let start = at + PAGE_HEADER_BYTES + segments;
  if (start > bytes.length) return null;
  const packets: Buffer[] = [];
  let end = start;
  for (const length of bytes.subarray(at + PAGE_HEADER_BYTES, start)) {
    end += length;
    if (end > bytes.length) return null;
    if (length === 255) continue;
    packets.push(bytes.subarray(start, end));
    start = end;
  }
  return {
    flags: bytes[at + 5] as number,
    serial: bytes.readUInt32LE(at + 14),
    sequence: bytes.readUInt32LE(at + 18),
    packets,
    rest: end > start ? bytes.subarray(start, end) : null,
    bytes: bytes.subarray(at, end),
  };
}

/** The packets of the file's first stream, up to the first byte that belongs to no whole page. */
export function* packetsOf(bytes: Buffer): Generator<Buffer, void, undefined> {
  let open: Buffer[] = [];
  let serial: number | undefined;
  for (let at = 0; ; ) {
    const page = readPage(bytes, at);
    if (!page) return;
    at += page.bytes.length;
    serial ??= page.serial;
    if (page.serial !== serial) continue;
    for (const packet of page.packets) {
      yield open.length === 0 ? packet : Buffer.concat([...open, packet]);
      open = [];
    }
    if (page.rest) open.push(page.rest);
  }
}

/** Makes the pages of header packets. */
function headerPages(packets: readonly Uint8Array[], serial: number, first: number): Buffer[] {
  const segments = packets.flatMap((packet) => {
    const full = Math.floor(packet.length / 255);
    return [
      ...Array.from({ length: full }, () => ({ length: 255, isLast: false })),
      { length: packet.length % 255, isLast: true },
    ];
  });
  const content = joined(packets);
  const pages: Buffer[] = [];
  let at = 0;
  let isContinued = false;
  for (let i = 0; i < segments.length; i += MOST_SEGMENTS) {
    const own = segments.slice(i, i + MOST_SEGMENTS);
    const length = own.reduce((sum, segment) => sum + segment.length, 0);
    const head = Buffer.alloc(PAGE_HEADER_BYTES + own.length);
    head.write("OggS", "latin1");
    head[5] = isContinued ? IS_CONTINUED : 0;
    // The position of a page in which no packet ends is -1.
    head.writeBigInt64LE(own.some(({ isLast }) => isLast) ? 0n : -1n, 6);
    head.writeUInt32LE(serial, 14);
    head.writeUInt32LE(first + pages.length, 18);
    head[26] = own.length;
    own.forEach((segment, j) => {
      head[PAGE_HEADER_BYTES + j] = segment.length;
    });
    const page = Buffer.concat([head, content.subarray(at, at + length)]);
    pages.push(sealed(page));
    at += length;
    isContinued = own.at(-1)?.isLast === false;
  }
  return pages;
}

function sealed(page: Buffer): Buffer {
  page.writeUInt32LE(0, 22);
  page.writeUInt32LE(crc32(page), 22);
  return page;
}

/**
 * Puts another comment into a stream of Vorbis that has no other streams beside it. libvorbis ends
 * a page after the headers, as the format wants it.
 */
export class CommentChanger {
  readonly #comment: (vendor: string) => Uint8Array;
  #waiting: Buffer = Buffer.alloc(0);
  #headers: Buffer[] = [];
  #headerBytes: Buffer[] = [];
  /** What is added to the pages' numbers; null: the headers are not complete */
  #shift: number | null = null;

  /** @param comment without mark and framing bit, by the vendor that the encoder states */
  constructor(comment: (vendor: string) => Uint8Array) {
    this.#comment = comment;
  }

  change(bytes: Uint8Array): Bytes {
    this.#waiting = Buffer.concat([this.#waiting, bytes]);
    const done: Buffer[] = [];
    let at = 0;
    for (let page = readPage(this.#waiting, 0); page; page = readPage(this.#waiting, at)) {
      at += page.bytes.length;
      done.push(...(this.#shift === null ? this.#header(page) : [this.#renumbered(page)]));
    }
    this.#waiting = this.#waiting.subarray(at);
    return joined(done);
  }

  #header({ packets, rest, serial, sequence, bytes }: Page): Buffer[] {
    if (sequence === 0) {
      this.#headers.push(...packets);
      return [bytes];
    }
    for (const packet of packets) {
      this.#headers.push(Buffer.concat([...this.#headerBytes, packet]));
      this.#headerBytes = [];
    }
    if (rest) this.#headerBytes.push(rest);
    const [, old, setup] = this.#headers;
    if (!old || !setup) return [];
    const comment = this.#comment(vendorOf(old.subarray(COMMENT_MARK.length)));
    const packet = joined([COMMENT_MARK, comment, Uint8Array.of(1)]);
    const pages = headerPages([packet, setup], serial, 1);
    this.#shift = pages.length - sequence;
    this.#headers = [];
    return pages;
  }

  #renumbered({ bytes, sequence }: Page): Buffer {
    const page = Buffer.from(bytes);
    page.writeUInt32LE(sequence + (this.#shift as number), 18);
    return sealed(page);
  }
}
