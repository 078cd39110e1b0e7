import { badArgument, checkInteger, checkOptions } from "../base/check.js";
import type { ModelWeights } from "../format/new-file.js";
import { checkEntry, checkId, isField, type ModelEntry } from "./index/entry.js";
import type { IndexImage, Patch } from "./index/index-image.js";
import { checkLockOptions, LOCK_OPTIONS, type LockOptions } from "./index/lock.js";
import type { IndexStore } from "./index/store.js";
import type { WriteQueue } from "./index/write-queue.js";
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

/** How to open a library. */
export interface OpenOptions {
  /** Make the folder when it is missing; default false */
  create?: boolean;
}

/**
 * The models of a folder, as its index lists them. Reading needs no lock and never waits; it sees the folder as it was
 * when the library was opened, with this library's own changes, until `refresh()`.
 *
 * Changes are on disk, for good, when their promise resolves. Any number of processes may make them at once, the Python
 * program among them. Changes that wait together are written together.
 *
 * Entries are frozen, and shared with other callers: to change one, add a copy, `{ ...entry, name }`.
 */
export class ModelLibrary {
  readonly #store: IndexStore;
  readonly #queue: WriteQueue;
  #search: { image: IndexImage; search: Search } | undefined;

  private constructor(queue: WriteQueue) {
    this.#store = queue.store;
    this.#queue = queue;
  }

  /**
   * Reads the index. A folder without one has an empty library, see `repairIndex`. A damaged index is replaced by its
   * backup, or by a new one from the files: a process warning tells, and the damaged file is kept beside it.
   *
   * @throws SdaError ERR_SDA_NOT_FOUND: no such folder; ERR_SDA_VERSION: an index newer than supported; ERR_SDA_IO
   */
  static async open(modelsDir: string | URL, options: OpenOptions = {}): Promise<ModelLibrary> {
    checkOptions("options", options, ["create"]);
    if (options.create) return new ModelLibrary(await newOrOpenIndex(modelsDir)());
    return new ModelLibrary(await openIndex(modelsDir));
  }

  /** The folder's absolute path. */
  get modelsDir(): string {
    return this.#store.folder.path;
  }

  /**
   * The entry with this id; null when there is none.
   *
   * @throws SdaError ERR_SDA_ARGUMENT: the id is not a string
   */
  get(id: string): ModelEntry | null {
    return this.#store.image.get(checkId(id));
  }

  /** How many entries there are. */
  count(): number {
    return this.#store.image.count;
  }

  /**
   * All entries, by default the latest saved first.
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
   */
  search(options: SearchOptions = {}): ModelEntry[] {
    return this.#searching(options).find(options);
  }

  /**
   * These fields alone of each entry that `search` finds: quicker than whole entries where there are many that nobody has
   * looked at yet.
   *
   * @throws SdaError ERR_SDA_ARGUMENT
   */
  pick<K extends keyof ModelEntry>(
    fields: readonly K[],
    options: SearchOptions = {},
  ): Pick<ModelEntry, K>[] {
    if (!Array.isArray(fields) || !fields.every(isField)) {
      throw badArgument("fields", "an array of names of an entry's fields", fields);
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
   * The entries `offset` to `offset + limit` of those that `search` finds, and how many it finds. Those of other pages are
   * looked for, too, but not made, which takes the longer part of the time where there are many.
   *
   * @throws SdaError ERR_SDA_ARGUMENT (`details.option`)
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
   * Adds an entry; one with the same id is replaced, and keeps its place.
   *
   * @throws SdaError ERR_SDA_ARGUMENT: `details.option` names the field, which is the id when an entry has it that can't
   *   be read (see the warning SDA_ENTRY_SKIPPED) and so is not overwritten; ERR_SDA_LOCKED: another process has been
   *   changing the library for 30 s; ERR_SDA_IO: nothing has changed; `signal.reason`
   */
  addEntry(entry: ModelEntry, options?: LockOptions): Promise<void> {
    return this.addEntries([entry], options);
  }

  /** Adds all of them or, when one is refused or they can't be written, none. Throws as `addEntry`. */
  async addEntries(entries: ModelEntry[], options: LockOptions = {}): Promise<void> {
    checkOptions("options", options, LOCK_OPTIONS);
    checkLockOptions(options);
    if (!Array.isArray(entries)) throw badArgument("entries", "an array", entries);
    const checked = entries.map(checkEntry);
    await this.#queue.change((patch: Patch) => {
      for (const entry of checked) patch.checkAdding(entry.modelId);
      for (const entry of checked) patch.add(entry);
    }, options);
  }

  /**
   * Removes an entry; its file stays, and `repairIndex` would add it again. See `deleteModel` for both.
   *
   * @returns false: there is no such entry
   * @throws SdaError as `addEntry`
   */
  async remove(id: string, options: LockOptions = {}): Promise<boolean> {
    checkId(id);
    checkOptions("options", options, LOCK_OPTIONS);
    checkLockOptions(options);
    return this.#queue.change((patch: Patch) => patch.remove(id), options);
  }

  /**
   * Puts a model file or a training checkpoint into the library; its content tells which it is. A
   * model file is copied value for value, under a name made from the model's name; a checkpoint
   * becomes a model file without the optimizer's state. No model of the library is replaced: an id
   * that the library has already is replaced by a new one.
   *
   * @returns the new entry; the file is `filePath` in the folder
   * @throws SdaError as `importModel`. The library is unchanged then.
   * @example
   * ```js
   * const library = await ModelLibrary.open("data/models");
   * const entry = await library.import("checkpoint.pt", { metadata: { name: "Pads" } });
   * ```
   */
  async import(file: string | URL, options: ImportOptions = {}): Promise<ModelEntry> {
    const { importInto } = await import("./writes/add.js");
    return importInto(async () => this.#queue, file, options);
  }

  /**
   * Writes a new model file and adds its entry. What a loaded model's file held is carried over value
   * for value, weights too. An entry with the same id is replaced.
   *
   * @param source a `LoadedModel`, or weights
   * @returns the new entry; the file is `filePath` in the folder
   * @throws SdaError as `saveModel`. The library is unchanged then.
   * @example
   * ```js
   * using model = await loadModel("downloads/pads.sda");
   * const entry = await library.save(model, { metadata: { name: "Pads, second take" } });
   * ```
   */
  async save(source: SavableModel | ModelWeights, options: SaveOptions = {}): Promise<ModelEntry> {
    const { saveInto } = await import("./writes/save.js");
    return saveInto(async () => this.#queue, source, options);
  }

  /**
   * Changes what a model says about itself: in its file, under the same name, and in its entry. See
   * `updateModel`.
   *
   * @returns the entry as it is now; without any difference, nothing is written
   * @throws SdaError as `updateModel`. Nothing has changed then.
   * @example
   * ```js
   * await library.update(entry.modelId, { name: "Warm Pads", tags: ["warm"] });
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
   * const existed = await library.delete(entry.modelId);
   * ```
   */
  async delete(id: string, options: LockOptions = {}): Promise<boolean> {
    const { deleteFrom } = await import("./writes/delete.js");
    return deleteFrom(this.#store, id, options);
  }

  /**
   * Makes the index agree with the folder: drops entries whose file is missing and adds files that have none, from their
   * metadata. Files that can't be read stay as they are; `onProgress` and a process warning tell why.
   *
   * @throws SdaError ERR_SDA_LOCKED, ERR_SDA_IO; `signal.reason`
   */
  async repairIndex(options?: RepairOptions): Promise<RepairResult> {
    const { repairIndex } = await import("./writes/repair.js"); // with it come the readers of model files
    return repairIndex(this.#store, options);
  }

  /**
   * Takes over what others have changed. A damaged index is replaced as by `open`.
   *
   * @returns true when the index on disk was another than the one known
   * @throws SdaError ERR_SDA_VERSION: an index newer than supported; ERR_SDA_LOCKED; ERR_SDA_IO
   */
  refresh(): Promise<boolean> {
    return this.#store.refresh();
  }

  /**
   * Where a model's file is; it may be missing. Null: there is no such model.
   *
   * @throws SdaError ERR_SDA_UNSAFE: the entry's path leads out of the folder
   */
  async pathOf(id: string): Promise<string | null> {
    const entry = this.get(id);
    return entry && this.#store.folder.resolve(entry.filePath);
  }
}
