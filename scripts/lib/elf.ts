/**
 * Reads from a shared library (64-bit little-endian ELF) its name, the libraries that it needs and
 * the symbol versions that it needs. The layout is that of the System V ABI; versions are described
 * in the Linux Standard Base, "Symbol Versioning".
 */
import { readFileSync } from "node:fs";
import type { SystemRequirements } from "../../lib/native/system.js";
import { BuildError } from "./process.js";

export interface SharedLibrary {
  soname: string | undefined;
  /** SONAMEs of the libraries that the loader opens with this one. */
  needed: string[];
  /** Needed symbol versions, such as "GLIBC_2.35". */
  versions: string[];
}

const SHT_DYNAMIC = 6;
const SHT_GNU_VERNEED = 0x6ffffffe;
const DT_NEEDED = 1n;
const DT_SONAME = 14n;

interface Section {
  type: number;
  offset: number;
  size: number;
  link: number;
}

/** @throws BuildError when the file is not a 64-bit little-endian ELF file */
export function readSharedLibrary(path: string): SharedLibrary {
  const file = readFileSync(path);
  // Class 2 is 64 bits, encoding 1 is little-endian.
  if (
    file.length < 64 ||
    file.toString("latin1", 0, 4) !== "\x7fELF" ||
    file[4] !== 2 ||
    file[5] !== 1
  )
    throw new BuildError(`${path} is no 64-bit little-endian ELF file`);
  const sections = readSections(file);
  const result: SharedLibrary = { soname: undefined, needed: [], versions: [] };
  for (const section of sections) {
    const names = sections[section.link]?.offset ?? 0;
    if (section.type === SHT_DYNAMIC) readDynamic(file, section, names, result);
    if (section.type === SHT_GNU_VERNEED) readVersions(file, section, names, result);
  }
  return result;
}

/** The newest version of each system library in `versions`. */
export function systemRequirements(versions: string[]): SystemRequirements {
  const newest = (prefix: string) =>
    versions
      .filter((v) => v.startsWith(`${prefix}_`) && /_\d/.test(v))
      .map((v) => v.slice(prefix.length + 1))
      .sort((a, b) => a.localeCompare(b, "en", { numeric: true }))
      .at(-1);
  const glibc = newest("GLIBC");
  const glibcxx = newest("GLIBCXX");
  const cxxabi = newest("CXXABI");
  return { ...(glibc && { glibc }), ...(glibcxx && { glibcxx }), ...(cxxabi && { cxxabi }) };
}

function readSections(file: Buffer): Section[] {
  const table = Number(file.readBigUInt64LE(40));
  const entrySize = file.readUInt16LE(58);
  const count = file.readUInt16LE(60);
  return Array.from({ length: count }, (_, i) => {
    const at = table + i * entrySize;
    return {
      type: file.readUInt32LE(at + 4),
      offset: Number(file.readBigUInt64LE(at + 24)),
      size: Number(file.readBigUInt64LE(at + 32)),
      link: file.readUInt32LE(at + 40),
    };
  });
}

function readDynamic(file: Buffer, section: Section, names: number, into: SharedLibrary): void {
  for (let at = section.offset; at < section.offset + section.size; at += 16) {
    const tag = file.readBigInt64LE(at);
    if (tag !== DT_NEEDED && tag !== DT_SONAME) continue;
    const name = text(file, names + Number(file.readBigUInt64LE(at + 8)));
    if (tag === DT_NEEDED) into.needed.push(name);
    else into.soname = name;
  }
}

/**
 * The section is a linked list of libraries, each with a linked list of needed versions. A link is
 * a distance in bytes; 0 ends the list.
 */
function readVersions(file: Buffer, section: Section, names: number, into: SharedLibrary): void {
  let library = section.offset;
  for (;;) {
    let entry = library + file.readUInt32LE(library + 8);
    for (let left = file.readUInt16LE(library + 2); left > 0; left--) {
      into.versions.push(text(file, names + file.readUInt32LE(entry + 8)));
      entry += file.readUInt32LE(entry + 12);
    }
    const next = file.readUInt32LE(library + 12);
    if (next === 0) return;
    library += next;
  }
}

function text(file: Buffer, at: number): string {
  return file.toString("latin1", at, file.indexOf(0, at));
}
