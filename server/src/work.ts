import { Problem, unavailable } from "./problem.js";

export interface WorkOptions {
  /** At once */
  maxRunning: number;
  /** Waiting beside them */
  maxQueued: number;
}

/** How much of the last work's time counts in the average. */
const RECENT = 0.2;

/** Work that takes its turn: a few at once, some wait in order, and more are turned away. */
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
   * What `f` comes to, when its turn has come. Aborting while it waits rejects with the signal's reason; stopping what runs is
   * up to `f`.
   *
   * @throws Problem 429 with Retry-After: there is no room; 503: closing
   */
  async run<T>(signal: AbortSignal, f: () => Promise<T>): Promise<T> {
    this.admit();
    return this.runAdmitted(signal, f);
  }

  /** As `run`, for what `admit` has let in before: it is never turned away. */
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

  /** Refuses new work; what has been taken on goes on. */
  close(): void {
    this.#closing = true;
  }

  /** @throws Problem as `run` */
  admit(): void {
    if (this.#closing) throw closing();
    const { maxRunning, maxQueued } = this.#options;
    if (this.#running < maxRunning || this.#waiting.size < maxQueued) return;
    const waitS = Math.ceil(((this.#waiting.size + 1) / maxRunning) * this.#averageS);
    const headers = { "retry-after": String(Math.min(60, Math.max(1, waitS))) };
    throw new Problem(429, "ERR_BUSY", "The server has as much to do as it takes; try again.", {
      headers,
    });
  }

  /** Whoever ends hands its place on, so that nobody comes between. */
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
