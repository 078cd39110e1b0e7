import { ReadableStream as WebStream } from "node:stream/web";
import type { Bytes } from "../values/arrays.js";

/** A sound file in parts, made while it is read. */
export interface SoundFileStream extends AsyncIterableIterator<Bytes> {
  /** The length of the whole file in bytes, for `Content-Length`; undefined when it is unknown */
  readonly byteLength: number | undefined;
  /** Resolves to the next part. `for await` calls it. */
  next(): Promise<IteratorResult<Bytes, void>>;
  /** Leaves the pieces, which stops their work. `break` in a `for await` loop calls it. */
  return(): Promise<IteratorResult<Bytes, void>>;
  /** Leaves the pieces, and rejects with the error. */
  throw(error: unknown): Promise<IteratorResult<Bytes, void>>;
  /** Returns this stream, for `for await`. */
  [Symbol.asyncIterator](): this;
  /** Same as `return`. */
  [Symbol.asyncDispose](): Promise<void>;
  /**
   * The same parts as a web stream, for `new Response(…)`. Cancelling the web stream leaves the
   * pieces.
   */
  toReadableStream(): ReadableStream<Bytes>;
}

/** The parts of a file that is made of pieces of sound. */
export class PartStream implements SoundFileStream {
  readonly byteLength: number | undefined;
  readonly #pieces: AsyncIterable<Float32Array>;
  readonly #parts: AsyncGenerator<Bytes, void, undefined>;
  #begun = false;

  /** @param parts takes the pieces from its first `next` on, and leaves them at its end */
  constructor(
    pieces: AsyncIterable<Float32Array>,
    parts: AsyncGenerator<Bytes, void, undefined>,
    byteLength: number | undefined,
  ) {
    this.byteLength = byteLength;
    this.#pieces = pieces;
    this.#parts = parts;
  }

  next(): Promise<IteratorResult<Bytes, void>> {
    this.#begun = true;
    return this.#parts.next();
  }

  async return(): Promise<IteratorResult<Bytes, void>> {
    await this.#leaveUnread();
    return this.#parts.return();
  }

  async throw(error: unknown): Promise<IteratorResult<Bytes, void>> {
    await this.#leaveUnread();
    return this.#parts.throw(error);
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.return();
  }

  toReadableStream(): ReadableStream<Bytes> {
    // Where a program compiles with the DOM's types, the global has no `from`.
    return WebStream.from(this) as unknown as ReadableStream<Bytes>;
  }

  /**
   * A generator that has not begun holds no iterator of the pieces, so ending it would leave them
   * open.
   */
  async #leaveUnread(): Promise<void> {
    if (this.#begun) return;
    this.#begun = true;
    await this.#pieces[Symbol.asyncIterator]().return?.();
  }
}
