import type { PieceSource } from "../audio/sound-stream.js";
import type { BitDepth } from "../audio/wav-format.js";
import { onAbort } from "../base/on-abort.js";
import {
  callNativeSync,
  callNativeUnder,
  type OnProgress,
  type StoppingProgress,
  stoppingProgress,
} from "../native/call.js";
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
  #stopping: StoppingProgress | undefined;
  #release = () => {};
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
    const { options } = this.#request;
    this.#request.signal?.throwIfAborted();
    this.#stopping = stoppingProgress(this.#request.signal, this.#request.onProgress);
    const { signal, onProgress } = this.#stopping;
    const { addon, model, spectrogram } = this.#native;
    this.#handle = callNativeSync(() =>
      addon.startStream(model, spectrogram, options, onProgress, undefined),
    );
    this.#release = onAbort(signal, () => this.close());
  }

  next(): Promise<Floats | null>;
  next(bits: BitDepth): Promise<Bytes | null>;
  async next(bits?: BitDepth): Promise<Floats | Bytes | null> {
    const { signal } = this.#stopping ?? this.#request;
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
    const { ended } = this.#request;
    this.#release();
    this.#stopping?.release();
    if (this.#handle !== null) this.#native.addon.closeStream(this.#handle);
    ended?.();
  }
}
