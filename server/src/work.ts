import { Problem, unavailable } from "./problem.js";

export interface WorkOptions {
  /** Work that runs at once */
  maxRunning: number;
  /** Work that waits */
  maxQueued: number;
}

/** Weight of the last work's time in the moving average. */
const RECENT = 0.2;

/** A bounded queue: some work runs, some waits in order, and further work is refused. */
export class WorkQueue {
  readonly #options: WorkOptions;
  readonly #waiting = new Set<() => void>();
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
  async run<T>(signal: AbortSignal, f: () => Promise<T>): Promise<T> {
    this.admit();
    return this.runAdmitted(signal, f);
  }

  /** As `run`, but never refuses: call `admit` before. */
  async runAdmitted<T>(signal: AbortSignal, f: () => Promise<T>): Promise<T> {
    if (this.#running >= this.#options.maxRunning) await this.#turn(signal);
    else this.#running++;
    const begin = performance.now();
    try {
      signal.throwIfAborted();
      return await f();
    } finally {
      const seconds = (performance.now() - begin) / 1000;
      this.#averageS += RECENT * (seconds - this.#averageS);
      this.#next();
    }
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
  #turn(signal: AbortSignal): Promise<void> {
    return new Promise((done, fail) => {
      const start = () => {
        signal.removeEventListener("abort", leave);
        done();
      };
      const leave = () => {
        this.#waiting.delete(start);
        fail(signal.reason);
      };
      if (signal.aborted) return leave();
      this.#waiting.add(start);
      signal.addEventListener("abort", leave, { once: true });
    });
  }

  #next(): void {
    const [start] = this.#waiting;
    if (start === undefined) {
      this.#running--;
      return;
    }
    this.#waiting.delete(start);
    start();
  }
}

export function closing(): Problem {
  return unavailable("ERR_CLOSING", "The server is shutting down.", 5);
}
