import type { PieceSource } from "../audio/sound-stream.js";
import type { BitDepth } from "../audio/wav-format.js";
import { callNativeSync, callNativeUnder, type OnProgress } from "../native/call.js";
import type { NativeGenerateOptions, StreamHandle } from "../native/types.js";
import type { Bytes, Floats } from "../values/arrays.js";
import type { NativeModel } from "./native-model.js";

/** The settings and callbacks of one stream. */
export interface NativeSourceRequest {
  options: NativeGenerateOptions;
  signal: AbortSignal | undefined;
  onProgress: OnProgress | undefined;
  /**
   * Called once: after the last piece, after a failure, when the reader leaves, or when the signal
   * aborts.
   */
  ended?: (() => void) | undefined;
}

/** Gets the pieces of one stream from the engine. */
export class NativeSource implements PieceSource {
  readonly #native: NativeModel;
  readonly #request: NativeSourceRequest;
  readonly #abort = () => this.close();
  #handle: StreamHandle | null = null;
  #closed = false;

  constructor(native: NativeModel, request: NativeSourceRequest) {
    this.#native = native;
    this.#request = request;
  }

  /**
   * Starts the work; later calls do nothing.
   *
   * @throws SdaError ERR_SDA_LIMIT, ERR_SDA_DISPOSED; the signal's reason
   */
  start(): void {
    if (this.#handle !== null || this.#closed) return;
    const { options, signal, onProgress } = this.#request;
    signal?.throwIfAborted();
    const { addon, model, spectrogram } = this.#native;
    this.#handle = callNativeSync(() =>
      addon.startStream(model, spectrogram, options, onProgress, undefined),
    );
    signal?.addEventListener("abort", this.#abort, { once: true });
  }

  next(): Promise<Floats | null>;
  next(bits: BitDepth): Promise<Bytes | null>;
  async next(bits?: BitDepth): Promise<Floats | Bytes | null> {
    const { signal } = this.#request;
    signal?.throwIfAborted();
    const handle = this.#handle;
    if (handle === null || this.#closed) return null;
    const { addon } = this.#native;
    return callNativeUnder<Floats | Bytes | null>(signal, () =>
      bits === undefined ? addon.nextPiece(handle) : addon.nextPiece(handle, bits),
    );
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    const { signal, ended } = this.#request;
    signal?.removeEventListener("abort", this.#abort);
    if (this.#handle !== null) this.#native.addon.closeStream(this.#handle);
    ended?.();
  }
}
