/**
 * Where a file to read comes from: a path, bytes in memory, an open file or a web server. All but
 * paths, which the addon opens itself, are read in ranges.
 */
import type { FileHandle } from "node:fs/promises";
import { badArgument, toFilePath } from "../../base/check.js";
import { SdaError } from "../../base/errors.js";
import { readRange } from "../../base/read-file.js";
import { isError, isUint8Array, isUrl } from "../../base/realm.js";
import { callNative, PART_MISSING } from "../../native/call.js";
import { checkpointAddon } from "../../native/load.js";
import type { CancelToken, ImageHandle } from "../../native/types.js";
import { type HttpOptions, openRemote } from "./http.js";
import { type RandomAccess, shorter, within } from "./random-access.js";

/**
 * What `load` and `inspect` read: a path, a `file:` or `http(s):` URL object, a file's bytes, a
 * `Blob`, or a file that is open for reading, which stays open.
 */
export type Source = string | URL | Uint8Array | Blob | FileHandle;

/** Bytes of a file or a blob that are read at once. */
const PIECE = 8 * 2 ** 20;
/** Bytes that are read at least where a reader asks for a few. */
const READ_AHEAD = 64 * 2 ** 10;
/** After so many parts, each is twice as long as the one before, up to `MOST_AHEAD`. */
const FEW_PARTS = 8;
const MOST_AHEAD = 64 * 2 ** 20;

/** @returns the path of a source that is a file; undefined: it is none */
export function pathOf(source: Source): string | undefined {
  if (typeof source === "string") return toFilePath(source);
  return isUrl(source) && source.protocol === "file:" ? toFilePath(source) : undefined;
}

/**
 * Opens a source that has no path.
 *
 * @throws SdaError ERR_SDA_ARGUMENT: no source; ERR_SDA_NOT_FOUND, ERR_SDA_IO
 */
export async function openSource(
  source: Source,
  http: HttpOptions | undefined,
  signal: AbortSignal | undefined,
): Promise<RandomAccess> {
  if (isUint8Array(source)) return ofBytes(source);
  if (isUrl(source) && /^https?:$/.test(source.protocol)) return openRemote(source, http, signal);
  if (source instanceof Blob) return ofBlob(source);
  if (isFileHandle(source)) return ofFile(source, "the open file");
  throw badArgument(
    "from",
    "a path, a file: or http(s): URL object, a Uint8Array, a Blob or a FileHandle",
    source,
  );
}

function isFileHandle(value: unknown): value is FileHandle {
  const { read, stat } = (value ?? {}) as Partial<FileHandle>;
  return typeof read === "function" && typeof stat === "function";
}

/** A file of which these are the bytes. */
export function ofBytes(bytes: Uint8Array, name = "the given bytes"): RandomAccess {
  return {
    name,
    size: bytes.length,
    read: async (offset, size) => within(bytes.subarray(offset, offset + size), size, name),
    async *readAll() {
      for (let at = 0; at < bytes.length; at += PIECE) yield bytes.subarray(at, at + PIECE);
    },
  };
}

function ofBlob(blob: Blob): RandomAccess {
  const name = (blob as Partial<File>).name || "the given blob";
  const read = async (offset: number, size: number) =>
    new Uint8Array(await blob.slice(offset, offset + size).arrayBuffer());
  return {
    name,
    size: blob.size,
    read: async (offset, size) => within(await read(offset, size), size, name),
    async *readAll() {
      for (let at = 0; at < blob.size; at += PIECE) yield await read(at, PIECE);
    },
  };
}

/** @throws SdaError ERR_SDA_FORMAT: not a regular file */
export async function ofFile(file: FileHandle, name: string): Promise<RandomAccess> {
  const found = await file.stat();
  if (!found.isFile()) throw new SdaError("ERR_SDA_FORMAT", `${name} is not a file`);
  const { size } = found;
  const read = async (offset: number, wanted: number) => {
    const bytes = await readRange(file, offset, wanted);
    if (bytes === null) throw shorter(name);
    return bytes;
  };
  return {
    name,
    size,
    read,
    async *readAll() {
      for (let at = 0; at < size; at += PIECE) yield await read(at, Math.min(PIECE, size - at));
    },
  };
}

/**
 * Calls the addon with a file of which only those bytes are read that the call needs.
 *
 * @param call is repeated, with an image that has more bytes, until it needs no others
 * @throws what the file and the call throw
 */
export async function withParts<T>(
  file: RandomAccess,
  signal: AbortSignal | undefined,
  call: (image: ImageHandle, cancel: CancelToken | undefined) => Promise<T>,
): Promise<T> {
  const addon = checkpointAddon();
  const image = addon.createImage(file.name, file.size, false);
  /** [start, end) of each part, in order */
  const parts: [number, number][] = [];
  for (;;) {
    try {
      return await callNative(addon, signal, (cancel) => call(image, cancel));
    } catch (error) {
      const missing = missingPart(error);
      if (missing === undefined) throw error;
      signal?.throwIfAborted();
      const { offset } = missing;
      const next = parts.findIndex(([start]) => start > offset);
      const limit = next < 0 ? file.size : (parts[next] as [number, number])[0];
      // Each part has the whole call repeated: the more there are, the longer they are.
      const ahead = READ_AHEAD * 2 ** Math.max(0, parts.length - FEW_PARTS);
      const end = Math.min(offset + Math.max(missing.size, Math.min(ahead, MOST_AHEAD)), limit);
      addon.fillImage(image, offset, await file.read(offset, end - offset));
      parts.splice(next < 0 ? parts.length : next, 0, [offset, end]);
    }
  }
}

function missingPart(error: unknown): { offset: number; size: number } | undefined {
  if (!isError(error) || (error as { code?: unknown }).code !== PART_MISSING) return undefined;
  return (error as SdaError).details as { offset: number; size: number };
}

/** Calls the addon with a file that is wholly in memory. */
export async function withWhole<T>(
  file: RandomAccess,
  signal: AbortSignal | undefined,
  call: (image: ImageHandle, cancel: CancelToken | undefined) => Promise<T>,
): Promise<T> {
  const addon = checkpointAddon();
  const image = addon.createImage(file.name, file.size, true);
  let at = 0;
  for await (const piece of file.readAll()) {
    signal?.throwIfAborted();
    if (piece.length > file.size - at) break;
    addon.fillImage(image, at, piece);
    at += piece.length;
  }
  if (at !== file.size) throw shorter(file.name);
  return callNative(addon, signal, (cancel) => call(image, cancel));
}
