import type { Bytes, Floats } from "../values/arrays.js";
import type { AudioFormat } from "./generation.js";
import type { BitDepth } from "./wav-format.js";

/**
 * Sound that is made while it is read: pieces of about a second, each with interleaved samples of
 * all channels. `LoadedModel.stream` and `ModelCache.stream` return it; `wavStream` makes a WAV
 * file of it.
 */
export interface SoundStream extends AsyncIterableIterator<Floats> {
  /** Sample rate, channels and length, known before the first piece. */
  readonly format: AudioFormat;
  /** The seed in use. The same seed gives the same sound again. */
  readonly seed: number;
  /** Resolves to the next piece. `for await` calls it. */
  next(): Promise<IteratorResult<Floats, void>>;
  /** Stops the work and frees what it holds. `break` in a `for await` loop calls it. */
  return(): Promise<IteratorResult<Floats, void>>;
  /** Stops the work, and rejects with the error. */
  throw(error: unknown): Promise<IteratorResult<Floats, void>>;
  /** Returns this stream, for `for await`. */
  [Symbol.asyncIterator](): this;
  /** Same as `return`. */
  [Symbol.asyncDispose](): Promise<void>;
}

/** The work that makes the pieces of one stream. */
export interface PieceSource {
  /** Starts the work. Later calls do nothing. */
  start(): void;
  /** Resolves to the next samples, or to null after the last piece. */
  next(): Promise<Floats | null>;
  /** Resolves to the next samples encoded for a WAV file of `bits` bits. */
  next(bits: BitDepth): Promise<Bytes | null>;
  /** Stops the work and frees what it holds. Later calls do nothing. */
  close(): void;
}

/** Closes the source of a stream that was garbage-collected before its end. */
const collected = new FinalizationRegistry<PieceSource>((source) => source.close());

/** A `SoundStream` whose pieces come either as samples or, for `wavStream`, as encoded bytes. */
export class PieceStream implements SoundStream {
  readonly format: AudioFormat;
  readonly seed: number;
  readonly #source: PieceSource;
  readonly #samples: AsyncGenerator<Floats, void, undefined>;
  #begun = false;

  constructor(source: PieceSource, { format, seed }: { format: AudioFormat; seed: number }) {
    this.format = format;
    this.seed = seed;
    this.#source = source;
    this.#samples = this.#pieces(() => source.next());
    collected.register(this, source);
  }

  /**
   * The whole sound as bytes; null when `next` has been called already. Then `next` returns no
   * samples.
   */
  encoded(bits: BitDepth): AsyncIterable<Bytes> | null {
    if (this.#begun) return null;
    this.#begun = true;
    void this.#samples.return();
    return this.#pieces(() => this.#source.next(bits));
  }

  next(): Promise<IteratorResult<Floats, void>> {
    this.#begun = true;
    return this.#samples.next();
  }

  async return(): Promise<IteratorResult<Floats, void>> {
    this.#begun = true;
    const end = await this.#samples.return();
    this.#source.close(); // a generator that has not begun runs no `finally`
    return end;
  }

  async throw(error: unknown): Promise<IteratorResult<Floats, void>> {
    this.#begun = true;
    try {
      return await this.#samples.throw(error);
    } finally {
      this.#source.close();
    }
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.return();
  }

  /** The generator refers to `this`: the stream is not collected while a piece is awaited. */
  async *#pieces<T>(next: () => Promise<T | null>): AsyncGenerator<T, void, undefined> {
    try {
      this.#source.start();
      for (let piece = await next(); piece !== null; piece = await next()) yield piece;
    } finally {
      this.#source.close();
    }
  }
}
