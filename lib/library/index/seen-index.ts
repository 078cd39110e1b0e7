/** What this process knows about the index's file: the state that its image was made of. */
import { constants } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { fileIdentity } from "../../base/file-identity.js";
import { errnoOf, ioError } from "../../base/io-error.js";

/** The coarsest times of any file system: those of FAT. */
const COARSEST_TICK_MS = 2000;
const READ_AT_ONCE = 2 ** 20;
/** As in native/library/index_file.cc: opening fails while another process exchanges the index. */
const ATTEMPTS = 20;
const PAUSE_MS = 1;

/**
 * One state of the index's file.
 *
 * An identity proves a change only if the file system's clock has ticked since the file was seen.
 * Within one tick, a program can write the same number of bytes in place, or put another file
 * there, which gets the inode of a deleted one. Times have a resolution of 4 ms on many systems,
 * of a second on ext4 with small inodes, HFS+ and some network file systems, and of 2 s on FAT. So
 * for 2 s the content is compared, too. The file's own clock is not compared with this machine's,
 * because a server's clock may be wrong: a file that is unchanged 2 s after it was first seen has a
 * time that no later change can get.
 */
export class SeenIndex {
  /** null: there was no file */
  readonly identity: string | null;
  /** The file's bytes; null once the identity alone proves that the file is unchanged. */
  #content: readonly Uint8Array[] | null;
  readonly #since = performance.now();

  /**
   * To be made after the file was read or written.
   *
   * @param content the file's bytes, in pieces; null: compare the identity alone
   */
  constructor(identity: string | null, content: readonly Uint8Array[] | null) {
    this.identity = identity;
    this.#content = identity === null ? null : content;
  }

  /** Whether the file at `path`, the index, is still in this state. */
  async isStill(path: string): Promise<boolean> {
    const found = await fileIdentity(path);
    if (found !== this.identity) return false;
    const begun = performance.now();
    if (!(await this.isContentOf(path))) return false;
    if (begun - this.#since > COARSEST_TICK_MS) this.#content = null;
    return true;
  }

  /** Whether a file with this identity has this state's bytes. */
  async isContentOf(path: string): Promise<boolean> {
    return this.#content === null || contentIs(path, this.#content);
  }
}

async function contentIs(path: string, pieces: readonly Uint8Array[]): Promise<boolean> {
  const file = await openIndex(path);
  if (file === null) return false;
  try {
    const buffer = Buffer.allocUnsafe(READ_AT_ONCE);
    let position = 0;
    for (const piece of pieces) {
      for (let at = 0; at < piece.length; ) {
        const size = Math.min(piece.length - at, READ_AT_ONCE);
        const { bytesRead } = await file.read(buffer, 0, size, position);
        const expected = piece.subarray(at, at + bytesRead);
        if (bytesRead === 0 || buffer.compare(expected, 0, bytesRead, 0, bytesRead) !== 0) {
          return false;
        }
        at += bytesRead;
        position += bytesRead;
      }
    }
    return (await file.read(buffer, 0, 1, position)).bytesRead === 0;
  } catch (error) {
    throw ioError(error, path, `${path} can't be read`);
  } finally {
    await file.close().catch(() => {});
  }
}

/** @returns null: there is no file */
async function openIndex(path: string): Promise<FileHandle | null> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
    } catch (error) {
      if (errnoOf(error) === "ENOENT") return null;
      if (errnoOf(error) !== "EAGAIN" || attempt === ATTEMPTS) {
        throw ioError(error, path, `${path} can't be read`);
      }
    }
    await sleep(PAUSE_MS);
  }
}
