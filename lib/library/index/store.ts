import { access, constants } from "node:fs/promises";
import { fileIdentity } from "../../base/file-identity.js";
import { isSdaError } from "../../base/io-error.js";
import { warn } from "../../base/warnings.js";
import type { ModelsFolder } from "./folder.js";
import { DamagedIndex, type FoundIndex, newerVersion, readIndex } from "./index-file.js";
import { INDEX_VERSION, IndexImage, Patch } from "./index-image.js";
import { untilWritten } from "./lock.js";
import { SeenIndex } from "./seen-index.js";
import { canFlock } from "./try-lock.js";
import { writeIndex } from "./write-index.js";
import type { Store, WriteQueue } from "./write-queue.js";

/** With this much clutter beyond its number of entries, an image is read again from the file. */
const MAX_CLUTTER = 8192;

const NO_INDEX = (): FoundIndex => ({ image: new IndexImage(), identity: null, content: [] });

/** Whether this process may make an index in the folder. */
async function canChange(folder: ModelsFolder): Promise<boolean> {
  try {
    await access(folder.path, constants.W_OK);
  } catch {
    return false;
  }
  return folder.lockKind !== "flock" || canFlock(folder.path);
}

/** The changes of a folder's index. */
export type IndexQueue = WriteQueue<Patch, IndexStore>;

/** A folder's index, on disk and in memory. */
export class IndexStore implements Store<Patch> {
  readonly folder: ModelsFolder;
  #image = new IndexImage();
  /** The file that the image was read from or written to; undefined: not read yet. */
  #seen: SeenIndex | undefined;
  /** The folder's identity when its files were listed for want of an index; otherwise null. */
  #listed: string | null = null;
  /** Counts the changes of `#image`. */
  #generation = 0;
  readonly #warnedOf = new Set<string>();
  /** The newer version that a warning has reported. */
  #warnedOfVersion = INDEX_VERSION;

  constructor(folder: ModelsFolder) {
    this.folder = folder;
  }

  get image(): IndexImage {
    return this.#image;
  }

  /**
   * Checks, in memory, that the index is not of a newer version.
   *
   * @throws SdaError ERR_SDA_VERSION
   */
  checkWritable(): void {
    const { version, isNewer } = this.#image;
    if (isNewer) throw newerVersion(this.folder.index, version, INDEX_VERSION);
  }

  /**
   * As `checkWritable`, but looks at the file before it refuses.
   *
   * @throws SdaError ERR_SDA_VERSION, ERR_SDA_IO, ERR_SDA_LOCKED
   */
  async mustBeWritable(): Promise<void> {
    if (!this.#image.isNewer) return;
    await this.refresh();
    this.checkWritable();
  }

  /**
   * Reads the index if the file has changed. A damaged index is replaced, see `recoverIndex`.
   *
   * @param locked whether the caller holds the lock; a recovery takes it otherwise
   * @returns whether the index was read
   * @throws SdaError ERR_SDA_IO, ERR_SDA_LOCKED, ERR_SDA_LIMIT
   */
  async refresh(locked = false): Promise<boolean> {
    for (;;) {
      const generation = this.#generation;
      const isStill = await this.#isUnchanged();
      if (generation !== this.#generation) continue;
      if (isStill) return false;
      const found = await this.#readOrRecover(locked);
      // A change was made during the read, so the result may lack it: read again.
      if (generation !== this.#generation) continue;
      this.#set(found.image, new SeenIndex(found.identity, found.content));
      this.#warnOfNewer();
      this.#warnOfUnknown();
      return true;
    }
  }

  /**
   * Changes the index on disk and in memory. The caller must hold the lock. `change` gets a patch
   * of the index that is on disk now. If a program that takes no lock writes the index in the
   * meantime, `change` is called again with a new patch. If `change` throws or the index can't be
   * written, nothing has changed.
   *
   * @throws SdaError ERR_SDA_LOCKED: for `LOCK_TIMEOUT_MS`, other programs have written the index
   *   during each attempt; ERR_SDA_VERSION: the index is newer than supported
   */
  async transact(change: (patch: Patch) => void | Promise<void>): Promise<void> {
    await untilWritten(this.folder, async () => {
      await this.refresh(true);
      this.checkWritable();
      const image = this.#image;
      const expected = this.#seen as SeenIndex;
      const patch = new Patch(image);
      await change(patch);
      if (patch.isEmpty) return true;
      const pieces = image.assemble(patch);
      const identity = await writeIndex(this.folder, pieces, expected);
      if (identity === null) return false;
      const isUpgrade = patch.version !== image.version;
      image.apply(patch);
      this.#set(image, new SeenIndex(identity, pieces));
      // The next refresh reads the file and makes a new image.
      if (isUpgrade || image.clutter > MAX_CLUTTER + image.count) this.#seen = undefined;
      return true;
    });
  }

  async #isUnchanged(): Promise<boolean> {
    if (!(await this.#seen?.isStill(this.folder.index))) return false;
    return this.#listed === null || (await fileIdentity(this.folder.path)) === this.#listed;
  }

  #set(image: IndexImage, seen: SeenIndex): void {
    this.#image = image;
    this.#seen = seen;
    this.#generation++;
  }

  async #readOrRecover(locked: boolean): Promise<FoundIndex> {
    this.#listed = null;
    try {
      return await readIndex(this.folder.index);
    } catch (error) {
      const missing = isSdaError(error, "ERR_SDA_NOT_FOUND");
      if (!missing && !(error instanceof DamagedIndex)) throw error;
      // Without a backup, the folder never had an index. Start empty, as the Python program does.
      if (missing && (await fileIdentity(this.folder.backup)) === null) {
        if (await canChange(this.folder)) return NO_INDEX();
        const { listFiles } = await import("./recover.js");
        this.#listed = await fileIdentity(this.folder.path);
        return listFiles(this.folder);
      }
      const { recoverIndex } = await import("./recover.js");
      return recoverIndex(this.folder, locked);
    }
  }

  #warnOfNewer(): void {
    const { version, isNewer } = this.#image;
    if (!isNewer || version === this.#warnedOfVersion) return;
    this.#warnedOfVersion = version;
    const problem = `version ${version} is newer than supported (${INDEX_VERSION})`;
    warn(
      "SDA_INDEX_NEWER",
      `${this.folder.index}: ${problem}; models are listed as far as possible, and none is changed`,
    );
  }

  #warnOfUnknown(): void {
    for (const { id, problem } of this.#image.unknown()) {
      if (this.#warnedOf.has(id)) continue;
      this.#warnedOf.add(id);
      warn(
        "SDA_ENTRY_SKIPPED",
        `${this.folder.index}: skipped the entry ${JSON.stringify(id)}, which is kept: ${problem}`,
      );
    }
  }
}
