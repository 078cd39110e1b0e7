import { SdaError, type SdaErrorCode } from "./errors.js";

/** "ENOENT" and so on, of an error of Node's file functions. */
export function errnoOf(error: unknown): string | undefined {
  return error instanceof Error && "syscall" in error
    ? (error as NodeJS.ErrnoException).code
    : undefined;
}

/** An error of Node's file functions as SdaError: ERR_SDA_NOT_FOUND or ERR_SDA_IO. Others stay what they are. */
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
