/**
 * Zip archives that the addon does not read as they are: deflated ones, and those without a pickle.
 */
import { promisify } from "node:util";
import { crc32, inflateRaw } from "node:zlib";
import { SdaError } from "../../base/errors.js";
import { checkpointAddon } from "../../native/load.js";
import type { ArchiveRecord } from "../../native/types.js";
import type { RandomAccess } from "./random-access.js";
import { withParts } from "./source.js";

const inflate = promisify(inflateRaw);

/** The largest file without 64-bit sizes. */
const MOST_BYTES = 2 ** 32 - 2;
const MOST_NAME_BYTES = 2 ** 16 - 1;
const MOST_RECORDS = 2 ** 16 - 2;
const UTF8_NAMES = 1 << 11;

/** A zip archive, of which single records are read. */
export interface Archive {
  readonly file: RandomAccess;
  /** In the order of the file, with full names */
  readonly records: ArchiveRecord[];
  /** Inflates what is deflated, and checks the CRC-32 */
  content(record: ArchiveRecord): Promise<Uint8Array>;
}

/** @throws SdaError ERR_SDA_FORMAT, ERR_SDA_CORRUPT, ERR_SDA_LIMIT; what the file throws */
export async function openArchive(
  file: RandomAccess,
  signal: AbortSignal | undefined,
): Promise<Archive> {
  const records = await withParts(file, signal, (image, cancel) =>
    checkpointAddon().listArchive(image, cancel),
  );
  return {
    file,
    records,
    async content(record) {
      signal?.throwIfAborted();
      const stored = await file.read(record.offset, record.stored);
      const bytes = record.deflated ? await inflated(file, record, stored) : stored;
      // 0 stands for a CRC that was not computed.
      if (record.crc !== 0 && crc32(bytes) !== record.crc) throw damaged(file, record);
      return bytes;
    },
  };
}

async function inflated(file: RandomAccess, record: ArchiveRecord, stored: Uint8Array) {
  try {
    const bytes = await inflate(stored, { maxOutputLength: Math.max(record.size, 1) });
    if (bytes.length === record.size) return bytes;
  } catch (cause) {
    throw damaged(file, record, cause);
  }
  throw damaged(file, record);
}

function damaged(file: RandomAccess, record: ArchiveRecord, cause?: unknown): SdaError {
  const problem = `${file.name}: record '${record.name}' is damaged`;
  const details = { path: file.name, record: record.name, offset: record.offset };
  return new SdaError("ERR_SDA_CORRUPT", problem, details, { cause });
}

/**
 * The archive with all records uncompressed, as torch.save writes it. A record is inflated when its
 * bytes are read.
 *
 * @param most bytes of all records
 * @throws SdaError ERR_SDA_LIMIT
 */
export function uncompressed({ file, records, content }: Archive, most: number): RandomAccess {
  type Segment = { start: number; size: number; bytes: () => Promise<Uint8Array> };
  const segments: Segment[] = [];
  let size = 0;
  const add = (length: number, bytes: Segment["bytes"]) => {
    if (length > 0) segments.push({ start: size, size: length, bytes });
    size += length;
  };
  const entries: Buffer[] = [];
  for (const record of records) {
    const name = Buffer.from(record.name);
    if (record.size > MOST_BYTES || name.length > MOST_NAME_BYTES) {
      size = Number.POSITIVE_INFINITY;
      break;
    }
    entries.push(centralHeader(record, name, size), name);
    const local = localHeader(record, name);
    add(local.length, async () => local);
    add(record.size, () => content(record));
    if (size > Math.min(most, MOST_BYTES)) break;
  }
  if (size > Math.min(most, MOST_BYTES) || records.length > MOST_RECORDS) {
    const problem = `${file.name} is a compressed archive of too many bytes or records; extract it`;
    throw new SdaError("ERR_SDA_LIMIT", problem, { path: file.name, limit: most });
  }
  const directory = Buffer.concat(entries);
  const end = Buffer.concat([directory, endRecord(records.length, size, directory.length)]);
  add(end.length, async () => end);

  let last: { segment: Segment; bytes: Uint8Array } | undefined;
  const bytesOf = async (segment: Segment) => {
    if (last?.segment !== segment) last = { segment, bytes: await segment.bytes() };
    return last.bytes;
  };
  return {
    name: file.name,
    size,
    async read(offset, wanted) {
      const read = new Uint8Array(wanted);
      for (let i = segmentAt(segments, offset); i < segments.length; i++) {
        const segment = segments[i] as Segment;
        const from = Math.max(offset, segment.start);
        const to = Math.min(offset + wanted, segment.start + segment.size);
        if (from >= to) break;
        const bytes = await bytesOf(segment);
        read.set(bytes.subarray(from - segment.start, to - segment.start), from - offset);
      }
      return read;
    },
    async *readAll() {
      for (const segment of segments) yield await segment.bytes();
    },
  };
}

/** The number of the segment that holds the byte at `offset`. */
function segmentAt(segments: readonly { start: number }[], offset: number): number {
  let [low, high] = [0, segments.length];
  while (high - low > 1) {
    const middle = (low + high) >>> 1;
    if ((segments[middle] as { start: number }).start <= offset) low = middle;
    else high = middle;
  }
  return low;
}

function localHeader(record: ArchiveRecord, name: Buffer): Buffer {
  const header = Buffer.alloc(30);
  header.writeUInt32LE(0x04034b50, 0);
  writeRecord(header, 6, record, name);
  return Buffer.concat([header, name]);
}

function centralHeader(record: ArchiveRecord, name: Buffer, offset: number): Buffer {
  const header = Buffer.alloc(46);
  header.writeUInt32LE(0x02014b50, 0);
  writeRecord(header, 8, record, name);
  header.writeUInt32LE(offset, 42);
  return header;
}

/** The fields that both headers have, from the flags on. */
function writeRecord(header: Buffer, at: number, record: ArchiveRecord, name: Buffer): void {
  header.writeUInt16LE(UTF8_NAMES, at);
  header.writeUInt32LE(record.crc, at + 8);
  header.writeUInt32LE(record.size, at + 12);
  header.writeUInt32LE(record.size, at + 16);
  header.writeUInt16LE(name.length, at + 20);
}

function endRecord(records: number, offset: number, directorySize: number): Buffer {
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50, 0);
  end.writeUInt16LE(records, 8);
  end.writeUInt16LE(records, 10);
  end.writeUInt32LE(directorySize, 12);
  end.writeUInt32LE(offset, 16);
  return end;
}
