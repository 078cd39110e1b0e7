/**
 * Builds zip archives as torch.save does: stored, sizes and CRC in data descriptors (bit 3), data
 * aligned to 64 bytes through the extra field, always with zip64 end records. Each field can be
 * given a wrong value.
 */
import { crc32 } from "node:zlib";

export interface LocalFields {
  signature: number;
  flags: number;
  method: number;
  crc: number;
  stored: number;
  size: number;
  name: string;
  extra: Buffer;
}

export interface CentralFields {
  signature: number;
  flags: number;
  method: number;
  crc: number;
  stored: number;
  size: number;
  name: string;
  extra: Buffer;
  comment: Buffer;
  disk: number;
  /** External attributes */
  attributes: number;
  offset: number;
  nameSize: number;
}

export interface ZipEntry {
  /** Includes the top folder. */
  name: string;
  data: Buffer;
  local?: Partial<LocalFields>;
  central?: Partial<CentralFields>;
  /** The bytes of the data descriptor. null leaves it out and fills in the local header. */
  descriptor?: Buffer | null;
  /** Bytes between this entry and the next. */
  after?: Buffer;
  /** Whether to write the central entry only, which then points to another entry's local part */
  ghost?: boolean;
}

export interface EndFields {
  disk: number;
  directoryDisk: number;
  entriesHere: number;
  entries: number;
  size: number;
  offset: number;
  comment: Buffer;
  commentSize: number;
}

export interface ZipOptions {
  align?: number;
  /** false leaves out the zip64 records. */
  zip64?: boolean;
  end?: Partial<EndFields>;
  end64?: Partial<{
    signature: number;
    recordSize: number;
    disk: number;
    directoryDisk: number;
    entriesHere: number;
    entries: number;
    size: number;
    offset: number;
  }>;
  locator?: Partial<{ disk: number; offset: number; disks: number }>;
  /** Bytes between the central directory and the end records. */
  beforeEnd?: Buffer;
}

export interface Placed {
  name: string;
  header: number;
  data: number;
  size: number;
}

export interface Archive {
  bytes: Buffer;
  records: Placed[];
  directory: number;
}

const DESCRIPTOR_FLAG = 8;

/** A little-endian structure of [value, number of bytes] pairs. */
export function struct(...fields: [number, 2 | 4 | 8][]): Buffer {
  const out = Buffer.alloc(fields.reduce((sum, [, size]) => sum + size, 0));
  let at = 0;
  for (const [value, size] of fields) {
    if (size === 2) out.writeUInt16LE(value & 0xffff, at);
    else if (size === 4) out.writeUInt32LE(value >>> 0, at);
    else out.writeBigUInt64LE(BigInt.asUintN(64, BigInt(value)), at);
    at += size;
  }
  return out;
}

export function descriptor(
  crc: number,
  stored: number,
  size = stored,
  { signature = 0x08074b50, wide = false } = {},
): Buffer {
  const width = wide ? 8 : 4;
  return struct([signature, 4], [crc, 4], [stored, width], [size, width]);
}

export function zip(entries: ZipEntry[], options: ZipOptions = {}): Archive {
  const { align = 64, zip64 = true } = options;
  const parts: Buffer[] = [];
  const records: Placed[] = [];
  let at = 0;
  const add = (part: Buffer) => {
    parts.push(part);
    at += part.length;
  };

  for (const entry of entries) {
    if (entry.ghost) {
      records.push({ name: entry.name, header: 0, data: 0, size: entry.data.length });
      continue;
    }
    const header = at;
    const crc = crc32(entry.data);
    const filled = entry.descriptor === null;
    const known = filled
      ? { flags: 0, crc, stored: entry.data.length, size: entry.data.length }
      : { flags: DESCRIPTOR_FLAG, crc: 0, stored: 0, size: 0 };
    const local: LocalFields = {
      signature: 0x04034b50,
      method: 0,
      name: entry.name,
      extra: Buffer.alloc(0),
      ...known,
      ...entry.local,
    };
    if (entry.local?.extra === undefined && align > 1) {
      const unpadded = header + 30 + Buffer.byteLength(local.name) + 4;
      const padding = (align - (unpadded % align)) % align;
      local.extra = Buffer.concat([
        Buffer.from("FB"),
        struct([padding, 2]),
        Buffer.alloc(padding, "Z"),
      ]);
    }
    const name = Buffer.from(local.name);
    add(
      struct(
        [local.signature, 4],
        [0, 2],
        [local.flags, 2],
        [local.method, 2],
        [0, 4],
        [local.crc, 4],
        [local.stored, 4],
        [local.size, 4],
        [name.length, 2],
        [local.extra.length, 2],
      ),
    );
    add(name);
    add(local.extra);
    records.push({ name: entry.name, header, data: at, size: entry.data.length });
    add(entry.data);
    if (entry.descriptor !== null) add(entry.descriptor ?? descriptor(crc, entry.data.length));
    if (entry.after) add(entry.after);
  }

  const directory = at;
  entries.forEach((entry, i) => {
    const central: CentralFields = {
      signature: 0x02014b50,
      flags: entry.local?.flags ?? (entry.descriptor === null ? 0 : DESCRIPTOR_FLAG),
      method: 0,
      crc: crc32(entry.data),
      stored: entry.data.length,
      size: entry.data.length,
      name: entry.name,
      extra: Buffer.alloc(0),
      comment: Buffer.alloc(0),
      disk: 0,
      attributes: 0,
      offset: records[i]?.header ?? 0,
      nameSize: Buffer.byteLength(entry.central?.name ?? entry.name),
      ...entry.central,
    };
    add(
      struct(
        [central.signature, 4],
        [0, 4],
        [central.flags, 2],
        [central.method, 2],
        [0, 4],
        [central.crc, 4],
        [central.stored, 4],
        [central.size, 4],
        [central.nameSize, 2],
        [central.extra.length, 2],
        [central.comment.length, 2],
        [central.disk, 2],
        [0, 2],
        [central.attributes, 4],
        [central.offset, 4],
      ),
    );
    add(Buffer.from(central.name));
    add(central.extra);
    add(central.comment);
  });
  const directorySize = at - directory;

  if (options.beforeEnd) add(options.beforeEnd);
  const facts = {
    disk: 0,
    directoryDisk: 0,
    entriesHere: entries.length,
    entries: entries.length,
    size: directorySize,
    offset: directory,
  };
  if (zip64) {
    const end64 = { signature: 0x06064b50, recordSize: 44, ...facts, ...options.end64 };
    const locator = { disk: 0, offset: at, disks: 1, ...options.locator };
    add(
      struct(
        [end64.signature, 4],
        [end64.recordSize, 8],
        [0x31e, 2],
        [0x2d, 2],
        [end64.disk, 4],
        [end64.directoryDisk, 4],
        [end64.entriesHere, 8],
        [end64.entries, 8],
        [end64.size, 8],
        [end64.offset, 8],
      ),
    );
    add(struct([0x07064b50, 4], [locator.disk, 4], [locator.offset, 8], [locator.disks, 4]));
  }
  const comment = options.end?.comment ?? Buffer.alloc(0);
  const end = { ...facts, commentSize: comment.length, ...options.end };
  add(
    struct(
      [0x06054b50, 4],
      [end.disk, 2],
      [end.directoryDisk, 2],
      [end.entriesHere, 2],
      [end.entries, 2],
      [end.size, 4],
      [end.offset, 4],
      [end.commentSize, 2],
    ),
  );
  add(comment);
  return { bytes: Buffer.concat(parts), records, directory };
}

export interface TorchZipOptions extends ZipOptions {
  folder?: string;
  /** Fields to change, by record name without its folder */
  change?: Record<string, Partial<ZipEntry>>;
  /** Other content by record name. null leaves the record out. */
  content?: Record<string, Buffer | string | null>;
  /** Entries after all others */
  more?: ZipEntry[];
}

/** The archive that torch.save would write of this pickle and these storages (key → bytes). */
export function torchZip(
  pickle: Buffer,
  storages: Record<string, Buffer> = {},
  options: TorchZipOptions = {},
): Archive {
  const { folder = "archive", change = {}, content = {}, more = [] } = options;
  const records: Record<string, Buffer | string | null> = {
    "data.pkl": pickle,
    ".format_version": "1",
    ".storage_alignment": "64",
    byteorder: "little",
    ...Object.fromEntries(Object.entries(storages).map(([key, data]) => [`data/${key}`, data])),
    version: "3\n",
    ".data/serialization_id": "0".repeat(40),
    ...content,
  };
  const entries = Object.entries(records).flatMap(([name, data]): ZipEntry[] =>
    data === null
      ? []
      : [
          {
            name: folder === "" ? name : `${folder}/${name}`,
            data: typeof data === "string" ? Buffer.from(data) : data,
            ...change[name],
          },
        ],
  );
  return zip([...entries, ...more], options);
}
