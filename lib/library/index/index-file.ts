/**
 * Reads the index. The native scanner handles the layout that Python's `json.dump(indent=2)`
 * writes; a JSON parser handles all other layouts.
 */
import { show } from "../../base/brief.js";
import { SdaError } from "../../base/errors.js";
import { callNative } from "../../native/call.js";
import { checkpointAddon } from "../../native/load.js";
import { entryFromPython } from "./entry.js";
import { type EntryRecord, IndexImage, LAYOUT, USUAL_HEAD, USUAL_REST } from "./index-image.js";
import {
  PythonJsonError,
  PythonJsonParser,
  type PyValue,
  pythonString,
  writePythonJson,
} from "./python-json.js";

/** The newest version of the index that this code can read. */
const INDEX_VERSION = 1;

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

/**
 * @throws DamagedIndex; SdaError ERR_SDA_NOT_FOUND, ERR_SDA_IO, ERR_SDA_LIMIT, ERR_SDA_VERSION
 *   (newer than supported)
 */
export async function readIndex(path: string): Promise<FoundIndex> {
  const addon = checkpointAddon();
  const content = await callNative(addon, undefined, () => addon.readIndex(path));
  const { buffer, byteOffset, length } = content.bytes;
  const bytes = Buffer.from(buffer, byteOffset, length);
  const { identity, layout } = content;
  try {
    const image = (layout && usualImage(bytes, layout)) ?? parseImage(bytes, path);
    return { image, identity, content: [bytes] };
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
  return new IndexImage({ bytes, layout }, records);
}

/** Makes an image of any JSON text that Python's `json.load` accepts. */
function parseImage(bytes: Buffer, path: string): IndexImage {
  if (bytes.length > MOST_PARSED_BYTES) {
    const beginning = bytes.toString("latin1", 0, BEGINNING_BYTES).trimStart();
    if (!beginning.startsWith("{"))
      throw new DamagedIndex(path, "it does not begin with an object");
    const mebibytes = Math.round(bytes.length / 2 ** 20);
    const layout = "another layout than json.dump(indent=2) writes";
    const problem = `${path} has ${mebibytes} MiB in ${layout}`;
    const most = `at most ${MOST_PARSED_BYTES / 2 ** 20} MiB are read`;
    throw new SdaError("ERR_SDA_LIMIT", `${problem}; ${most}`, {
      path,
      bytes: bytes.length,
      limit: MOST_PARSED_BYTES,
    });
  }
  const parser = new PythonJsonParser(decode(bytes));
  const entries = new Map<string, EntryRecord>();
  const others = new Map<string, PyValue>();
  parser.space();
  parser.members((key) => {
    if (key !== "models") {
      others.set(key, parser.value(1));
      return;
    }
    entries.clear(); // if a key repeats, its last value counts
    parser.space();
    parser.members((id, start) => {
      entries.set(id, readEntry(parser, id, start));
    });
  });
  parser.end();
  checkVersion(others.get("version"), path);
  others.delete("version");
  const rest = [...others].map(
    ([key, value]) => `,\n  ${pythonString(key)}: ${writePythonJson(value, 1)}`,
  );
  return new IndexImage(
    undefined,
    [...entries.values()].map((record, slot) => [slot, record]),
    USUAL_HEAD,
    rest.join("") + USUAL_REST,
  );
}

function checkVersion(version: PyValue | undefined, path: string): void {
  if (version === undefined || version === null) return;
  const number = typeof version === "bigint" ? Number(version) : version;
  if (typeof number !== "number") throw new PythonJsonError(`version is ${show(number)}`, 0);
  if (number > INDEX_VERSION) {
    throw new SdaError(
      "ERR_SDA_VERSION",
      `${path} has version ${number}, newer than supported (${INDEX_VERSION})`,
      { path, version: number, supported: INDEX_VERSION },
    );
  }
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
  return { id, text: Buffer.from(`${pythonString(id)}: ${writePythonJson(value, 2)}`), entry };
}

function decode(bytes: Uint8Array): string {
  return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
}
