import { SdaError } from "../../base/errors.js";

/** A file that is read in ranges. */
export interface RandomAccess {
  /** For errors */
  readonly name: string;
  /** Bytes */
  readonly size: number;
  /**
   * Exactly the bytes of this range.
   *
   * @throws SdaError ERR_SDA_CORRUPT: the file is shorter
   */
  read(offset: number, size: number): Promise<Uint8Array>;
  /** All bytes, in order and in pieces of any size */
  readAll(): AsyncIterable<Uint8Array>;
}

/** @throws SdaError ERR_SDA_CORRUPT: there are fewer bytes */
export function within(bytes: Uint8Array, size: number, name: string): Uint8Array {
  if (bytes.length < size) throw shorter(name);
  return bytes;
}

/** The error for a file that ends before a range of it does. */
export function shorter(name: string): SdaError {
  return new SdaError("ERR_SDA_CORRUPT", `${name} ended before it was read`, { path: name });
}
