import { readdir, unlink } from "node:fs/promises";
import { basename } from "node:path";
import { fileIdentity } from "../../base/file-identity.js";
import { isSdaError } from "../../base/io-error.js";
import { DamagedIndex, newerVersion } from "../index/index-file.js";
import { untilWritten } from "../index/lock.js";
import { type IndexPlace, temporaryPattern } from "../index/place.js";
import { SeenIndex } from "../index/seen-index.js";
import { writeIndex } from "../index/write-index.js";
import type { Store } from "../index/write-queue.js";
import {
  Document,
  type DocumentKind,
  Draft,
  type FoundDocument,
  readDocument,
} from "./document.js";

/** A folder's document, on disk and in memory. */
export class DocumentStore implements Store<Draft> {
  readonly folder: IndexPlace;
  readonly #kind: DocumentKind;
  #document: Document;
  /** The file that the document was read from or written to; undefined: not read yet. */
  #seen: SeenIndex | undefined;
  /** Counts the changes of `#document`. */
  #generation = 0;
  #isTidy = false;

  constructor(kind: DocumentKind, folder: IndexPlace) {
    this.folder = folder;
    this.#kind = kind;
    this.#document = new Document(kind);
  }

  get document(): Document {
    return this.#document;
  }

  /**
   * Reads the document if the file has changed. A damaged document is replaced, see
   * `recoverDocument`.
   *
   * @param locked whether the caller holds the lock; a recovery takes it otherwise
   * @returns whether the document was read
   * @throws SdaError ERR_SDA_IO, ERR_SDA_LIMIT, ERR_SDA_LOCKED
   */
  async refresh(locked = false): Promise<boolean> {
    for (;;) {
      const generation = this.#generation;
      const isStill = (await this.#seen?.isStill(this.folder.index)) ?? false;
      if (generation !== this.#generation) continue;
      if (isStill) return false;
      const found = await this.#readOrRecover(locked);
      // A change was made during the read, so the result may lack it: read again.
      if (generation !== this.#generation) continue;
      this.#set(found.document, new SeenIndex(found.identity, found.content));
      return true;
    }
  }

  /**
   * Changes the document on disk and in memory. The caller must hold the lock. `change` gets a
   * draft of the document that is on disk now. If a program that takes no lock writes the file in
   * the meantime, `change` is called again with a new draft. If `change` throws or the file can't
   * be written, nothing has changed.
   *
   * @throws SdaError ERR_SDA_VERSION: the file is newer than supported, so it may mean something
   *   that a change would break; ERR_SDA_LOCKED: for `LOCK_TIMEOUT_MS`, other programs have written
   *   the file during each attempt; ERR_SDA_LIMIT, ERR_SDA_IO
   */
  async transact(change: (draft: Draft) => void): Promise<void> {
    await this.#tidy();
    await untilWritten(this.folder, async () => {
      await this.refresh(true);
      const { index } = this.folder;
      const { version } = this.#document;
      if (version > this.#kind.version) throw newerVersion(index, version, this.#kind.version);
      const draft = new Draft(this.#document);
      change(draft);
      if (draft.isEmpty) return true;
      const { document } = draft;
      const bytes = Buffer.from(document.text());
      Document.checkLength(bytes, index);
      const identity = await writeIndex(this.folder, [bytes], this.#seen as SeenIndex);
      if (identity === null) return false;
      this.#set(document, new SeenIndex(identity, [bytes]));
      return true;
    });
  }

  #set(document: Document, seen: SeenIndex): void {
    this.#document = document;
    this.#seen = seen;
    this.#generation++;
  }

  async #readOrRecover(locked: boolean): Promise<FoundDocument> {
    const { index, backup } = this.folder;
    try {
      return await readDocument(this.#kind, index);
    } catch (error) {
      const missing = isSdaError(error, "ERR_SDA_NOT_FOUND");
      if (!missing && !(error instanceof DamagedIndex)) throw error;
      // Without a backup, there never was a document. Start empty, as the Python program does.
      if (missing && (await fileIdentity(backup)) === null) {
        return { document: new Document(this.#kind), identity: null, content: [] };
      }
      const { recoverDocument } = await import("./recover.js");
      return recoverDocument(this.#kind, this.folder, locked);
    }
  }

  /** Removes the temporary files of killed processes. The caller must hold the lock. */
  async #tidy(): Promise<void> {
    // Without a lock, another process may be in the middle of a change.
    if (this.#isTidy || this.folder.lockKind === "none") return;
    this.#isTidy = true;
    const pattern = temporaryPattern(basename(this.folder.index));
    for (const name of await readdir(this.folder.path).catch(() => [])) {
      if (pattern.test(name)) await unlink(this.folder.join(name)).catch(() => {});
    }
  }
}
