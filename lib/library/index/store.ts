import { SdaError } from "../../base/errors.js";
import { fileIdentity } from "../../base/file-identity.js";
import { isSdaError } from "../../base/io-error.js";
import { warn } from "../../base/warnings.js";
import type { ModelsFolder } from "./folder.js";
import { DamagedIndex, readIndex } from "./index-file.js";
import { IndexImage, Patch } from "./index-image.js";
import { LOCK_TIMEOUT_MS } from "./lock.js";
import { writeIndex } from "./write-index.js";

/** From here on, an image with many changes is replaced by a fresh one. */
const MAX_CLUTTER = 8192;

const UNREAD = Symbol("unread");

/** A folder's index on disk and in memory. */
export class IndexStore {
  readonly folder: ModelsFolder;
  #image = new IndexImage();
  /** Of the file that the image was read from or written to; null: no file. */
  #identity: string | null | typeof UNREAD = UNREAD;
  #generation = 0;
  readonly #warnedOf = new Set<string>();

  constructor(folder: ModelsFolder) {
    this.folder = folder;
  }

  get image(): IndexImage {
    return this.#image;
  }

  /**
   * Reads the index if it is another than before. A damaged one is replaced, see `recoverIndex`; that takes the lock
   * unless it is held already.
   *
   * @returns whether it was read
   * @throws SdaError ERR_SDA_VERSION, ERR_SDA_IO, ERR_SDA_LOCKED
   */
  async refresh(locked = false): Promise<boolean> {
    for (;;) {
      const generation = this.#generation;
      const identity = await fileIdentity(this.folder.index);
      if (identity === this.#identity) return false;
      const found = await this.#readOrRecover(locked);
      // While this was read, a change may have been made, which what was read may lack.
      if (generation !== this.#generation) continue;
      this.#set(found.image, found.identity);
      this.#warnOfUnknown();
      return true;
    }
  }

  /**
   * Changes the index on disk and in memory. The lock must be held. `change` starts from what is on disk now, and is
   * called again, with a new patch, if another program writes the index meanwhile. When it fails or the index can't be
   * written, nothing has changed.
   *
   * @throws SdaError ERR_SDA_LOCKED: programs that take no lock have come between for as long as one waits for the lock
   */
  async transact(change: (patch: Patch) => void | Promise<void>): Promise<void> {
    const deadline = performance.now() + LOCK_TIMEOUT_MS;
    for (;;) {
      await this.refresh(true);
      const image = this.#image;
      const expected = this.#identity as string | null;
      const patch = new Patch(image);
      await change(patch);
      if (patch.isEmpty) return;
      const identity = await writeIndex(this.folder, image.assemble(patch), expected);
      if (identity === null) {
        if (performance.now() < deadline) continue;
        throw new SdaError(
          "ERR_SDA_LOCKED",
          `Another program has been changing ${this.folder.index} for ${LOCK_TIMEOUT_MS / 1000} s without a pause`,
          { path: this.folder.index, timeoutMs: LOCK_TIMEOUT_MS },
        );
      }
      image.apply(patch);
      this.#set(image, identity);
      if (image.clutter > MAX_CLUTTER + image.count) this.#identity = UNREAD; // the next one starts afresh
      return;
    }
  }

  #set(image: IndexImage, identity: string | null): void {
    this.#image = image;
    this.#identity = identity;
    this.#generation++;
  }

  async #readOrRecover(locked: boolean): Promise<{ image: IndexImage; identity: string | null }> {
    try {
      return await readIndex(this.folder.index);
    } catch (error) {
      const missing = isSdaError(error, "ERR_SDA_NOT_FOUND");
      if (!missing && !(error instanceof DamagedIndex)) throw error;
      // The Python program starts with an empty index, too; without a backup there has been none.
      if (missing && (await fileIdentity(this.folder.backup)) === null) {
        return { image: new IndexImage(), identity: null };
      }
      const { recoverIndex } = await import("./recover.js");
      return recoverIndex(this.folder, locked);
    }
  }

  #warnOfUnknown(): void {
    for (const { id, problem } of this.#image.unknown()) {
      if (this.#warnedOf.has(id)) continue;
      this.#warnedOf.add(id);
      warn(
        "SDA_ENTRY_SKIPPED",
        `${this.folder.index}: the entry ${JSON.stringify(id)} is skipped, and kept as it is: ${problem}`,
      );
    }
  }
}
