import { SdaError, type SdaErrorCode } from "./errors.js";
import { isError } from "./realm.js";

/**
 * @returns the system's error code, such as "ENOENT"; undefined for other errors than system errors
 */
export function errnoOf(error: unknown): string | undefined {
  if (!isError(error)) return undefined;
  const { code } = error as NodeJS.ErrnoException;
  if (code === "ERR_ACCESS_DENIED") return "EACCES"; // of Node's permission model
  return "syscall" in error ? code : undefined;
}

/**
 * Turns a system error of Node's file functions into an SdaError: ERR_SDA_NOT_FOUND or ERR_SDA_IO.
 * Other errors are returned unchanged.
 *
 * @param what begins the message, such as "pads.sda can't be written"
 */
export function ioError(error: unknown, path: string, what: string): unknown {
  const errno = errnoOf(error);
  if (errno === undefined) return error;
  const { syscall, message } = error as NodeJS.ErrnoException;
  const missing = errno === "ENOENT" || errno === "ENOTDIR";
  return new SdaError(
    missing ? "ERR_SDA_NOT_FOUND" : "ERR_SDA_IO",
    `${what}: ${message}`,
    { path, errno, syscall },
    { cause: error },
  );
}

export function isSdaError(error: unknown, code: SdaErrorCode): error is SdaError {
  return error instanceof SdaError && error.code === code;
}
