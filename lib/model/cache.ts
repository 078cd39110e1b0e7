import { resolve } from "node:path";
import type { GenerateOptions } from "../audio/options.js";
import type { SoundStream } from "../audio/sound-stream.js";
import {
  badArgument,
  checkBoolean,
  checkNumber,
  checkOptions,
  checkSignal,
  optionNames,
  toFilePath,
} from "../base/check.js";
import { SdaError } from "../base/errors.js";
import { fileIdentity } from "../base/file-identity.js";
import { onAbort } from "../base/on-abort.js";
import { checkDevice, type Device, loadModel } from "./load.js";
import type { LoadedModel } from "./loaded-model.js";

const DEFAULT_MAX_BYTES = 2 ** 30;

/** Options of a `ModelCache`. */
export interface ModelCacheOptions {
  /**
   * Limit in bytes for the weights of all loaded models together, each counted by its `byteLength`;
   * default 1 GiB. 0 keeps only models in use, Infinity keeps every model.
   */
  maxBytes?: number;
  /** Device for all models; default "auto" */
  device?: Device;
  /** Whether to check every record's CRC-32; default true, see `LoadModelOptions` */
  verify?: boolean;
}

const OPTIONS = optionNames<ModelCacheOptions>({ maxBytes: true, device: true, verify: true });

/**
 * Keeps loaded models for a server. All users of a file share one model, which is loaded once. When
 * the models take more than `maxBytes`, the cache disposes of the models that have been idle
 * longest. It never disposes of a model in use, so models in use may exceed `maxBytes`.
 *
 * A model belongs to a file, not to a path: each use looks up the file's device, inode, size and
 * times of change. Symbolic links, hard links and other spellings of a path therefore share the
 * model. A file that was changed or replaced is loaded again; users of the old model keep it until
 * they are done.
 *
 * @example
 * ```js
 * const cache = new ModelCache({ maxBytes: 2 ** 30 });
 * const sound = await cache.use("data/models/pads.sda", (model) => model.generate({ seed: 1 }));
 * await writeWav("pads.wav", sound);
 * await cache.disposeAsync();
 * ```
 */
export class ModelCache implements Disposable, AsyncDisposable {
  readonly #maxBytes: number;
  readonly #loadOptions: { device: Device; verify: boolean };
  /** The model that the next use gets, by the file's identity. */
  readonly #current = new Map<string, Shared>();
  /** The model that each path led to at its last use. The next use checks whether it is stale. */
  readonly #byPath = new Map<string, Shared>();
  /** The models of `#current` without users, the longest idle first. */
  readonly #idle = new Set<Shared>();
  #bytes = 0;
  #size = 0;
  /** The number of models that hold memory, or may: from the start of the load to disposal. */
  #held = 0;
  #disposed: Promise<void> | null = null;
  #whenNoneIsHeld: () => void = () => {};

  /** @throws SdaError ERR_SDA_ARGUMENT */
  constructor(options: ModelCacheOptions = {}) {
    checkOptions("options", options, OPTIONS);
    const { maxBytes = DEFAULT_MAX_BYTES, device = "auto", verify = true } = options;
    this.#maxBytes = checkNumber("maxBytes", maxBytes, 0, Infinity);
    checkDevice(device);
    checkBoolean("verify", verify);
    this.#loadOptions = { device, verify };
  }

  /** Bytes that the weights of all loaded models take, models in use included. */
  get bytes(): number {
    return this.#bytes;
  }

  /** The number of loaded models, models in use included. */
  get size(): number {
    return this.#size;
  }

  /**
   * Calls `f` with the file's model and returns or throws what `f` does. The model stays loaded
   * until the promise of `f` settles. Later work on it fails with ERR_SDA_DISPOSED as soon as the
   * cache has disposed of it, so `f` must not return a stream of the model: `ModelCache.stream` is
   * for that. The model is shared: its `dispose` does nothing.
   *
   * @param path of the model file; a relative path starts at the current working folder
   * @param options `signal`: aborting it while the model loads rejects with the signal's reason. A
   *   load that no user waits for stops. Once `f` runs, the signal has no effect on it.
   * @throws SdaError as `loadModel`: all users that wait for a load get the same error, and the
   *   next use loads again. ERR_SDA_DISPOSED
   */
  async use<T>(
    path: string | URL,
    f: (model: LoadedModel) => Promise<T>,
    options: { signal?: AbortSignal } = {},
  ): Promise<T> {
    const file = resolve(toFilePath(path));
    if (typeof f !== "function") throw badArgument("f", "a function", f);
    checkOptions("options", options, ["signal"]);
    const { model, end } = await this.#lease(file, options.signal);
    try {
      return await f(model);
    } finally {
      end();
    }
  }

  /**
   * Streams sound of the file's model, as `LoadedModel.stream` does, and keeps the model loaded as
   * long as the stream lives. The stream ends with its last piece, with an error, when the reader
   * leaves (`break`, `return`, a cancelled response), when `options.signal` aborts, and when it is
   * garbage-collected. A stream that is never read and never ends keeps its model loaded: pass a
   * signal that aborts when the client disconnects.
   *
   * The work begins before the promise resolves, so errors that a client should get as a status
   * (options, missing file, full queue) reject here and not in the middle of a response.
   *
   * @param path of the model file; a relative path starts at the current working folder
   * @returns pieces of interleaved samples, with their `format` and `seed`; `wavStream` makes a WAV
   *   file of them
   * @throws SdaError as `use` and `LoadedModel.stream`; ERR_SDA_LIMIT when the engine has too many
   *   requests. An aborted call or stream rejects with the signal's reason.
   */
  async stream(path: string | URL, options: GenerateOptions = {}): Promise<SoundStream> {
    const file = resolve(toFilePath(path));
    if (typeof options !== "object" || options === null) {
      throw badArgument("options", "an object", options);
    }
    const { model, end } = await this.#lease(file, options.signal);
    try {
      return model.begin(options, end);
    } catch (error) {
      end();
      throw error;
    }
  }

  /** Disposes of all idle models. */
  clear(): void {
    for (const shared of this.#idle) this.#forget(shared);
  }

  /**
   * Disposes of idle models at once, and of models in use when their users are done: uses, streams,
   * and callers that wait for a load. From now on `use` and `stream` throw ERR_SDA_DISPOSED.
   * Idempotent.
   */
  dispose(): void {
    void this.disposeAsync();
  }

  /**
   * As `dispose`, and resolves when all memory is free. Do not await this in the function given to
   * `use`: each would wait for the other.
   */
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

  /** Adds a user to the file's model until `end` is called. Later calls of `end` do nothing. */
  async #lease(file: string, signal: AbortSignal | undefined): Promise<Lease> {
    checkSignal(signal);
    this.#check();
    for (;;) {
      const identity = await unlessAborted(fileIdentity(file), signal);
      const shared = this.#acquire(file, identity);
      let ended = false;
      const end = () => {
        if (!ended) this.#release(shared);
        ended = true;
      };
      try {
        const model = await unlessAborted(shared.loading, signal);
        // After a replacement, only `shared.path` is known to have led to the loaded file.
        if (!shared.replaced || file === shared.path) return { model, end };
      } catch (error) {
        end();
        throw error;
      }
      end();
    }
  }

  /**
   * Adds a user to the model of the file at `path`. Starts to load the model if the cache does not
   * have it.
   *
   * @param identity null: there is no such file
   */
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
      // The load has failed, or it still runs and no caller waits for it.
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

  /** Gives the model to no later use, and disposes of it once it has no users. */
  #forget(shared: Shared): void {
    if (!shared.current) return;
    shared.current = false;
    this.#current.delete(shared.identity);
    for (const path of shared.paths) this.#byPath.delete(path);
    if (this.#idle.delete(shared)) this.#free(shared);
  }

  /** Disposes of the longest idle models until the others fit in `maxBytes`. */
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

interface Lease {
  model: LoadedModel;
  end: () => void;
}

/**
 * The model of one file, and the number of its users: `use`, `stream`, and callers that wait for
 * the load.
 */
class Shared {
  /** The path that the model is loaded from. */
  readonly path: string;
  /** The file's identity when the load began. */
  readonly identity: string;
  /** Every path that led to this file. */
  readonly paths = new Set<string>();
  readonly cancel = new AbortController();
  readonly loading: Promise<LoadedModel>;
  /** null until the model is loaded. */
  dispose: (() => Promise<void>) | null = null;
  bytes = 0;
  users = 0;
  /** Whether the next use of the file gets this model. */
  current = true;
  /**
   * Whether another file was at `path` when the load ended. The load may have read either file.
   */
  replaced = false;

  constructor(path: string, identity: string, load: (shared: Shared) => Promise<LoadedModel>) {
    this.path = path;
    this.identity = identity;
    this.loading = load(this);
  }
}

/** Settles as `promise` does, but rejects with the signal's reason if the signal aborts first. */
function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return promise;
  return new Promise((done, fail) => {
    const abort = () => fail(signal.reason);
    if (signal.aborted) abort();
    void promise.then(done, fail).finally(onAbort(signal, abort));
  });
}
