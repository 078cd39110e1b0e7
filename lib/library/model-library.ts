import { badArgument, checkInteger, checkOptions } from "../base/check.js";
import { SdaError } from "../base/errors.js";
import type { GenerationName } from "../format/generations.js";
import type { ModelWeights } from "../format/new-file.js";
import { FileFacts } from "./file-facts.js";
import {
  checkEntry,
  checkId,
  isField,
  type ModelEntry,
  type NewModelEntry,
} from "./index/entry.js";
import type { IndexImage, Patch } from "./index/index-image.js";
import { checkLockOptions, LOCK_OPTIONS, type LockOptions } from "./index/lock.js";
import { checkLockKind, type LockKind } from "./index/lock-kind.js";
import type { IndexQueue, IndexStore } from "./index/store.js";
import {
  checkSearchOptions,
  type ListOptions,
  type PageOptions,
  Search,
  type SearchOptions,
} from "./search/search.js";
import type { ModelChanges } from "./writes/changes.js";
import type { ImportOptions } from "./writes/convert.js";
import { newOrOpenIndex, openIndex } from "./writes/open-index.js";
import type { RepairOptions, RepairResult } from "./writes/repair.js";
import type { SavableModel, SaveOptions } from "./writes/save.js";

/** Options of `ModelLibrary.open`. */
export interface OpenOptions {
  /** Create the folder if it is missing; default false */
  create?: boolean;
  /**
   * How the folder's writers exclude each other; default "flock". Network file systems without
   * `flock` need "file".
   */
  lock?: LockKind;
}

/**
 * The models of a folder, as its index lists them. Reading takes no lock and never waits: it sees
 * the index as it was when the library was opened, with this library's own changes. `refresh()`
 * reads the changes of others.
 *
 * A change is durable on disk when its promise resolves. Several processes may change a library at
 * the same time, and the Python program may be one of them. Changes that wait for the lock at the
 * same time are written together.
 *
 * Entries are frozen and shared with other callers. To change an entry, add a copy:
 * `{ ...entry, name }`.
 *
 * @example
 * ```js
 * const library = await ModelLibrary.open("data/models");
 * for (const { name, filePath } of library.search({ query: "drums", sortBy: "name" })) {
 *   console.log(name, filePath);
 * }
 * ```
 */
export class ModelLibrary {
  readonly #store: IndexStore;
  readonly #queue: IndexQueue;
  readonly #facts = new FileFacts();
  #search: { image: IndexImage; search: Search } | undefined;

  private constructor(queue: IndexQueue) {
    this.#store = queue.store;
    this.#queue = queue;
  }

  /**
   * Reads the index of a folder. Without an index, the library is empty: `repairIndex` adds the
   * folder's model files. If the folder can't be changed, the model files are listed right away. A
   * damaged index is replaced by its backup and the model files that the backup lacks or, if the
   * backup is damaged too, by a new index made from the model files. A process warning reports
   * this, and the damaged index is kept under another name.
   *
   * An index of a later version than this code knows can be read, but not changed: see
   * `isWritable`. A process warning (SDA_INDEX_NEWER) reports it.
   *
   * @throws SdaError ERR_SDA_NOT_FOUND: no such folder; ERR_SDA_ARGUMENT: the path is not a folder;
   *   ERR_SDA_LIMIT: the index is too long; ERR_SDA_LOCKED; ERR_SDA_IO
   * @example
   * ```js
   * const library = await ModelLibrary.open("data/models", { create: true });
   * console.log(library.count());
   * ```
   */
  static async open(modelsDir: string | URL, options: OpenOptions = {}): Promise<ModelLibrary> {
    checkOptions("options", options, ["create", "lock"]);
    const lock = checkLockKind(options.lock);
    if (options.create) return new ModelLibrary(await newOrOpenIndex(modelsDir, lock)());
    return new ModelLibrary(await openIndex(modelsDir, lock));
  }

  /** The folder's absolute path. */
  get modelsDir(): string {
    return this.#store.folder.path;
  }

  /**
   * The version of the index: 1, or 2, which has vocoders. An index of version 1 becomes one of
   * version 2 with the first `.distillgan` file or vocoder that an entry describes.
   */
  get indexVersion(): number {
    return this.#store.image.version;
  }

  /**
   * Whether this code can change the library. False for an index of a later version: its entries
   * are listed as far as they can be read, and every change throws ERR_SDA_VERSION.
   */
  get isWritable(): boolean {
    return !this.#store.image.isNewer;
  }

  /**
   * The entry with this id; null when there is none.
   *
   * @throws SdaError ERR_SDA_ARGUMENT: the id is not a string
   */
  get(id: string): ModelEntry | null {
    return this.#store.image.get(checkId(id));
  }

  /** The number of entries. */
  count(): number {
    return this.#store.image.count;
  }

  /**
   * All entries, by default sorted by save date, newest first.
   *
   * @throws SdaError ERR_SDA_ARGUMENT (`details.option`)
   */
  listAll(options: ListOptions = {}): ModelEntry[] {
    checkOptions("options", options, ["sortBy", "reverse"]);
    return this.search({ ...options, query: "", tags: [] });
  }

  /**
   * The entries that match both the query and the tags.
   *
   * @throws SdaError ERR_SDA_ARGUMENT (`details.option`)
   * @example
   * ```js
   * const library = await ModelLibrary.open("data/models");
   * const newest = library.search({ query: "pad", sortBy: "saveDate" })[0];
   * console.log(newest?.name);
   * ```
   */
  search(options: SearchOptions = {}): ModelEntry[] {
    return this.#searching(options).find(options);
  }

  /**
   * The given fields of every entry that `search` finds. For many entries, this is faster than
   * `search`, which creates an object with all fields for each entry at its first use.
   *
   * @throws SdaError ERR_SDA_ARGUMENT
   */
  pick<K extends keyof ModelEntry>(
    fields: readonly K[],
    options: SearchOptions = {},
  ): Pick<ModelEntry, K>[] {
    if (!Array.isArray(fields) || !fields.every(isField)) {
      throw badArgument("fields", "an array of field names of an entry", fields);
    }
    const search = this.#searching(options);
    const { image } = this.#store;
    return Array.from(search.slots(options), (slot) => {
      const picked: Record<string, unknown> = {};
      for (const field of fields) picked[field] = image.value(slot, field);
      return picked as Pick<ModelEntry, K>;
    });
  }

  /**
   * One page of the entries that `search` finds. All matches are counted; entry objects are created
   * only for this page.
   *
   * @returns entries `offset` to `offset + limit - 1`, and the number of all matches
   * @throws SdaError ERR_SDA_ARGUMENT (`details.option`)
   * @example
   * ```js
   * const library = await ModelLibrary.open("data/models");
   * const { entries, total } = library.searchPage({ query: "", offset: 0, limit: 20 });
   * console.log(`${entries.length} of ${total}`);
   * ```
   */
  searchPage(options: SearchOptions & PageOptions): { entries: ModelEntry[]; total: number } {
    const search = this.#searching(options, true);
    const { offset = 0, limit } = options;
    checkInteger("offset", offset, 0, Number.MAX_SAFE_INTEGER);
    checkInteger("limit", limit, 0, Number.MAX_SAFE_INTEGER);
    const found = search.slots(options);
    const { image } = this.#store;
    const entries = Array.from(found.slice(offset, offset + limit), (slot) => image.entry(slot));
    return { entries, total: found.length };
  }

  #searching(options: SearchOptions, isPage = false): Search {
    checkSearchOptions(options, isPage);
    const { image } = this.#store;
    if (this.#search?.image !== image) this.#search = { image, search: new Search(image) };
    return this.#search.search;
  }

  /**
   * Adds an entry. An entry with the same id is replaced and keeps its place in the index, and its
   * fields that only later versions of the program know. Without `vocoder`, the entry has none.
   *
   * @throws SdaError ERR_SDA_ARGUMENT: `details.option` names the bad field. The id is refused when
   *   it belongs to an entry that can't be read (warning SDA_ENTRY_SKIPPED): such an entry is never
   *   overwritten. ERR_SDA_LOCKED: another process has held the lock for `lockTimeoutMs`.
   *   ERR_SDA_IO: nothing has changed. ERR_SDA_VERSION: the index is newer than supported.
   *   `signal.reason`
   */
  addEntry(entry: NewModelEntry, options?: LockOptions): Promise<void> {
    return this.addEntries([entry], options);
  }

  /**
   * Adds all entries or none: when one entry is refused or the index can't be written, nothing
   * changes.
   *
   * @throws SdaError as `addEntry`
   */
  async addEntries(entries: NewModelEntry[], options: LockOptions = {}): Promise<void> {
    checkOptions("options", options, LOCK_OPTIONS);
    checkLockOptions(options);
    if (!Array.isArray(entries)) throw badArgument("entries", "an array", entries);
    const checked = entries.map(checkEntry);
    await this.#store.mustBeWritable();
    await this.#queue.change((patch: Patch) => {
      for (const entry of checked) patch.checkAdding(entry.modelId);
      for (const entry of checked) patch.add(entry);
    }, options);
  }

  /**
   * Removes an entry. The model's file stays, and `repairIndex` adds it again. `delete` removes the
   * entry and the file.
   *
   * @returns false: there is no such entry
   * @throws SdaError as `addEntry`
   */
  async remove(id: string, options: LockOptions = {}): Promise<boolean> {
    checkId(id);
    checkOptions("options", options, LOCK_OPTIONS);
    checkLockOptions(options);
    await this.#store.mustBeWritable();
    return this.#queue.change((patch: Patch) => patch.remove(id), options);
  }

  /**
   * Adds a model file or a training checkpoint from elsewhere to the library. Its content decides
   * which of the two it is. A model file is copied value for value, under a file name made from the
   * model's name. A checkpoint is converted to a model file without the optimizer's state. The
   * library's own models stay: if the library has the file's id already, the new model gets another
   * id.
   *
   * @returns the new entry; its `filePath` is relative to the folder
   * @throws SdaError as `importModel`. The library is unchanged then.
   * @example
   * ```js
   * const library = await ModelLibrary.open("data/models");
   * const entry = await library.import("checkpoint.pt", { metadata: { name: "Warm Pads" } });
   * console.log(entry.modelId);
   * ```
   */
  async import(file: string | URL, options: ImportOptions = {}): Promise<ModelEntry> {
    const { importInto } = await import("./writes/add.js");
    return importInto(async () => this.#queue, file, options);
  }

  /**
   * Writes a new model file and adds its entry. The content of a loaded model's file, weights
   * included, is copied value for value. An entry with the same id is replaced; its file stays.
   *
   * @param source a `LoadedModel`, or weights
   * @returns the new entry; its `filePath` is relative to the folder
   * @throws SdaError as `saveModel`. The library is unchanged then.
   * @example
   * ```js
   * const library = await ModelLibrary.open("data/models");
   * const model = await loadModel("data/models/pads.sda");
   * const entry = await library.save(model, { metadata: { name: "Pads, second take" } });
   * console.log(entry.filePath);
   * model.dispose();
   * ```
   */
  async save(source: SavableModel | ModelWeights, options: SaveOptions = {}): Promise<ModelEntry> {
    const { saveInto } = await import("./writes/save.js");
    return saveInto(async () => this.#queue, source, options);
  }

  /**
   * Changes a model's name, description, tags or slider labels, in its file and in its entry. The
   * file keeps its name. See `updateModel`.
   *
   * @returns the updated entry; if the changes make no difference, nothing is written
   * @throws SdaError as `updateModel`. Nothing has changed then.
   * @example
   * ```js
   * const library = await ModelLibrary.open("data/models");
   * const [{ modelId }] = library.search({ query: "Kitchen Drums" });
   * const entry = await library.update(modelId, { tags: ["drums", "lo-fi"] });
   * console.log(entry.tags);
   * ```
   */
  async update(id: string, changes: ModelChanges, options: LockOptions = {}): Promise<ModelEntry> {
    const { updateIn } = await import("./writes/update.js");
    return updateIn(this.#store, id, changes, options);
  }

  /**
   * Deletes a model: its file and its entry. See `deleteModel`.
   *
   * @returns false: there is no such model
   * @throws SdaError as `deleteModel`. Nothing is deleted then.
   * @example
   * ```js
   * const library = await ModelLibrary.open("data/models");
   * const [{ modelId }] = library.search({ query: "Kitchen Drums" });
   * console.log(await library.delete(modelId)); // true
   * ```
   */
  async delete(id: string, options: LockOptions = {}): Promise<boolean> {
    const { deleteFrom } = await import("./writes/delete.js");
    return deleteFrom(this.#store, id, options);
  }

  /**
   * Makes the index agree with the folder: removes entries whose file is missing, adds an entry for
   * each model file that has none, and updates the size and the vocoder of entries whose file has
   * others, as after the program's `train-vocoder`. Model files that can't be read are left alone;
   * `onProgress` and a process warning report those without an entry.
   *
   * @throws SdaError ERR_SDA_ARGUMENT, ERR_SDA_VERSION, ERR_SDA_LOCKED, ERR_SDA_IO; `signal.reason`
   * @example
   * ```js
   * const library = await ModelLibrary.open("data/models");
   * const { added, removed, updated, unreadable } = await library.repairIndex();
   * console.log(added, removed, updated, unreadable);
   * ```
   */
  async repairIndex(options?: RepairOptions): Promise<RepairResult> {
    const { repairIndex } = await import("./writes/repair.js"); // loads the readers of model files
    return repairIndex(this.#store, options);
  }

  /**
   * Reads the index again if others have changed it. A damaged index is replaced as by `open`.
   *
   * @returns true: the index had changed on disk
   * @throws SdaError ERR_SDA_LIMIT, ERR_SDA_LOCKED, ERR_SDA_IO
   */
  refresh(): Promise<boolean> {
    return this.#store.refresh();
  }

  /**
   * The absolute path of a model's file. The file may be missing.
   *
   * @returns null: there is no such model
   * @throws SdaError ERR_SDA_ARGUMENT: the id is not a string; ERR_SDA_UNSAFE: the entry's path
   *   leads out of the folder
   */
  async pathOf(id: string): Promise<string | null> {
    const entry = this.get(id);
    return entry && this.#store.folder.resolve(entry.filePath);
  }

  /**
   * Tells which version of the program wrote a model's file. The file is read once for each of its
   * states: about 0.2 ms, whatever its size. The index does not have this, because the Python
   * program drops entries with fields that it does not know.
   *
   * @param model an entry, or its id
   * @throws SdaError ERR_SDA_NOT_FOUND: there is no such entry, or its file is missing; errors of
   *   the file as `readMetadata`; ERR_SDA_UNSAFE: the entry's path leads out of the folder
   * @example
   * ```js
   * const library = await ModelLibrary.open("data/models");
   * for (const entry of library.listAll()) {
   *   console.log(entry.name, await library.generationOf(entry));
   * }
   * ```
   */
  async generationOf(model: ModelEntry | string): Promise<GenerationName> {
    const id = typeof model === "string" ? model : checkId(model?.modelId);
    const path = await this.pathOf(id);
    if (path === null) {
      const problem = `${this.modelsDir} has no model with the id ${JSON.stringify(id)}`;
      throw new SdaError("ERR_SDA_NOT_FOUND", problem, { path: this.modelsDir, modelId: id });
    }
    return this.#facts.generationOf(path);
  }
}
