import { type BriefLimits, brief } from "./brief.js";

/** Details are logged as JSON: a path fits, a file's content does not. */
const DETAIL_LIMITS: BriefLimits = { text: 4096, items: 100, depth: 4 };

/**
 * What went wrong, by kind; stable, and meant to be tested for.
 *
 * - NOT_FOUND: no such file or folder
 * - FORMAT: not a file of the kind that was expected
 * - CORRUPT: such a file, but damaged
 * - UNSAFE: refused content, such as a pickle that names code, or a path that leads out of its folder
 * - VERSION: written by something newer than this package
 * - SCHEMA: a value, weight or entry is missing, of another type, or doesn't fit the others
 * - LIMIT: more than the reader or the engine takes
 * - ARGUMENT: the caller's mistake
 * - DEVICE: no such device here
 * - LIBTORCH: LibTorch is missing, or another version than the addon's
 * - NATIVE: an addon is missing, or failed in a way that it doesn't know
 * - DISPOSED: the model, or the cache, has been disposed of
 * - LOCKED: another program has been changing the library for too long
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

/**
 * Everything this package throws, but for the reason of an aborted signal. `code` is stable, `message`
 * is one line for people, `details` names what was wrong (`path`, `offset` in bytes from the start of the
 * file, `field`, `tensor`, `global`, `option`, …).
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
    this.code = code;
    if (details !== undefined) this.details = brief(details, DETAIL_LIMITS) as typeof details;
  }
}
