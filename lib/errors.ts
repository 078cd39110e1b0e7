/**
 * The one error type of this package. `code` is stable and meant to be tested for;
 * `message` is for people; `details` carries what the failing layer knew
 * (`path`, `offset` in bytes from the start of the file, `field`, `global`, …).
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
 * is one line for people, `details` names what was wrong (`path`, `offset`, `field`, `tensor`,
 * `option`, …).
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
    if (details !== undefined) this.details = details;
  }
}
