import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createGunzip, createInflate } from "node:zlib";
import { SdaError } from "../../base/errors.js";
import type { RandomAccess } from "./random-access.js";
import { ofBytes } from "./source.js";

/**
 * Decompresses a file that is one gzip or zlib stream.
 *
 * @param most bytes of the content
 * @throws SdaError ERR_SDA_CORRUPT; ERR_SDA_LIMIT: more than `most` bytes; what the file throws
 */
export async function decompressed(
  file: RandomAccess,
  kind: "gzip" | "zlib",
  most: number,
  signal: AbortSignal | undefined,
): Promise<RandomAccess> {
  const pieces: Uint8Array[] = [];
  let size = 0;
  let isTooLong = false;
  try {
    await pipeline(
      Readable.from(file.readAll()),
      kind === "gzip" ? createGunzip() : createInflate(),
      async (pieceStream: AsyncIterable<Buffer>) => {
        for await (const piece of pieceStream) {
          size += piece.length;
          isTooLong = size > most;
          if (isTooLong) return;
          pieces.push(piece);
        }
      },
      { ...(signal && { signal }) },
    );
  } catch (cause) {
    signal?.throwIfAborted();
    if (isTooLong) throw tooLong(file, most); // the stream was left before its end
    if (!/^Z_|^ERR_.*ZLIB|^ERR_BUFFER/.test(String((cause as { code?: unknown }).code))) {
      throw cause;
    }
    const problem = `${file.name} is a damaged ${kind} stream: ${(cause as Error).message}`;
    throw new SdaError("ERR_SDA_CORRUPT", problem, { path: file.name }, { cause });
  }
  if (isTooLong) throw tooLong(file, most);
  return ofBytes(Buffer.concat(pieces, size), file.name);
}

function tooLong(file: RandomAccess, most: number): SdaError {
  const problem = `${file.name} has more than ${most} bytes when it is decompressed`;
  return new SdaError("ERR_SDA_LIMIT", problem, { path: file.name, limit: most });
}
