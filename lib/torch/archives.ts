/** The files in an archive, for the scanner. Nothing is written to the disk. */
import { crc32, gunzip, inflate, inflateRaw } from "node:zlib";
import { errnoOf } from "../base/io-error.js";
import { readRange } from "../base/read-file.js";

/** Bytes that can be read in any order. */
export interface ByteSource {
  size: number;
  /** Reads exactly `length` bytes. */
  read(offset: number, length: number): Promise<Uint8Array>;
}

/** A file in an archive. */
export interface Member {
  /** "": the only content of a compressed file */
  name: string;
  /** null: it can't be looked into */
  bytes: Uint8Array | null;
  /** Why it can't */
  problem?: string;
}

/** The bytes that may still be read and inflated. */
export interface Budget {
  bytes: number;
}

/** Limits the time that a file takes. */
export const budgetFor = (size: number): Budget => ({ bytes: MOST_BYTES + MOST_RATIO * size });

export type ArchiveKind = "zip" | "tar" | "gzip" | "zlib";

const MiB = 2 ** 20;
const MOST_MEMBER_BYTES = 256 * MiB;
/** What a small file may inflate to, its members together. */
const MOST_BYTES = 1024 * MiB;
/** What a large file may, as a multiple of its size. */
const MOST_RATIO = 4;
const MOST_MEMBERS = 100_000;
const TAR_BLOCK = 512;

const starts = (head: Uint8Array, ...bytes: number[]) => bytes.every((byte, i) => head[i] === byte);

/** @param head the file's first bytes, 512 or more if it has as many */
export function archiveKind(head: Uint8Array): ArchiveKind | null {
  if (starts(head, 0x50, 0x4b, 3, 4)) return "zip";
  if (starts(head, 0x1f, 0x8b)) return "gzip";
  if (isTarHeader(head)) return "tar";
  // RFC 1950: deflate with a window of 32 KiB, and a check of the two bytes
  const isZlib = head[0] === 0x78 && ((head[0] << 8) | (head[1] ?? 0)) % 31 === 0;
  return isZlib ? "zlib" : null;
}

/** The name of a compressed form that Node does not read; null: another file. */
export function compressionOf(head: Uint8Array): string | null {
  if (starts(head, 0x37, 0x7a, 0xbc, 0xaf, 0x27, 0x1c)) return "7z";
  if (starts(head, 0xfd, 0x37, 0x7a, 0x58, 0x5a, 0)) return "xz";
  if (starts(head, 0x5d, 0, 0)) return "lzma";
  if (starts(head, 0x42, 0x5a, 0x68)) return "bzip2";
  if (starts(head, 0x28, 0xb5, 0x2f, 0xfd)) return "zstd";
  if (starts(head, 0x52, 0x61, 0x72, 0x21)) return "rar";
  if (starts(head, 0x04, 0x22, 0x4d, 0x18)) return "lz4";
  return null;
}

/** @throws RangeError: the archive contradicts itself */
export function membersOf(
  source: ByteSource,
  kind: ArchiveKind,
  budget: Budget,
): AsyncGenerator<Member> {
  switch (kind) {
    case "zip":
      return zipMembers(source, budget);
    case "tar":
      return tarMembers(source, budget);
    default:
      return onlyMember(source, kind, budget);
  }
}

/** Takes the bytes of a member from the budget; null: it is too large, for this reason. */
function excess(bytes: number, budget: Budget): string | null {
  if (bytes > MOST_MEMBER_BYTES) return `it has more than ${MOST_MEMBER_BYTES / MiB} MiB`;
  if (bytes > budget.bytes) return "its archive holds too many bytes";
  budget.bytes -= bytes;
  return null;
}

const VIEW = (bytes: Uint8Array) => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
const LATIN1 = (bytes: Uint8Array) => Buffer.from(bytes).toString("latin1");

type Inflate = typeof inflate | typeof inflateRaw | typeof gunzip;

/** @returns null: the content is larger than the budget */
function inflated(by: Inflate, from: Uint8Array, budget: Budget): Promise<Uint8Array | null> {
  const maxOutputLength = Math.max(1, Math.min(MOST_MEMBER_BYTES, budget.bytes));
  return new Promise((resolve, reject) => {
    by(from, { maxOutputLength }, (error, content) => {
      if (error === null) {
        budget.bytes -= content.length;
        resolve(content);
      } else if ((error as NodeJS.ErrnoException).code === "ERR_BUFFER_TOO_LARGE") resolve(null);
      else reject(new RangeError(`its content is damaged (${error.message})`));
    });
  });
}

async function* onlyMember(source: ByteSource, kind: "gzip" | "zlib", budget: Budget) {
  const problem = excess(source.size, budget);
  if (problem !== null) {
    yield { name: "", bytes: null, problem };
    return;
  }
  const from = await source.read(0, source.size);
  yield memberOf("", await inflated(kind === "gzip" ? gunzip : inflate, from, budget));
}

function memberOf(name: string, bytes: Uint8Array | null): Member {
  return bytes === null ? { name, bytes, problem: "it has too many bytes" } : { name, bytes };
}

function isTarHeader(block: Uint8Array): boolean {
  if (block.length < TAR_BLOCK) return false;
  const written = octal(block.subarray(148, 156));
  const sum = block.subarray(0, TAR_BLOCK).reduce((total, byte) => total + byte, 0);
  const field = block.subarray(148, 156).reduce((total, byte) => total + byte, 0);
  return written > 0 && written === sum - field + 8 * 32;
}

/** A number as tar writes it: octal digits, or base 256 behind a set bit. */
function octal(field: Uint8Array): number {
  if (((field[0] ?? 0) & 0x80) !== 0) {
    return field.subarray(1).reduce((value, byte) => value * 256 + byte, 0);
  }
  return Number.parseInt(LATIN1(field).replace(/^[ \0]+/, ""), 8) || 0;
}

async function* tarMembers(source: ByteSource, budget: Budget): AsyncGenerator<Member> {
  let at = 0;
  for (let count = 0; at + TAR_BLOCK <= source.size; count++) {
    const header = await source.read(at, TAR_BLOCK);
    if (!isTarHeader(header)) return;
    if (count === MOST_MEMBERS) throw new RangeError(`more than ${MOST_MEMBERS} files`);
    const size = octal(header.subarray(124, 136));
    const name = LATIN1(header.subarray(0, 100)).replace(/\0.*$/s, "");
    const begin = at + TAR_BLOCK;
    if (begin + size > source.size) throw new RangeError("the archive is cut off");
    const isFile = [0, 0x30, 0x37].includes(header[156] ?? 0);
    const problem = isFile ? excess(size, budget) : null;
    if (problem !== null) yield { name, bytes: null, problem };
    else if (isFile) yield { name, bytes: await source.read(begin, size) };
    at = begin + Math.ceil(size / TAR_BLOCK) * TAR_BLOCK;
  }
}

const END = 22;
const CENTRAL = 46;
const LOCAL = 30;
const LONGEST_COMMENT = 65535;

interface ZipEntry {
  name: string;
  flags: number;
  method: number;
  /** CRC-32; 0: none was computed */
  crc: number;
  stored: number;
  header: number;
}

async function* zipMembers(source: ByteSource, budget: Budget): AsyncGenerator<Member> {
  for (const { name, flags, method, stored, header } of await zipEntries(source)) {
    const refuse = (problem: string) => ({ name, bytes: null, problem });
    if (flags & 1) yield refuse("it is encrypted");
    else if (method !== 0 && method !== 8) yield refuse(`its compression is unknown (${method})`);
    else {
      const problem = excess(stored, budget);
      if (problem !== null) {
        yield refuse(problem);
        continue;
      }
      const bytes = await source.read(await contentOf(source, header), stored);
      yield memberOf(name, method === 0 ? bytes : await inflated(inflateRaw, bytes, budget));
    }
  }
}

/** Where the content behind a local header begins. */
async function contentOf(source: ByteSource, header: number): Promise<number> {
  const local = VIEW(await source.read(header, LOCAL));
  if (local.getUint32(0, true) !== 0x04034b50) throw new RangeError("a header is missing");
  return header + LOCAL + local.getUint16(26, true) + local.getUint16(28, true);
}

type Readable = { read: import("node:fs/promises").FileHandle["read"] };

/** Bytes that are read at once. */
const PIECE = MiB;

/**
 * Checks the CRC-32 of each file in a zip archive that is not compressed.
 *
 * @returns the name of the first file that is damaged; null: there is none
 * @throws RangeError: the archive is damaged
 */
export async function damagedMember(
  file: Readable,
  size: number,
  signal: AbortSignal | undefined,
): Promise<string | null> {
  const source = inFile(file, size);
  const piece = new Uint8Array(PIECE);
  for (const { name, method, crc, stored, header } of await zipEntries(source)) {
    if (crc === 0 || method !== 0) continue;
    const begin = await contentOf(source, header);
    let found = 0;
    for (let at = 0; at < stored; ) {
      signal?.throwIfAborted();
      const wanted = Math.min(PIECE, stored - at);
      const { bytesRead } = await file.read(piece, 0, wanted, begin + at);
      if (bytesRead === 0) throw new RangeError("the archive is cut off");
      found = crc32(piece.subarray(0, bytesRead), found);
      at += bytesRead;
    }
    if (found !== crc) return name;
  }
  return null;
}

/** The names of the files in a zip archive. @throws RangeError: the archive is damaged */
export async function zipNames(source: ByteSource): Promise<string[]> {
  return (await zipEntries(source)).map(({ name }) => name);
}

/** The entries of the central directory, which Python's zipfile reads. */
async function zipEntries(source: ByteSource): Promise<ZipEntry[]> {
  const tailSize = Math.min(source.size, END + LONGEST_COMMENT);
  const tail = await source.read(source.size - tailSize, tailSize);
  const at = Buffer.from(tail).lastIndexOf("PK\x05\x06", tailSize - END, "latin1");
  if (at === -1) throw new RangeError("the archive is cut off");
  const end = VIEW(tail.subarray(at));
  const size = end.getUint32(12, true);
  const offset = end.getUint32(16, true);
  let begin = source.size - tailSize + at - size;
  let shift = begin - offset;
  let length = size;
  if (size === 0xffffffff || offset === 0xffffffff || end.getUint16(10, true) === 0xffff) {
    const locator = VIEW(tail).getUint32(Math.max(0, at - 20), true);
    if (at < 20 || locator !== 0x07064b50) throw new RangeError("the archive is cut off");
    const end64At = Number(VIEW(tail).getBigUint64(at - 12, true));
    const end64 = VIEW(await source.read(end64At, 56));
    length = Number(end64.getBigUint64(40, true));
    begin = Number(end64.getBigUint64(48, true));
    shift = 0;
  } else if (shift < 0 || shift > 0) {
    // The records between directory and end, which torch.save writes, or bytes before the archive
    const head = await source.read(offset, 4).catch(() => new Uint8Array(4));
    if (VIEW(head).getUint32(0, true) === 0x02014b50) {
      begin = offset;
      shift = 0;
    }
  }
  if (length > MOST_MEMBER_BYTES) throw new RangeError("the directory is too long");
  return entriesIn(await source.read(begin, length), shift);
}

function entriesIn(directory: Uint8Array, shift: number): ZipEntry[] {
  const entries: ZipEntry[] = [];
  const view = VIEW(directory);
  for (let at = 0; at + CENTRAL <= directory.length; ) {
    if (view.getUint32(at, true) !== 0x02014b50) break;
    if (entries.length === MOST_MEMBERS) throw new RangeError(`more than ${MOST_MEMBERS} files`);
    const nameSize = view.getUint16(at + 28, true);
    const extraSize = view.getUint16(at + 30, true);
    const name = LATIN1(directory.subarray(at + CENTRAL, at + CENTRAL + nameSize));
    const extra = directory.subarray(at + CENTRAL + nameSize).subarray(0, extraSize);
    const wide = wideNumbers(extra);
    const take = (value: number) => (value === 0xffffffff ? (wide.shift() ?? value) : value);
    take(view.getUint32(at + 24, true)); // the size, which comes first in the extra field
    const stored = take(view.getUint32(at + 20, true));
    const header = take(view.getUint32(at + 42, true)) + shift;
    const flags = view.getUint16(at + 8, true);
    const method = view.getUint16(at + 10, true);
    const crc = view.getUint32(at + 16, true);
    entries.push({ name, flags, method, crc, stored, header });
    at += CENTRAL + nameSize + extraSize + view.getUint16(at + 32, true);
  }
  return entries;
}

/** The numbers of 64 bits in an entry's extra field. */
function wideNumbers(extra: Uint8Array): number[] {
  const view = VIEW(extra);
  for (let at = 0; at + 4 <= extra.length; ) {
    const size = view.getUint16(at + 2, true);
    if (view.getUint16(at, true) === 1 && at + 4 + size <= extra.length) {
      const count = Math.floor(size / 8);
      return Array.from({ length: count }, (_, i) =>
        Number(view.getBigUint64(at + 4 + 8 * i, true)),
      );
    }
    at += 4 + size;
  }
  return [];
}

/** A source of bytes in memory. */
export function inMemory(bytes: Uint8Array): ByteSource {
  return {
    size: bytes.length,
    async read(offset, length) {
      if (!(offset >= 0 && length >= 0 && offset + length <= bytes.length)) {
        throw new RangeError("the archive is cut off");
      }
      return bytes.subarray(offset, offset + length);
    },
  };
}

/** A source of an open file's bytes. */
export function inFile(file: Readable, size: number): ByteSource {
  return {
    size,
    async read(offset, length) {
      if (!(offset >= 0 && length >= 0 && offset + length <= size)) {
        throw new RangeError("the archive is cut off");
      }
      const bytes = await readRange(file, offset, length);
      if (bytes === null) throw new RangeError("the archive is cut off");
      return bytes;
    },
  };
}

/** Whether an error of `membersOf` says that the archive is damaged. */
export function isDamage(error: unknown): error is RangeError {
  return error instanceof RangeError && errnoOf(error) === undefined;
}
