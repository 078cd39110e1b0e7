import { type FSWatcher, watch } from "node:fs";
import { readdir, stat } from "node:fs/promises";
import { setImmediate as nextTurn } from "node:timers/promises";
import { ModelLibrary, SdaError } from "small-dataset-audio";
import { etagOf } from "./etag.js";
import { type Problem, unavailable } from "./problem.js";

/** What has come, gone or changed since the last one. */
export interface LibraryChange {
  /** Ids */
  added: string[];
  removed: string[];
  changed: string[];
  /** Whether these are all; if not, they are left out, and everything is to be looked up anew */
  complete: boolean;
  /** Models in the library now */
  total: number;
}

/** Every listener is told of each; beyond so many, that there are some is all that is of use. */
const NAMED_AT_MOST = 1000;

export interface LibraryViewOptions {
  pollMs: number;
  onChange(change: LibraryChange): void;
  /** The folder has vanished, or is back. */
  onAvailable(available: boolean): void;
}

/** Entries that are compared between two turns of the event loop. */
const COMPARED_AT_ONCE = 500;
/** How old a look may be for those who want a model's file alone, and look at that themselves. */
const RECENT_MS = 1000;
/** A writer renames several files at once: one look for all of them. */
const SETTLE_MS = 50;

/**
 * The library as it is on disk now, whoever changes it. Each use looks whether the folder and its index are still the
 * same, which takes two `stat`s; between uses the file system's notices, and a look now and then, find changes.
 */
export class LibraryView {
  readonly #path: string;
  readonly #options: LibraryViewOptions;
  #library: ModelLibrary;
  /** Of the folder: another one under its name has another library. */
  #folder: string;
  #available = true;
  #lookedAt = Number.NEGATIVE_INFINITY;
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
   * Opens the library and looks after it until `close`. Where there are model files, but no library yet, one is made.
   *
   * @throws SdaError as `ModelLibrary.open`
   */
  static async open(path: string, options: LibraryViewOptions): Promise<LibraryView> {
    const library = await ModelLibrary.open(path);
    const view = new LibraryView(path, await identityOf(path), library, options);
    await view.#enterFiles();
    view.#known = await fingerprints(library);
    view.#watch();
    view.#timer = setInterval(() => view.#look(), options.pollMs);
    view.#timer.unref();
    return view;
  }

  /** Counts the changes: what was made of the library is good for as long as this stays. */
  get revision(): number {
    return this.#revision;
  }

  get available(): boolean {
    return this.#available;
  }

  /** As last seen; `current` looks. */
  get count(): number {
    return this.#available ? this.#library.count() : 0;
  }

  /** @throws Problem 503: the folder is not there; SdaError as `ModelLibrary.refresh` */
  async current(): Promise<ModelLibrary> {
    let folder: string;
    try {
      folder = await identityOf(this.#path);
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
    this.#lookedAt = performance.now();
    return this.#library;
  }

  /**
   * As `current`, but where the model is in the library, what was known a moment ago is enough.
   *
   * @throws as `current`
   */
  async recent(modelId: string): Promise<ModelLibrary> {
    const isRecent = this.#available && performance.now() - this.#lookedAt < RECENT_MS;
    return isRecent && this.#library.get(modelId) !== null ? this.#library : this.current();
  }

  close(): void {
    this.#closed = true;
    this.#watcher?.close();
    if (this.#timer) clearInterval(this.#timer);
    if (this.#settling) clearTimeout(this.#settling);
  }

  /** Somebody with a folder of files wants to see them; where nothing can be written, they are not to be seen. */
  async #enterFiles(): Promise<void> {
    if (this.#library.count() > 0) return;
    const names = await readdir(this.#path);
    if (!names.some((name) => name.endsWith(".sda"))) return;
    try {
      await this.#library.repairIndex();
    } catch (error) {
      if (!(error instanceof SdaError)) throw error;
      process.emitWarning(error.message, { code: "SDA_NOT_INDEXED" });
    }
  }

  #look(): void {
    if (!this.#watcher) this.#watch();
    // What is wrong is told to whoever asks.
    this.current().catch(() => {});
  }

  #watch(): void {
    try {
      this.#watcher = watch(this.#path, { persistent: false }, () => this.#lookSoon());
      this.#watcher.on("error", () => this.#unwatch());
    } catch {
      this.#watcher = null; // where nothing can be watched, looking now and then is enough
    }
  }

  #unwatch(): void {
    this.#watcher?.close();
    this.#watcher = null;
  }

  #lookSoon(): void {
    this.#settling ??= setTimeout(() => {
      this.#settling = null;
      this.#look();
    }, SETTLE_MS).unref();
  }

  #setAvailable(available: boolean): void {
    if (available === this.#available) return;
    this.#available = available;
    // What is watched may be a folder that has no name any more.
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

export function folderMissing(): Problem {
  return unavailable("ERR_SDA_NOT_FOUND", "The models folder is not there.", 5);
}

async function identityOf(path: string): Promise<string> {
  const info = await stat(path, { bigint: true });
  if (!info.isDirectory()) throw folderMissing();
  return `${info.dev}:${info.ino}`;
}

/** What tells whether an entry has changed, without keeping the entries themselves. */
async function fingerprints(library: ModelLibrary): Promise<Map<string, string>> {
  const known = new Map<string, string>();
  for (const [i, { modelId }] of library.pick(["modelId"]).entries()) {
    if (i % COMPARED_AT_ONCE === COMPARED_AT_ONCE - 1) await nextTurn();
    // Whole entries are made here, which is the longer part of it.
    const entry = library.get(modelId);
    if (entry !== null) known.set(modelId, etagOf(JSON.stringify(entry)));
  }
  return known;
}
