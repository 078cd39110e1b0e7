/** Reads a file in whatever container it is: those of torch.save natively, the others here. */
import { basename, dirname } from "node:path";
import { getHeapStatistics } from "node:v8";
import { checkInteger, checkOptions, optionNames } from "../../base/check.js";
import type { SdaError } from "../../base/errors.js";
import { isSdaError } from "../../base/io-error.js";
import { withOpenFile } from "../../base/read-file.js";
import { callNative } from "../../native/call.js";
import { checkpointAddon } from "../../native/load.js";
import type { CancelToken, ImageHandle } from "../../native/types.js";
import { openArchive, uncompressed } from "./archive.js";
import { decompressed } from "./compressed.js";
import { INDEX } from "./distributed.js";
import type { HttpOptions } from "./http.js";
import type { RandomAccess } from "./random-access.js";
import { ofFile, openSource, pathOf, type Source, withParts, withWhole } from "./source.js";

/** The containers that TypeScript reads. */
export type OtherContainer = "npy" | "zip" | "pt2" | "safetensors";

/** Limits of what a file may make of itself. */
export interface Limits {
  /**
   * Bytes for the values of the pickle: objects, texts and their forms in JavaScript, but not the
   * elements of tensors. Default: as much as the heap may grow, about 4 GiB
   */
  memoryBytes: number;
  /** Bytes of a compressed file's content. Default: 16 GiB */
  contentBytes: number;
}

/** Compressed streams inside each other. */
const MOST_LAYERS = 3;

const MOST_CONTENT_BYTES = 16 * 2 ** 30;

const LIMITS = optionNames<Limits>({ memoryBytes: true, contentBytes: true });

/** The limits with their defaults. */
export function checkLimits(limits: Partial<Limits>): Limits {
  checkOptions("limits", limits, LIMITS);
  const { memoryBytes = defaultMemory(), contentBytes = MOST_CONTENT_BYTES } = limits;
  checkInteger("limits.memoryBytes", memoryBytes, 1, Number.MAX_SAFE_INTEGER);
  checkInteger("limits.contentBytes", contentBytes, 1, Number.MAX_SAFE_INTEGER);
  return { memoryBytes, contentBytes };
}

let heap: number | undefined;

/** The values of a pickle are mostly on the heap: one that is too large would end the process. */
export function defaultMemory(): number {
  heap ??= getHeapStatistics().heap_size_limit;
  return heap;
}

/** How to read a file, for `load` and for `inspect`. */
export interface Reading<T> {
  /** Whether all bytes of the file are read */
  whole: boolean;
  native(source: string | ImageHandle, cancel: CancelToken | undefined): Promise<T>;
  other(file: RandomAccess, container: OtherContainer): Promise<T>;
  distributed(folder: string): Promise<T>;
  http: HttpOptions | undefined;
  contentBytes: number;
  signal: AbortSignal | undefined;
}

/** @throws what the reading throws; ERR_SDA_ARGUMENT: no source */
export async function readSource<T>(from: Source, reading: Reading<T>): Promise<T> {
  const path = pathOf(from);
  if (path === undefined) {
    return readFile(await openSource(from, reading.http, reading.signal), reading);
  }
  if (basename(path) === INDEX) return reading.distributed(dirname(path));
  try {
    return await callNative(checkpointAddon(), reading.signal, (cancel) =>
      reading.native(path, cancel),
    );
  } catch (error) {
    const container = containerOf(error);
    if (container === undefined) throw error;
    if (container === "folder") return reading.distributed(path);
    return withOpenFile(path, async (handle) =>
      readFile(await ofFile(handle, path), reading, { container, error }),
    );
  }
}

/** What a native call has found, and its error. */
interface Found {
  container: string;
  error: unknown;
}

async function readFile<T>(
  file: RandomAccess,
  reading: Reading<T>,
  known?: Found,
  layers = 0,
): Promise<T> {
  const { signal, contentBytes } = reading;
  const found = known ?? (await attempt(file, reading));
  if (!("container" in found)) return found.value;
  switch (found.container) {
    case "gzip":
    case "zlib": {
      // A stream may decompress to itself.
      if (layers === MOST_LAYERS) throw found.error;
      const content = await decompressed(file, found.container, contentBytes, signal);
      return readFile(content, reading, undefined, layers + 1);
    }
    case "deflated": {
      const archive = await openArchive(file, signal);
      return readFile(uncompressed(archive, contentBytes), reading, undefined, layers + 1);
    }
    case "npy":
    case "zip":
    case "pt2":
    case "safetensors":
      try {
        return await reading.other(file, found.container);
      } catch (error) {
        // The native reader says better what the file is.
        throw error === NOT_THAT ? found.error : error;
      }
    default:
      throw found.error;
  }
}

/** Thrown by `Reading.other` for a file that is no such container after all. */
export const NOT_THAT = new Error("another container");

async function attempt<T>(file: RandomAccess, reading: Reading<T>): Promise<{ value: T } | Found> {
  const { signal, whole } = reading;
  const call = whole && (await isNative(file)) ? withWhole : withParts;
  try {
    return { value: await call(file, signal, (image, cancel) => reading.native(image, cancel)) };
  } catch (error) {
    const container = containerOf(error);
    if (container === undefined) throw error;
    return { container, error };
  }
}

/** Whether all of the file will be needed: it does not begin as one that is read in other ways. */
async function isNative(file: RandomAccess): Promise<boolean> {
  const start = Buffer.from(await file.read(0, Math.min(file.size, 9)));
  const isOther = ["\x1f\x8b", "x", "\x93NUMPY"].some((magic) =>
    start.toString("latin1").startsWith(magic),
  );
  return !isOther && start[8] !== 0x7b;
}

function containerOf(error: unknown): string | undefined {
  if (!isSdaError(error, "ERR_SDA_FORMAT")) return undefined;
  const container = (error as SdaError).details?.["container"];
  return typeof container === "string" ? container : undefined;
}
