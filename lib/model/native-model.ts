import { SdaError } from "../base/errors.js";
import { callNative } from "../native/call.js";
import type {
  CancelToken,
  EngineAddon,
  FloatTensor,
  ModelHandle,
  SpectrogramHandle,
} from "../native/types.js";
import { Tensor } from "../values/values.js";

const LENT =
  "this model belongs to a ModelCache, which has disposed of it: await all work in the function " +
  "given to `use`, or call `cache.stream` to return sound that is still being made";

/**
 * The native half of a loaded model, shared by `LoadedModel`, `ConvVae` and `AudioSpectrogram`. It
 * guards disposal: after `dispose()` no new work starts, and running work ends first.
 */
export class NativeModel {
  readonly addon: EngineAddon;
  readonly #model: ModelHandle;
  readonly #spectrogram: SpectrogramHandle;
  /** Whether a `ModelCache` owns the model. */
  lent = false;
  #disposed: Promise<void> | null = null;

  constructor(addon: EngineAddon, model: ModelHandle, spectrogram: SpectrogramHandle) {
    this.addon = addon;
    this.#model = model;
    this.#spectrogram = spectrogram;
  }

  get model(): ModelHandle {
    this.check();
    return this.#model;
  }

  get spectrogram(): SpectrogramHandle {
    this.check();
    return this.#spectrogram;
  }

  /** @throws SdaError ERR_SDA_DISPOSED */
  check(): void {
    if (this.#disposed !== null) {
      throw new SdaError("ERR_SDA_DISPOSED", this.lent ? LENT : "this model has been disposed of");
    }
  }

  /** Runs one native operation; it copies its inputs before the first await. */
  run<T>(
    signal: AbortSignal | undefined,
    operation: (addon: EngineAddon, cancel: CancelToken | undefined) => Promise<T>,
  ): Promise<T> {
    this.check();
    return callNative(this.addon, signal, (cancel) => operation(this.addon, cancel));
  }

  /** Refuses new work at once; resolves when running work has ended and the memory is free. */
  dispose(): Promise<void> {
    this.#disposed ??= this.addon.dispose(this.#model, this.#spectrogram);
    return this.#disposed;
  }
}

export function toTensor({ shape, data }: FloatTensor): Tensor {
  return new Tensor("float32", shape, data);
}
