import { show } from "../../base/brief.js";
import { SdaError } from "../../base/errors.js";
import { fileIdentity } from "../../base/file-identity.js";
import { makeFolder } from "../../base/make-folder.js";
import type { PyDict, PyValue } from "../../base/python-json.js";
import { type Fields, readRecord } from "../../base/python-record.js";
import { isMap } from "../../base/realm.js";
import { warn } from "../../base/warnings.js";
import { checkLockOptions, type LockOptions } from "../index/lock.js";
import type { IndexPlace } from "../index/place.js";
import { WriteQueue } from "../index/write-queue.js";
import { Document, type DocumentKind, Draft } from "./document.js";
import { DocumentStore } from "./document-store.js";

/**
 * The records of a folder's document, as objects of the type `T`.
 *
 * The folder need not exist: the first record makes it.
 */
export class DocumentFolder<T extends object> {
  readonly #kind: DocumentKind;
  readonly #fields: Fields<T>;
  /** The field that holds the record's id; the record's key in the file counts */
  readonly #id: keyof T;
  readonly #store: DocumentStore;
  readonly #queue: WriteQueue<Draft, DocumentStore>;
  /** The objects of records, or what is wrong with them. Records are never changed in place. */
  readonly #known = new WeakMap<PyDict, T | string>();
  readonly #warnedOf = new Set<string>();

  private constructor(kind: DocumentKind, place: IndexPlace, fields: Fields<T>, id: keyof T) {
    this.#kind = kind;
    this.#fields = fields;
    this.#id = id;
    this.#store = new DocumentStore(kind, place);
    this.#queue = new WriteQueue(this.#store);
  }

  /** @throws SdaError ERR_SDA_LIMIT, ERR_SDA_LOCKED (of a recovery), ERR_SDA_IO */
  static async open<T extends object>(
    kind: DocumentKind,
    place: IndexPlace,
    fields: Fields<T>,
    id: keyof T,
  ): Promise<DocumentFolder<T>> {
    const folder = new DocumentFolder(kind, place, fields, id);
    await folder.refresh();
    return folder;
  }

  get place(): IndexPlace {
    return this.#store.folder;
  }

  get document(): Document {
    return this.#store.document;
  }

  /** Reads the document if it has changed. @returns whether it was read */
  async refresh(): Promise<boolean> {
    const hasChanged = await this.#store.refresh();
    if (hasChanged) this.#warnOfUnknown();
    return hasChanged;
  }

  /** All readable records, in the file's order. */
  all(): T[] {
    const found: T[] = [];
    for (const [id, value] of this.document.records) {
      const record = this.#read(id, value);
      if (typeof record !== "string") found.push(record);
    }
    return found;
  }

  get(id: string, document = this.document): T | null {
    const value = document.records.get(id);
    const record = value === undefined ? "missing" : this.#read(id, value);
    return typeof record === "string" ? null : record;
  }

  /** @throws SdaError ERR_SDA_NOT_FOUND: there is no readable record with this id */
  require(id: string, document: Document, what: string): T {
    const record = this.get(id, document);
    if (record !== null) return record;
    const path = this.place.index;
    const problem = `${path} has no ${what} with the id ${show(id)}`;
    throw new SdaError("ERR_SDA_NOT_FOUND", problem, { path, id });
  }

  /** @returns false: there is no readable record with this id */
  remove(id: string, draft: Draft): boolean {
    return this.get(id, draft.document) !== null && draft.removeRecord(id);
  }

  /**
   * Changes the document, on disk and in memory.
   *
   * @param run changes the draft and has no other effects, because it may be called more than once.
   *   If it throws, only this change fails, so it must throw before it changes the draft
   * @param create whether the change may make the folder
   * @throws SdaError ERR_SDA_VERSION, ERR_SDA_LOCKED, ERR_SDA_LIMIT, ERR_SDA_IO; `signal.reason`
   */
  async change<R>(run: (draft: Draft) => R, options: LockOptions, create: boolean): Promise<R> {
    checkLockOptions(options);
    options.signal?.throwIfAborted();
    if (create) await makeFolder(this.place.path);
    else if ((await fileIdentity(this.place.path)) === null) {
      return run(new Draft(new Document(this.#kind))); // there is nothing that could change
    }
    return this.#queue.change(run, options);
  }

  #read(id: string, value: PyValue): T | string {
    if (!isMap(value)) return "not an object";
    let record = this.#known.get(value);
    if (record === undefined) {
      // The record's own id is ignored: two records could have the same.
      const named = new Map(value).set(this.#fields[this.#id].name, id);
      record = readRecord(this.#fields, named);
      this.#known.set(value, record);
    }
    return record;
  }

  #warnOfUnknown(): void {
    for (const [id, value] of this.document.records) {
      const problem = this.#read(id, value);
      if (typeof problem !== "string" || this.#warnedOf.has(id)) continue;
      this.#warnedOf.add(id);
      const skipped = `${this.place.index}: skipped the entry ${show(id)}, which is kept`;
      warn("SDA_ENTRY_SKIPPED", `${skipped}: ${problem}`);
    }
  }
}
