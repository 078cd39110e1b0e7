/**
 * Reads the index. The native scanner handles the layout that Python's `json.dump(indent=2)`
 * writes; a JSON parser handles all other layouts.
 */
import { show } from "../../base/brief.js";
import { SdaError } from "../../base/errors.js";
import {
  type PyDict,
  PythonJsonError,
  PythonJsonParser,
  type PyValue,
  pythonString,
  writePythonJson,
} from "../../base/python-json.js";
import { callNative } from "../../native/call.js";
import { checkpointAddon } from "../../native/load.js";
import { entryFromPython } from "./entry.js";
import {
  type EntryRecord,
  type IndexFrame,
  IndexImage,
  LAYOUT,
  usualFrame,
} from "./index-image.js";

/**
 * The longest index that the JSON parser reads, some 80,000 entries: it runs on this thread and
 * takes up to a fifth of a second for each MiB. An index in the usual layout, which the scanner
 * reads on another thread, may have 4 GiB.
 */
const MOST_PARSED_BYTES = 32 * 2 ** 20;
/** So much of the beginning tells a JSON object from a blank file or a file of zeros. */
const BEGINNING_BYTES = 65_536;

/** An index and the file that it was read from. */
export interface FoundIndex {
  image: IndexImage;
  /** The file's identity, see `identityOf`; null: there is no file */
  identity: string | null;
  /** The file's bytes, in pieces; null: the image is not the file's content */
  content: readonly Uint8Array[] | null;
}

/** The file's content is not an index. The caller decides how to recover. */
export class DamagedIndex extends Error {
  readonly path: string;

  constructor(path: string, problem: string) {
    super(`${path} is damaged: ${problem}`);
    this.path = path;
  }
}

/** @throws DamagedIndex; SdaError ERR_SDA_NOT_FOUND, ERR_SDA_IO, ERR_SDA_LIMIT */
export async function readIndex(path: string): Promise<FoundIndex> {
  const { bytes, identity, layout } = await readBytes(path);
  const image = damageIn(path, () => {
    return (layout && usualImage(bytes, layout)) ?? parseImage(bytes, path);
  });
  return { image, identity, content: [bytes] };
}

/** The bytes of a JSON file, and its layout if it is an index in the usual layout. */
export async function readBytes(path: string) {
  const addon = checkpointAddon();
  const content = await callNative(addon, undefined, () => addon.readIndex(path));
  const { buffer, byteOffset, length } = content.bytes;
  return { ...content, bytes: Buffer.from(buffer, byteOffset, length) };
}

/** Runs a parser. @throws DamagedIndex where it finds no JSON or no UTF-8 */
export function damageIn<T>(path: string, parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    if (error instanceof PythonJsonError || error instanceof TypeError) {
      throw new DamagedIndex(path, error.message);
    }
    throw error;
  }
}

/**
 * Makes an image of the scanner's layout. The scanner flags entries that it can't judge ("odd");
 * they are parsed here.
 *
 * @returns null: an odd entry is not JSON, so the scanner may have misread the layout
 */
function usualImage(bytes: Buffer, layout: Uint32Array): IndexImage | null {
  const records: [number, EntryRecord][] = [];
  for (let at = LAYOUT.flags, slot = 0; at < layout.length; at += LAYOUT.stride, slot++) {
    if (((layout[at] as number) & LAYOUT.odd) === 0) continue;
    const start = layout[at - LAYOUT.flags] as number;
    const end = layout[at - LAYOUT.flags + LAYOUT.entryEnd] as number;
    try {
      const parser = new PythonJsonParser(decode(bytes.subarray(start, end)));
      const key = parser.string();
      if (!parser.take(":")) return null;
      records.push([slot, readEntry(parser, key, 0)]);
      parser.end();
    } catch (error) {
      if (error instanceof PythonJsonError || error instanceof TypeError) return null;
      throw error;
    }
  }
  return new IndexImage({ bytes, layout }, records, usualFrame(usualVersion(bytes)));
}

/** The version that an index in the usual layout states. */
function usualVersion(bytes: Buffer): number {
  const start = BEFORE_VERSION.length;
  return atLeastOne(Number.parseInt(bytes.toString("latin1", start, start + MAX_DIGITS), 10));
}

const BEFORE_VERSION = '{\n  "version": ';
/** As in native/library/index_scanner.cc */
const MAX_DIGITS = 15;

/** Indexes of an older version than 1 do not exist. */
function atLeastOne(version: number): number {
  return version > 1 ? version : 1;
}

/** Makes an image of any JSON text that Python's `json.load` accepts. */
function parseImage(bytes: Buffer, path: string): IndexImage {
  checkLength(bytes, path, MOST_PARSED_BYTES, " in another layout than json.dump(indent=2) writes");
  const parser = new PythonJsonParser(decode(bytes));
  const entries = new Map<string, EntryRecord>();
  const before = new Map<string, PyValue>();
  const after = new Map<string, PyValue>();
  let hasModels = false;
  parser.space();
  parser.members((key) => {
    if (key !== "models") {
      (before.has(key) || !hasModels ? before : after).set(key, parser.value(1));
      return;
    }
    hasModels = true;
    entries.clear(); // if a key repeats, its last value counts
    parser.space();
    parser.members((id, start) => {
      entries.set(id, readEntry(parser, id, start));
    });
  });
  parser.end();
  return new IndexImage(
    undefined,
    [...entries.values()].map((record, slot) => [slot, record]),
    frameOf(before, after),
  );
}

function frameOf(before: PyDict, after: PyDict): IndexFrame {
  const stated = before.get("version") ?? after.get("version");
  const version = atLeastOne(versionOf(stated));
  const texts = (members: PyDict) =>
    [...members].map(([key, value]) => [key, writePythonJson(value, 1)] as const);
  const isStated = before.has("version") || after.has("version");
  const { before: usual } = usualFrame(version);
  return {
    version,
    before: isStated ? texts(before) : [...usual, ...texts(before)],
    after: texts(after),
  };
}

/**
 * Refuses a JSON text that is too long to be parsed on this thread.
 *
 * @param layout ends "<path> has <number> MiB" in the message
 * @throws DamagedIndex: it is no JSON object; SdaError ERR_SDA_LIMIT
 */
export function checkLength(bytes: Buffer, path: string, limit: number, layout = ""): void {
  if (bytes.length <= limit) return;
  const beginning = bytes.toString("latin1", 0, BEGINNING_BYTES).trimStart();
  if (!beginning.startsWith("{")) throw new DamagedIndex(path, "it does not begin with an object");
  const mebibytes = Math.round(bytes.length / 2 ** 20);
  const problem = `${path} has ${mebibytes} MiB${layout}`;
  const most = `at most ${limit / 2 ** 20} MiB are read`;
  const details = { path, bytes: bytes.length, limit };
  throw new SdaError("ERR_SDA_LIMIT", `${problem}; ${most}`, details);
}

/** The version that a JSON file states; 1 where it states none. @throws PythonJsonError */
export function versionOf(version: PyValue | undefined): number {
  if (version === undefined || version === null) return 1;
  const number = typeof version === "bigint" ? Number(version) : version;
  if (typeof number !== "number") throw new PythonJsonError(`version is ${show(number)}`, 0);
  return number;
}

/** The error for a JSON file with a version that this code does not know. */
export function newerVersion(path: string, version: number, supported: number): SdaError {
  return new SdaError(
    "ERR_SDA_VERSION",
    `${path} has version ${version}, newer than supported (${supported})`,
    { path, version, supported },
  );
}

/**
 * Reads the value after a key. A readable entry gets the text that Python would write; an
 * unreadable one keeps its own text.
 */
function readEntry(parser: PythonJsonParser, id: string, start: number): EntryRecord {
  const value = parser.value(2);
  const entry = entryFromPython(value);
  if (typeof entry === "string") {
    const text = parser.text.slice(start, parser.position);
    return { id, text: Buffer.from(text), entry: null, problem: entry };
  }
  const text = Buffer.from(`${pythonString(id)}: ${writePythonJson(value, 2)}`);
  return { id, text, entry, isOdd: true };
}

/** @throws TypeError: not UTF-8 */
export function decode(bytes: Uint8Array): string {
  return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
}
