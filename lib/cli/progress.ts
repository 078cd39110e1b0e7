import type { Io } from "./io.js";

/**
 * A progress bar on a terminal, which is erased at the end. Without a terminal, it prints nothing.
 * Work that ends within `SHOW_AFTER_MS` shows no bar.
 */
export class Progress {
  readonly #io: Io;
  readonly #label: string;
  readonly #started = performance.now();
  #bar: import("cli-progress").SingleBar | undefined;
  #waiting: Promise<void> | undefined;
  #ended = false;
  #done = 0;
  #total = 1;

  constructor(io: Io, label: string) {
    this.#io = io;
    this.#label = label;
  }

  update(done: number, total: number): void {
    this.#done = done;
    this.#total = total;
    if (!this.#io.stderr.isTTY || this.#ended) return;
    if (this.#bar) {
      this.#bar.setTotal(total);
      this.#bar.update(done);
    } else if (performance.now() - this.#started > SHOW_AFTER_MS) {
      this.#waiting ??= this.#show();
    }
  }

  end(): void {
    this.#ended = true;
    this.#bar?.stop();
  }

  async #show(): Promise<void> {
    const { SingleBar } = (await import("cli-progress")).default;
    if (this.#ended) return;
    this.#bar = new SingleBar({
      format: `${this.#label} {bar} {percentage} %  {duration_formatted}, {eta_formatted} left`,
      stream: this.#io.stderr as NodeJS.WritableStream,
      barCompleteChar: "█",
      barIncompleteChar: "░",
      barsize: 30,
      hideCursor: false, // a killed process could not show the cursor again
      clearOnComplete: true,
      etaBuffer: 20,
    });
    this.#bar.start(this.#total, this.#done);
  }
}

const SHOW_AFTER_MS = 300;

/** Runs `work` with a progress bar, which is erased after success and after failure. */
export async function withProgress<T>(
  io: Io,
  label: string,
  work: (update: (done: number, total: number) => void) => Promise<T>,
): Promise<T> {
  const progress = new Progress(io, label);
  try {
    return await work((done, total) => progress.update(done, total));
  } finally {
    progress.end();
  }
}
