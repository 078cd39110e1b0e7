import { Problem, unavailable } from "./problem.js";

export interface WorkOptions {
  /** Work that runs at once */
  maxRunning: number;
  /** Work that waits */
  maxQueued: number;
}

/** Weight of the last work's time in the moving average. */
const RECENT = 0.2;

/** The place of running work. Work that waits for its client can lend its place to other work. */
export interface Place {
  /**
   * Lets other work run here. If too much work has lent its place, `giveUp` of the work that did so
   * first is called. Does nothing if the place is lent.
   */
  lend(giveUp: () => void): void;
  /**
   * Waits for a place again, before work that has not begun. Resolves at once if the place was not
   * lent. An abort rejects with the signal's reason.
   */
  back(signal: AbortSignal): Promise<void>;
}

/** A bounded queue: some work runs, some waits in order, and further work is refused. */
export class WorkQueue {
  readonly #options: WorkOptions;
  readonly #waiting = new Set<() => void>();
  /** Work that lent its place and needs one again. */
  readonly #returning = new Set<() => void>();
  /** Work that has lent its place, in this order, with its `giveUp`. */
  readonly #lent = new Map<Place, () => void>();
  #running = 0;
  #averageS = 1;
  #closing = false;

  constructor(options: WorkOptions) {
    this.#options = options;
  }

  get running(): number {
    return this.#running;
  }

  get queued(): number {
    return this.#waiting.size;
  }

  /**
   * Runs `f` when its turn comes, and returns its result. An abort while it waits rejects with the
   * signal's reason. While `f` runs, only `f` itself can react to an abort.
   *
   * @throws Problem 429 with `Retry-After`: the queue is full; 503: closing
   */
  async run<T>(signal: AbortSignal, f: (place: Place) => Promise<T>): Promise<T> {
    this.admit();
    return this.runAdmitted(signal, f);
  }

  /** As `run`, but never refuses: call `admit` before. */
  async runAdmitted<T>(signal: AbortSignal, f: (place: Place) => Promise<T>): Promise<T> {
    await this.#turn(this.#waiting, signal);
    const begin = performance.now();
    const place = this.#place();
    try {
      signal.throwIfAborted();
      return await f(place);
    } finally {
      const seconds = (performance.now() - begin) / 1000;
      this.#averageS += RECENT * (seconds - this.#averageS);
      place.end();
    }
  }

  #place(): Place & { end(): void } {
    let ended = false;
    const place = {
      lend: (giveUp: () => void) => {
        if (ended || this.#lent.has(place)) return;
        const [first] = this.#lent.values();
        if (this.#lent.size >= this.#options.maxQueued) first?.();
        this.#lent.set(place, giveUp);
        this.#next();
      },
      back: async (signal: AbortSignal) => {
        if (!this.#lent.has(place)) return;
        await this.#turn(this.#returning, signal);
        if (this.#lent.delete(place)) return;
        this.#next(); // the work ended in the meantime
        signal.throwIfAborted();
      },
      end: () => {
        ended = true;
        if (!this.#lent.delete(place)) this.#next();
      },
    };
    return place;
  }

  /** Refuses new work. Running and waiting work goes on. */
  close(): void {
    this.#closing = true;
  }

  /** Checks that there is room. @throws Problem as `run` */
  admit(): void {
    if (this.#closing) throw closing();
    const { maxRunning, maxQueued } = this.#options;
    if (this.#running < maxRunning || this.#waiting.size < maxQueued) return;
    const waitS = Math.ceil(((this.#waiting.size + 1) / maxRunning) * this.#averageS);
    const headers = { "retry-after": String(Math.min(60, Math.max(1, waitS))) };
    throw new Problem(
      429,
      "ERR_BUSY",
      "The queue is full; retry after the seconds in Retry-After.",
      {
        headers,
      },
    );
  }

  /** Waits for a place. Work that ends hands its place to the first in the queue. */
  #turn(queue: Set<() => void>, signal: AbortSignal): Promise<void> {
    if (this.#running < this.#options.maxRunning) {
      this.#running++;
      return Promise.resolve();
    }
    return new Promise((done, fail) => {
      const start = () => {
        signal.removeEventListener("abort", leave);
        done();
      };
      const leave = () => {
        queue.delete(start);
        fail(signal.reason);
      };
      if (signal.aborted) return leave();
      queue.add(start);
      signal.addEventListener("abort", leave, { once: true });
    });
  }

  #next(): void {
    for (const queue of [this.#returning, this.#waiting]) {
      const [start] = queue;
      if (start === undefined) continue;
      queue.delete(start);
      start();
      return;
    }
    this.#running--;
  }
}

export function closing(): Problem {
  return unavailable("ERR_CLOSING", "The server is shutting down.", 5);
}
