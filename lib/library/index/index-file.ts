/** Reading the index: the native scanner where the file has the usual layout, a real parser otherwise. */
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

/** Of the index: the newest that this code knows. */
const INDEX_VERSION = 1;

export interface ReadIndex {
  image: IndexImage;
  /** Of the file, see `identityOf`. */
  identity: string;
}

/** The content is not an index. Whoever reads one decides what to do about it. */
export class DamagedIndex extends Error {
  readonly path: string;

  constructor(path: string, problem: string) {
    super(`${path} is damaged: ${problem}`);
    this.path = path;
  }
}

/**
 * @throws DamagedIndex; SdaError ERR_SDA_NOT_FOUND, ERR_SDA_IO, ERR_SDA_LIMIT, or ERR_SDA_VERSION: newer than supported
 */
export async function readIndex(path: string): Promise<ReadIndex> {
  const addon = checkpointAddon();
  const content = await callNative(addon, undefined, () => addon.readIndex(path));
  const { buffer, byteOffset, length } = content.bytes;
  const bytes = Buffer.from(buffer, byteOffset, length);
  const { identity, layout } = content;
  try {
    const image = (layout && usualImage(bytes, layout)) ?? parseImage(bytes, path);
    return { image, identity };
  } catch (error) {
    if (error instanceof PythonJsonError || error instanceof TypeError) {
      throw new DamagedIndex(path, error.message);
    }
    throw error;
  }
}

/** Null when an entry that looked odd to the scanner is not JSON, which may be the layout's fault. */
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

/** Any JSON text that Python's `json.load` takes. Written again, it has the usual layout. */
function parseImage(bytes: Buffer, path: string): IndexImage {
  const parser = new PythonJsonParser(decode(bytes));
  const entries = new Map<string, EntryRecord>();
  const others = new Map<string, PyValue>();
  parser.space();
  parser.members((key) => {
    if (key !== "models") {
      others.set(key, parser.value(1));
      return;
    }
    entries.clear(); // of keys that repeat, the last one counts
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

/** The value after a key. What we understand gets the text that Python would write, the rest keeps its own. */
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
