/**
 * Makes a model file of more than 2 GB: an existing .sda plus an unused record of zeros before its
 * central directory. The file is sparse, so it uses little disk space.
 */
import { closeSync, openSync, readFileSync, writeSync } from "node:fs";
import { crc32 } from "node:zlib";

const CENTRAL_SIGNATURE = 0x02014b50;
const END_SIZE = 22;
const LOCATOR_SIZE = 20;
const END64_SIZE = 56;

export function writeLargeModel(from: string, to: string, size: number): void {
  const bytes = readFileSync(from);
  const end64 = bytes.length - END_SIZE - LOCATOR_SIZE - END64_SIZE;
  const entries = Number(bytes.readBigUInt64LE(end64 + 32));
  const directory = Number(bytes.readBigUInt64LE(end64 + 48));
  const central = bytes.subarray(directory, end64);
  const folder = central.toString("utf8", 46, 46 + central.readUInt16LE(28)).split("/")[0];
  const name = Buffer.from(`${folder}/data/zeros`);

  const crc = crcOfZeros(size);
  const local = Buffer.alloc(30 + name.length);
  local.writeUInt32LE(0x04034b50, 0);
  local.writeUInt32LE(crc, 14);
  local.writeUInt32LE(size, 18);
  local.writeUInt32LE(size, 22);
  local.writeUInt16LE(name.length, 26);
  name.copy(local, 30);

  const entry = Buffer.alloc(46 + name.length);
  entry.writeUInt32LE(CENTRAL_SIGNATURE, 0);
  entry.writeUInt32LE(crc, 16);
  entry.writeUInt32LE(size, 20);
  entry.writeUInt32LE(size, 24);
  entry.writeUInt16LE(name.length, 28);
  entry.writeUInt32LE(directory, 42);
  name.copy(entry, 46);

  const newDirectory = directory + local.length + size;
  const tail = Buffer.from(bytes.subarray(end64));
  const directorySize = central.length + entry.length;
  tail.writeBigUInt64LE(BigInt(entries + 1), 24);
  tail.writeBigUInt64LE(BigInt(entries + 1), 32);
  tail.writeBigUInt64LE(BigInt(directorySize), 40);
  tail.writeBigUInt64LE(BigInt(newDirectory), 48);
  tail.writeBigUInt64LE(BigInt(newDirectory + directorySize), END64_SIZE + 8);
  const end = END64_SIZE + LOCATOR_SIZE;
  tail.writeUInt16LE(entries + 1, end + 8);
  tail.writeUInt16LE(entries + 1, end + 10);
  tail.writeUInt32LE(directorySize, end + 12);
  tail.writeUInt32LE(newDirectory, end + 16);

  const file = openSync(to, "w");
  writeSync(file, bytes.subarray(0, directory), 0, directory, 0);
  writeSync(file, local, 0, local.length, directory);
  writeSync(file, Buffer.concat([central, entry, tail]), 0, undefined, newDirectory);
  closeSync(file);
}

function crcOfZeros(size: number): number {
  const piece = Buffer.alloc(1 << 24);
  let crc = 0;
  for (let left = size; left > 0; left -= piece.length)
    crc = crc32(piece.subarray(0, Math.min(left, piece.length)), crc);
  return crc;
}
