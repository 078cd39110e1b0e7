import { type FSWatcher, watch } from "node:fs";
import { readdir, stat } from "node:fs/promises";
import { extname } from "node:path";
import { setImmediate as nextTurn } from "node:timers/promises";
import { MODEL_SUFFIXES, ModelLibrary, SdaError } from "small-dataset-audio";
import { etagOf } from "./etag.js";
import { type Problem, unavailable } from "./problem.js";

/** The differences between the library and its state at the last change. */
export interface LibraryChange {
  /** Ids of new models */
  added: string[];
  removed: string[];
  changed: string[];
  /** False when there are too many ids: then all three lists are empty, and clients reload */
  complete: boolean;
  /** Number of models in the library now */
  total: number;
}

/** A change with more ids than this names none. */
const NAMED_AT_MOST = 1000;

export interface LibraryViewOptions {
  pollMs: number;
  onChange(change: LibraryChange): void;
  /** The models folder has disappeared or is back. */
  onAvailable(available: boolean): void;
}

/** Entries that are hashed before the event loop gets a turn. */
const COMPARED_AT_ONCE = 500;
/** `recent` accepts a library that was checked at most this long ago. */
const RECENT_MS = 1000;
/** A writer renames several files in a row: one check after this delay covers all of them. */
const SETTLE_MS = 50;

/**
 * The library as it is on disk, whichever program changes it. Each use checks with two `stat` calls
 * whether the folder and its index are still the same. Between uses, file system events and a
 * regular check find changes.
 */
export class LibraryView {
  readonly #path: string;
  readonly #options: LibraryViewOptions;
  #library: ModelLibrary;
  /** `folderIdentity` of the folder. Another folder at the same path has another library. */
  #folder: string;
  #available = true;
  #checkedAt = Number.NEGATIVE_INFINITY;
  #revision = 0;
  #known = new Map<string, string>();
  #comparing: Promise<void> | null = null;
  #compareAgain = false;
  #watcher: FSWatcher | null = null;
  #timer: NodeJS.Timeout | null = null;
  #settling: NodeJS.Timeout | null = null;
  #closed = false;

  private constructor(
    path: string,
    folder: string,
    library: ModelLibrary,
    options: LibraryViewOptions,
  ) {
    this.#path = path;
    this.#folder = folder;
    this.#library = library;
    this.#options = options;
  }

  /**
   * Opens the library and watches it until `close`. A folder of model files without an index gets
   * an index.
   *
   * @throws SdaError as `ModelLibrary.open`
   */
  static async open(path: string, options: LibraryViewOptions): Promise<LibraryView> {
    const library = await ModelLibrary.open(path);
    const view = new LibraryView(path, await folderIdentity(path), library, options);
    await view.#enterFiles();
    view.#known = await fingerprints(library);
    view.#watch();
    view.#timer = setInterval(() => view.#check(), options.pollMs);
    view.#timer.unref();
    return view;
  }

  /** Counts the changes. A result computed from the library is valid while this stays the same. */
  get revision(): number {
    return this.#revision;
  }

  get available(): boolean {
    return this.#available;
  }

  /** Number of models at the last check. */
  get count(): number {
    return this.#available ? this.#library.count() : 0;
  }

  /**
   * Checks the disk and returns the library.
   *
   * @throws Problem 503: the folder does not exist; SdaError as `ModelLibrary.refresh`
   */
  async current(): Promise<ModelLibrary> {
    let folder: string;
    try {
      folder = await folderIdentity(this.#path);
    } catch {
      this.#setAvailable(false);
      throw folderMissing();
    }
    if (folder !== this.#folder || !this.#available) {
      const library = await ModelLibrary.open(this.#path);
      this.#library = library;
      this.#folder = folder;
      this.#changed();
    } else if (await this.#library.refresh()) {
      this.#changed();
    }
    this.#setAvailable(true);
    this.#checkedAt = performance.now();
    return this.#library;
  }

  /**
   * As `current`, but without a check of the disk when the model is in a library that was checked
   * a moment ago.
   *
   * @throws as `current`
   */
  async recent(modelId: string): Promise<ModelLibrary> {
    const isRecent = this.#available && performance.now() - this.#checkedAt < RECENT_MS;
    return isRecent && this.#library.get(modelId) !== null ? this.#library : this.current();
  }

  /**
   * Runs a write of the library and announces the change. The open library knows its own changes,
   * so the next check of the disk finds none.
   *
   * @throws as `current`, and as the write
   */
  async write<T>(change: (library: ModelLibrary) => Promise<T>): Promise<T> {
    const library = await this.current();
    try {
      return await change(library);
    } finally {
      this.#changed();
    }
  }

  close(): void {
    this.#closed = true;
    this.#watcher?.close();
    if (this.#timer) clearInterval(this.#timer);
    if (this.#settling) clearTimeout(this.#settling);
  }

  /** Indexes a folder that has model files and no entries. A read-only library stays empty. */
  async #enterFiles(): Promise<void> {
    if (this.#library.count() > 0) return;
    const names = await readdir(this.#path);
    if (!names.some(isModelName)) return;
    try {
      await this.#library.repairIndex();
    } catch (error) {
      if (!(error instanceof SdaError)) throw error;
      process.emitWarning(error.message, { code: "SDA_NOT_INDEXED" });
    }
  }

  #check(): void {
    if (!this.#watcher) this.#watch();
    // The next request repeats this and reports the error.
    this.current().catch(() => {});
  }

  #watch(): void {
    try {
      this.#watcher = watch(this.#path, { persistent: false }, () => this.#checkSoon());
      this.#watcher.on("error", () => this.#unwatch());
    } catch {
      this.#watcher = null; // the regular check finds changes as well
    }
  }

  #unwatch(): void {
    this.#watcher?.close();
    this.#watcher = null;
  }

  #checkSoon(): void {
    this.#settling ??= setTimeout(() => {
      this.#settling = null;
      this.#check();
    }, SETTLE_MS).unref();
  }

  #setAvailable(available: boolean): void {
    if (available === this.#available) return;
    this.#available = available;
    // The watcher may hold a folder that was renamed or deleted.
    this.#unwatch();
    if (available && !this.#closed) this.#watch();
    this.#options.onAvailable(available);
  }

  #changed(): void {
    this.#revision++;
    if (this.#comparing) {
      this.#compareAgain = true;
      return;
    }
    this.#comparing = this.#compare().finally(() => {
      this.#comparing = null;
      if (!this.#compareAgain) return;
      this.#compareAgain = false;
      this.#changed();
    });
  }

  async #compare(): Promise<void> {
    const before = this.#known;
    const now = await fingerprints(this.#library);
    this.#known = now;
    const added = [...now.keys()].filter((id) => !before.has(id));
    const removed = [...before.keys()].filter((id) => !now.has(id));
    const changed = [...now.keys()].filter(
      (id) => before.has(id) && before.get(id) !== now.get(id),
    );
    const count = added.length + removed.length + changed.length;
    if (count === 0 || this.#closed) return;
    const complete = count <= NAMED_AT_MOST;
    const named = complete ? { added, removed, changed } : { added: [], removed: [], changed: [] };
    this.#options.onChange({ ...named, complete, total: now.size });
  }
}

function isModelName(name: string): boolean {
  return (MODEL_SUFFIXES as readonly string[]).includes(extname(name).toLowerCase());
}

export function folderMissing(): Problem {
  return unavailable("ERR_SDA_NOT_FOUND", "The models folder does not exist.", 5);
}

async function folderIdentity(path: string): Promise<string> {
  const info = await stat(path, { bigint: true });
  if (!info.isDirectory()) throw folderMissing();
  return `${info.dev}:${info.ino}`;
}

/** A hash for each entry: finds changed entries without keeping the old ones in memory. */
async function fingerprints(library: ModelLibrary): Promise<Map<string, string>> {
  const known = new Map<string, string>();
  for (const [i, { modelId }] of library.pick(["modelId"]).entries()) {
    if (i % COMPARED_AT_ONCE === COMPARED_AT_ONCE - 1) await nextTurn();
    // `pick` built only the id. `get` builds the whole entry, which takes longer.
    const entry = library.get(modelId);
    if (entry !== null) known.set(modelId, etagOf(JSON.stringify(entry)));
  }
  return known;
}
