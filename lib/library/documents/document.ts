import { SdaError } from "../../base/errors.js";
import {
  type PyDict,
  PythonJsonError,
  PythonJsonLimit,
  type PyValue,
  parsePythonJson,
  pythonString,
  writePythonJson,
} from "../../base/python-json.js";
import { isMap } from "../../base/realm.js";
import { checkLength, damageIn, decode, readBytes, versionOf } from "../index/index-file.js";

/** The longest document that is read: it is parsed on this thread. */
const MOST_BYTES = 64 * 2 ** 20;

/** What distinguishes the documents of one kind: those of presets, or a history. */
export interface DocumentKind {
  /** The newest version that this code writes */
  readonly version: number;
  /** The key of the object that has the records by their id */
  readonly records: string;
  /** The keys of the lists at the top level */
  readonly lists: readonly string[];
  /** The content of a new document, without any record */
  empty(): PyDict;
}

/** A document and the file that it was read from. */
export interface FoundDocument {
  document: Document;
  /** The file's identity, see `identityOf`; null: there is no file */
  identity: string | null;
  /** The file's bytes, in pieces; null: the document is not the file's content */
  content: readonly Uint8Array[] | null;
}

/** The text of each record that has been written once. Records are never changed in place. */
const TEXTS = new WeakMap<PyDict, string>();

/**
 * A JSON file of the Python program: an object with a version, some values, and records by their
 * id. Unknown values and fields keep their places. A document does not change: `Draft` makes a new
 * one.
 */
export class Document {
  readonly kind: DocumentKind;
  readonly root: PyDict;

  constructor(kind: DocumentKind, root: PyDict = kind.empty()) {
    this.kind = kind;
    this.root = root;
  }

  /**
   * @param path in messages
   * @throws DamagedIndex; SdaError ERR_SDA_LIMIT
   */
  static parse(kind: DocumentKind, bytes: Buffer, path: string): Document {
    return damageIn(path, () => {
      checkLength(bytes, path, MOST_BYTES);
      const root = parseLimited(decode(bytes), path);
      if (!isMap(root)) throw new PythonJsonError("expected an object", 0);
      versionOf(root.get("version"));
      const records = root.get(kind.records);
      if (records !== undefined && !isMap(records)) {
        throw new PythonJsonError(`"${kind.records}" is not an object`, 0);
      }
      for (const key of kind.lists) {
        const list = root.get(key);
        if (list !== undefined && !Array.isArray(list)) {
          throw new PythonJsonError(`"${key}" is not a list`, 0);
        }
      }
      return new Document(kind, root);
    });
  }

  /** @throws SdaError ERR_SDA_LIMIT: the text of a document is too long to be read again */
  static checkLength(bytes: Buffer, path: string): void {
    checkLength(bytes, path, MOST_BYTES);
  }

  get version(): number {
    return versionOf(this.root.get("version"));
  }

  get records(): ReadonlyMap<string, PyValue> {
    return (this.root.get(this.kind.records) as PyDict | undefined) ?? NO_RECORDS;
  }

  list(key: string): readonly PyValue[] {
    return (this.root.get(key) as PyValue[] | undefined) ?? [];
  }

  /** The text that Python's `json.dump(indent=2)` writes. */
  text(): string {
    const members = [...this.root].map(([key, value]) => {
      const text = key === this.kind.records ? this.#recordsText() : writePythonJson(value, 1);
      return `\n  ${pythonString(key)}: ${text}`;
    });
    return members.length === 0 ? "{}" : `{${members.join(",")}\n}`;
  }

  #recordsText(): string {
    const items = [...this.records].map(([id, value]) => {
      const text = isMap(value) ? recordText(value) : writePythonJson(value, 2);
      return `\n    ${pythonString(id)}: ${text}`;
    });
    return items.length === 0 ? "{}" : `{${items.join(",")}\n  }`;
  }
}

/** @throws SdaError ERR_SDA_LIMIT: the text may be whole, so it is not treated as damaged */
function parseLimited(text: string, path: string): PyValue {
  try {
    return parsePythonJson(text);
  } catch (error) {
    if (!(error instanceof PythonJsonLimit)) throw error;
    throw new SdaError("ERR_SDA_LIMIT", `${path} has ${error.message}`, { path });
  }
}

const NO_RECORDS: PyDict = new Map();

function recordText(record: PyDict): string {
  let text = TEXTS.get(record);
  if (text === undefined) {
    text = writePythonJson(record, 2);
    TEXTS.set(record, text);
  }
  return text;
}

/** @throws DamagedIndex; SdaError ERR_SDA_NOT_FOUND, ERR_SDA_IO, ERR_SDA_LIMIT */
export async function readDocument(kind: DocumentKind, path: string): Promise<FoundDocument> {
  const { bytes, identity } = await readBytes(path);
  return { document: Document.parse(kind, bytes, path), identity, content: [bytes] };
}

/** Changes of a document that are not written yet. */
export class Draft {
  readonly #document: Document;
  readonly #root: PyDict;
  #records: PyDict | undefined;
  #isEmpty = true;

  constructor(document: Document) {
    this.#document = document;
    this.#root = new Map(document.root);
  }

  /** Whether there are no changes. */
  get isEmpty(): boolean {
    return this.#isEmpty;
  }

  /** The document with these changes. */
  get document(): Document {
    return this.#isEmpty ? this.#document : new Document(this.#document.kind, this.#root);
  }

  /** Sets a value of the top level. */
  set(key: string, value: PyValue): void {
    this.#isEmpty = false;
    this.#root.set(key, value);
  }

  /** Adds or replaces a record. A replaced record keeps its place, as in a Python dict. */
  setRecord(id: string, record: PyDict): void {
    this.#changed().set(id, record);
  }

  /** @returns false: there is no such record */
  removeRecord(id: string): boolean {
    return this.document.records.has(id) && this.#changed().delete(id);
  }

  #changed(): PyDict {
    this.#isEmpty = false;
    if (this.#records === undefined) {
      this.#records = new Map(this.#document.records);
      this.#root.set(this.#document.kind.records, this.#records);
    }
    return this.#records;
  }
}
