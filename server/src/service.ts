import { readFileSync } from "node:fs";
import { type LoadedModel, ModelCache, SdaError } from "small-dataset-audio";
import { EventHub } from "./events.js";
import { LibraryView } from "./library-view.js";
import { Metrics } from "./metrics.js";
import { ModelFacts, type ModelPlace } from "./model-facts.js";
import type { ResolvedOptions } from "./options.js";
import { Requests } from "./request-signal.js";
import { SoundMemory } from "./sounds.js";
import { removeStaleUploads, UploadFolder } from "./upload-folder.js";
import { WorkQueue } from "./work.js";

const manifest = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8"));
export const VERSION: string = manifest.version;

export type EngineState = "ready" | "not loaded" | "missing";

/** State that the routes of one server share. */
export class Service {
  readonly options: ResolvedOptions;
  readonly library: LibraryView;
  readonly cache: ModelCache;
  readonly facts = new ModelFacts();
  readonly events: EventHub;
  readonly sounds: SoundMemory;
  readonly work: WorkQueue;
  /** Sounds that are being received. A separate queue: a slow sender does not block generation. */
  readonly received: WorkQueue;
  readonly uploads: WorkQueue;
  readonly uploadFolder: UploadFolder;
  readonly requests = new Requests();
  readonly metrics: Metrics;
  #engine: EngineState = "not loaded";
  #closing = false;

  private constructor(options: ResolvedOptions, library: LibraryView, events: EventHub) {
    const { limits, device } = options;
    this.options = options;
    this.library = library;
    this.events = events;
    this.cache = new ModelCache({ maxBytes: limits.maxModelBytes, device });
    this.sounds = new SoundMemory(limits.maxSoundBytes);
    this.work = new WorkQueue(limits);
    this.received = new WorkQueue(limits);
    this.uploads = new WorkQueue({ maxRunning: limits.maxUploads, maxQueued: limits.maxUploads });
    this.uploadFolder = new UploadFolder(options.uploadDir);
    this.metrics = new Metrics(() => ({
      running: this.work.running,
      queued: this.work.queued,
      uploads: this.uploads.running + this.received.running,
      cacheBytes: this.cache.bytes,
      cachedModels: this.cache.size,
      soundBytes: this.sounds.bytes,
      models: this.library.count,
      eventClients: this.events.clients,
    }));
  }

  /** @throws SdaError as `LibraryView.open` */
  static async open(options: ResolvedOptions): Promise<Service> {
    removeStaleUploads(options.uploadDir);
    const events = new EventHub(options.limits.maxEventClients);
    const library = await LibraryView.open(options.modelsDir, {
      pollMs: options.pollMs,
      onChange: (change) => events.send("library", change),
      onAvailable: (available) =>
        events.send("health", { status: available ? "ok" : "unavailable" }),
    });
    return new Service(options, library, events);
  }

  get engine(): EngineState {
    return this.#engine;
  }

  get closing(): boolean {
    return this.#closing;
  }

  /** Loads a model and keeps it in memory while `f` runs. */
  async use<T>(
    { path }: ModelPlace,
    signal: AbortSignal,
    f: (model: LoadedModel) => Promise<T>,
  ): Promise<T> {
    try {
      return await this.cache.use(
        path,
        (model) => {
          this.#engine = "ready";
          return f(model);
        },
        { signal },
      );
    } catch (error) {
      // If the whole folder is missing, `current` throws the more fitting 503.
      if (error instanceof SdaError && error.code === "ERR_SDA_NOT_FOUND") {
        await this.library.current();
      }
      const missing = ["ERR_SDA_LIBTORCH", "ERR_SDA_NATIVE"];
      if (error instanceof SdaError && missing.includes(error.code) && this.#engine !== "ready") {
        this.#engine = "missing";
      }
      throw error;
    }
  }

  /** Refuses new work from now on. Running work goes on until `close`. */
  drain(): void {
    this.#closing = true;
    this.work.close();
    this.received.close();
    this.uploads.close();
    this.events.close();
  }

  /** Frees everything. Idempotent. */
  async close(): Promise<void> {
    this.drain();
    this.requests.stopAll();
    this.library.close();
    this.metrics.close();
    try {
      this.uploadFolder.remove();
    } catch {
      // The next server removes it.
    }
    await this.cache.disposeAsync();
  }
}
