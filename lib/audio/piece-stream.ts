import type { BitDepth } from "./wav-format.js";

/**
 * Sound that is made while it is taken, interleaved: as samples, or as WAV files have them, which are encoded where they are made.
 * Those that come as bytes don't come as samples, too.
 */
export class PieceStream implements AsyncIterableIterator<Float32Array> {
  readonly #samples: AsyncGenerator<Float32Array, void, undefined>;
  readonly #encode: (bits: BitDepth) => AsyncGenerator<Uint8Array, void, undefined>;
  #begun = false;

  /** Neither of the two may begin to work before its first piece is asked for. */
  constructor(
    samples: AsyncGenerator<Float32Array, void, undefined>,
    encode: (bits: BitDepth) => AsyncGenerator<Uint8Array, void, undefined>,
  ) {
    this.#samples = samples;
    this.#encode = encode;
  }

  /** All of the sound in bytes; null when some of it has been asked for as samples. */
  encoded(bits: BitDepth): AsyncIterable<Uint8Array> | null {
    if (this.#begun) return null;
    void this.return();
    return this.#encode(bits);
  }

  next(): Promise<IteratorResult<Float32Array, void>> {
    this.#begun = true;
    return this.#samples.next();
  }

  return(): Promise<IteratorResult<Float32Array, void>> {
    this.#begun = true;
    return this.#samples.return();
  }

  throw(error: unknown): Promise<IteratorResult<Float32Array, void>> {
    this.#begun = true;
    return this.#samples.throw(error);
  }

  [Symbol.asyncIterator](): this {
    return this;
  }
}
