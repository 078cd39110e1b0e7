import { resolve } from "node:path";
import { badArgument, checkNumber, checkSignal, toFilePath } from "../base/check.js";
import { SdaError } from "../base/errors.js";
import { fileIdentity } from "../base/file-identity.js";
import { checkDevice, type Device, loadModel } from "./load.js";
import type { LoadedModel } from "./loaded-model.js";

const DEFAULT_MAX_BYTES = 2 ** 30;

/** How much a cache keeps, and how it loads. */
export interface ModelCacheOptions {
  /**
   * What the weights of all models may take together, by `LoadedModel.byteLength`; default 1 GiB. 0 keeps no model that
   * is not in use, Infinity keeps them all. A model counts when it has been loaded.
   */
  maxBytes?: number;
  /** Default "auto" */
  device?: Device;
  /** Default true; see `LoadModelOptions` */
  verify?: boolean;
}

/**
 * Loaded models for a server. Those who want the same file share its model, which is loaded once; when the models take
 * more than `maxBytes`, those go that have been idle longest. Models in use never go, and may take more than that alone.
 *
 * A model belongs to a file, not to a path: it is found by the file's device, inode, size and times of change, which
 * every use looks up. So symbolic links, hard links and other spellings share it, and a file that has changed, or that
 * another has replaced, is loaded anew. Who uses the old model keeps it until done, then it goes.
 */
export class ModelCache implements Disposable, AsyncDisposable {
  readonly #maxBytes: number;
  readonly #loadOptions: { device: Device; verify: boolean };
  /** What the next use may get, by the file's identity. */
  readonly #current = new Map<string, Shared>();
  /** What each path led to when it was last used: whether that is stale shows in the next use. */
  readonly #byPath = new Map<string, Shared>();
  /** The current ones that nobody uses, the longest idle first. */
  readonly #idle = new Set<Shared>();
  #bytes = 0;
  #size = 0;
  /** How many have begun to load and have not freed their memory. */
  #held = 0;
  #disposed: Promise<void> | null = null;
  #whenNoneIsHeld: () => void = () => {};

  /** @throws SdaError ERR_SDA_ARGUMENT */
  constructor(options: ModelCacheOptions = {}) {
    const { maxBytes = DEFAULT_MAX_BYTES, device = "auto", verify = true } = options;
    this.#maxBytes = checkNumber("maxBytes", maxBytes, 0, Infinity);
    checkDevice(device);
    if (typeof verify !== "boolean") throw badArgument("verify", "true or false", verify);
    this.#loadOptions = { device, verify };
  }

  /** What the models in memory take, those in use included. */
  get bytes(): number {
    return this.#bytes;
  }

  /** How many models are in memory, those in use included. */
  get size(): number {
    return this.#size;
  }

  /**
   * Calls `f` with the file's model and gives what `f` gives, or throws what it throws. The model stays until `f` is
   * done; work that outlives `f` finds it disposed of sooner or later. The model is shared: its `dispose` does nothing.
   *
   * @param path a relative one is taken from the folder that is current now
   * @param options `signal`: aborting while the model is waited for rejects with the signal's reason and leaves others
   *   who wait alone; a load that nobody waits for stops. Once `f` runs, its end is up to `f`.
   * @throws SdaError as `loadModel`, the same for all who wait for a load; the next use tries again. ERR_SDA_DISPOSED
   */
  async use<T>(
    path: string | URL,
    f: (model: LoadedModel) => Promise<T>,
    options: { signal?: AbortSignal } = {},
  ): Promise<T> {
    const file = resolve(toFilePath(path));
    if (typeof f !== "function") throw badArgument("f", "a function", f);
    const { signal } = options;
    checkSignal(signal);
    this.#check();
    for (;;) {
      const identity = await unlessAborted(fileIdentity(file), signal);
      const shared = this.#acquire(file, identity);
      try {
        const model = await unlessAborted(shared.loading, signal);
        // After a replacement, what was read is known to have been at one path only; others look again at theirs.
        if (!shared.replaced || file === shared.path) return await f(model);
      } finally {
        this.#release(shared);
      }
    }
  }

  /** Disposes of the models that nobody uses. */
  clear(): void {
    for (const shared of this.#idle) this.#forget(shared);
  }

  /**
   * Disposes of idle models at once and of those in use, or waited for, when their users are done. `use` is refused from
   * now on. Idempotent.
   */
  dispose(): void {
    void this.disposeAsync();
  }

  /** As `dispose`, and resolves when all memory is free; so don't wait for it inside of `use`. */
  disposeAsync(): Promise<void> {
    this.#disposed ??= new Promise((done) => {
      this.#whenNoneIsHeld = done;
      if (this.#held === 0) done();
    });
    for (const shared of this.#current.values()) this.#forget(shared);
    return this.#disposed;
  }

  /** As `dispose`. */
  [Symbol.dispose](): void {
    this.dispose();
  }

  /** As `disposeAsync`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.disposeAsync();
  }

  #check(): void {
    if (this.#disposed !== null) {
      throw new SdaError("ERR_SDA_DISPOSED", "this model cache has been disposed of");
    }
  }

  /** One more user for the model of the file that is at `path` now; `identity` is null when there is none. */
  #acquire(path: string, identity: string | null): Shared {
    this.#check();
    const known = this.#byPath.get(path);
    if (known && known.identity !== identity) this.#forget(known);
    if (identity === null) {
      throw new SdaError("ERR_SDA_NOT_FOUND", `${path} does not exist`, { path });
    }
    const shared =
      this.#current.get(identity) ?? new Shared(path, identity, (started) => this.#load(started));
    this.#current.set(identity, shared);
    this.#byPath.set(path, shared);
    shared.paths.add(path);
    shared.users++;
    this.#idle.delete(shared);
    return shared;
  }

  #release(shared: Shared): void {
    if (--shared.users > 0) return;
    if (shared.dispose === null) {
      // The load has failed, and those who waited are told, or it goes on and nobody waits for it.
      this.#forget(shared);
      shared.cancel.abort();
    } else if (shared.current) {
      this.#idle.add(shared);
      this.#trim();
    } else {
      this.#free(shared);
    }
  }

  async #load(shared: Shared): Promise<LoadedModel> {
    const { path, cancel } = shared;
    this.#held++;
    try {
      const model = await loadModel(path, { ...this.#loadOptions, signal: cancel.signal });
      const dispose = model.share();
      const identity = await fileIdentity(path).catch(() => null);
      if (cancel.signal.aborted) await dispose();
      cancel.signal.throwIfAborted();
      if (identity !== shared.identity) {
        shared.replaced = true;
        this.#forget(shared);
      }
      shared.dispose = dispose;
      shared.bytes = model.byteLength;
      this.#bytes += shared.bytes;
      this.#size++;
      this.#trim();
      return model;
    } catch (error) {
      this.#letGo();
      throw error;
    }
  }

  /** The next use will not get it; it goes when nobody uses it. */
  #forget(shared: Shared): void {
    if (!shared.current) return;
    shared.current = false;
    this.#current.delete(shared.identity);
    for (const path of shared.paths) this.#byPath.delete(path);
    if (this.#idle.delete(shared)) this.#free(shared);
  }

  #trim(): void {
    for (const shared of this.#idle) {
      if (this.#bytes <= this.#maxBytes) return;
      this.#forget(shared);
    }
  }

  #free(shared: Shared): void {
    this.#bytes -= shared.bytes;
    this.#size--;
    void shared.dispose?.().then(() => this.#letGo());
  }

  #letGo(): void {
    if (--this.#held === 0) this.#whenNoneIsHeld();
  }
}

/** The model of one file, with those who use it or wait for it. */
class Shared {
  /** Where it is loaded from. */
  readonly path: string;
  readonly identity: string;
  /** All that led to it. */
  readonly paths = new Set<string>();
  readonly cancel = new AbortController();
  readonly loading: Promise<LoadedModel>;
  /** null until it is loaded. */
  dispose: (() => Promise<void>) | null = null;
  bytes = 0;
  users = 0;
  /** Whether the next use of the file gets it. */
  current = true;
  /** Another file was at `path` when the load ended: which of the two was read can't be told. */
  replaced = false;

  constructor(path: string, identity: string, load: (shared: Shared) => Promise<LoadedModel>) {
    this.path = path;
    this.identity = identity;
    this.loading = load(this);
  }
}

/** What `promise` comes to, or the signal's reason as soon as that is aborted. */
function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return promise;
  return new Promise((done, fail) => {
    const abort = () => fail(signal.reason);
    if (signal.aborted) abort();
    signal.addEventListener("abort", abort, { once: true });
    void promise.then(done, fail).finally(() => signal.removeEventListener("abort", abort));
  });
}
