import { type BriefLimits, brief } from "./brief.js";

/** Limits the size of logged details: a path fits, a file's content does not. */
const DETAIL_LIMITS: BriefLimits = { text: 4096, items: 100, depth: 4 };

/**
 * The kind of an error. Codes are stable: programs may compare them.
 *
 * - NOT_FOUND: the file or folder does not exist
 * - FORMAT: the file is not of the expected kind
 * - CORRUPT: the file is of the expected kind, but damaged
 * - UNSAFE: refused content, such as a pickle that names code, or a path that leads out of its
 *   folder
 * - VERSION: the file's format version is newer than this package supports
 * - SCHEMA: a value, weight or entry is missing, has the wrong type, or does not fit the others
 * - LIMIT: a file or request exceeds a limit of the reader or of the engine
 * - ARGUMENT: an argument of the call is wrong
 * - DEVICE: this machine does not have the requested device
 * - LIBTORCH: LibTorch is missing, or its version does not fit the LibTorch addon
 * - NATIVE: a native addon is missing or of another version, or failed with an unexpected error
 * - DISPOSED: the model or the cache has been disposed
 * - LOCKED: another program held the library's lock for too long
 * - IO: the system refused to read or write
 */
export type SdaErrorCode =
  | "ERR_SDA_NOT_FOUND"
  | "ERR_SDA_FORMAT"
  | "ERR_SDA_CORRUPT"
  | "ERR_SDA_UNSAFE"
  | "ERR_SDA_VERSION"
  | "ERR_SDA_SCHEMA"
  | "ERR_SDA_LIMIT"
  | "ERR_SDA_ARGUMENT"
  | "ERR_SDA_DEVICE"
  | "ERR_SDA_LIBTORCH"
  | "ERR_SDA_NATIVE"
  | "ERR_SDA_DISPOSED"
  | "ERR_SDA_LOCKED"
  | "ERR_SDA_IO";

/** The same in every copy of this package and in every realm. */
const BRAND = Symbol.for("small-dataset-audio.SdaError");

/**
 * The error class of this package. An aborted call rejects with the signal's reason instead, and an
 * error that a callback throws is passed on unchanged.
 *
 * `code` is stable. `message` is text for people. `details` locates the error: `path`, `offset`
 * (bytes from the start of the file), `field`, `tensor`, `global`, `option`, …
 *
 * @example
 * ```js
 * try {
 *   await readMetadata("missing.sda");
 * } catch (error) {
 *   if (!(error instanceof SdaError)) throw error;
 *   console.log(error.code, error.details.path); // ERR_SDA_NOT_FOUND missing.sda
 * }
 * ```
 */
export class SdaError extends Error {
  override readonly name = "SdaError";
  readonly code: SdaErrorCode;
  readonly details?: Record<string, unknown>;

  constructor(
    code: SdaErrorCode,
    message: string,
    details?: Record<string, unknown>,
    options?: ErrorOptions,
  ) {
    super(message, options);
    Object.defineProperty(this, BRAND, { value: true });
    this.code = code;
    if (details !== undefined) this.details = brief(details, DETAIL_LIMITS) as typeof details;
  }
}

/**
 * `instanceof SdaError` recognises errors of another copy of this package in the same process, too.
 * A subclass recognises its own instances only.
 */
Object.defineProperty(SdaError, Symbol.hasInstance, {
  value(this: unknown, value: unknown): boolean {
    if (this !== SdaError) return Function.prototype[Symbol.hasInstance].call(this, value);
    return typeof value === "object" && value !== null && BRAND in value;
  },
});
