/** Takes the locks of a models folder, one way for each `LockKind`. */
import { randomUUID } from "node:crypto";
import { link, open, readFile, rename, unlink, utimes } from "node:fs/promises";
import { SdaError } from "../../base/errors.js";
import { fileIdentity } from "../../base/file-identity.js";
import { errnoOf, ioError, isSdaError } from "../../base/io-error.js";
import { hasEnded, type ProcessTag, processTag } from "../../base/process-tag.js";
import { callNative, callNativeSync } from "../../native/call.js";
import { checkpointAddon } from "../../native/load.js";
import type { LockKind } from "./lock-kind.js";

/** Tries to lock, without waiting. @returns a function that unlocks; null: the lock is held */
export type TryLock = () => Promise<(() => Promise<void>) | null>;

/** @param path of the folder's lock file */
export function tryLockOf(kind: LockKind, path: string): TryLock {
  switch (kind) {
    case "flock":
      return () => tryFlock(path);
    case "file":
      return new LockFile(`${path}.held`).try;
    case "none":
      return () => tryHere(path);
  }
}

/** Whether files in the folder can be locked by `flock`. */
export function canFlock(folder: string): Promise<boolean> {
  const addon = checkpointAddon();
  return callNative(addon, undefined, () => addon.canLock(folder));
}

async function tryFlock(path: string) {
  const addon = checkpointAddon();
  try {
    // An attempt never waits in the kernel, so it does not block a thread.
    const lock = await callNative(addon, undefined, () => addon.tryLock(path));
    return lock && (async () => callNativeSync(() => addon.unlock(lock)));
  } catch (error) {
    if (!isSdaError(error, "ERR_SDA_IO") || !error.details?.["unsupported"]) throw error;
    const help =
      'Every program that changes this folder can use lock: "file" (sda --lock file) instead, ' +
      'which needs no flock(). If only one program changes it, lock: "none" does as well.';
    throw new SdaError("ERR_SDA_IO", `${error.message}. ${help}`, error.details, { cause: error });
  }
}

const heldHere = new Set<string>();

async function tryHere(path: string) {
  if (heldHere.has(path)) return null;
  heldHere.add(path);
  return async () => {
    heldHere.delete(path);
  };
}

/** How often the holder touches its lock file. */
const TOUCH_MS = 2000;
/** A lock file that is not touched for this long belongs to a process that has ended. */
const STALE_MS = 15_000;

interface Holder extends ProcessTag {
  id: string;
}

/** A lock that is held as long as a file exists. */
class LockFile {
  readonly #path: string;
  /** The file's identity as last seen, and when it was first seen. */
  #seen: { identity: string; since: number } | undefined;

  constructor(path: string) {
    this.#path = path;
  }

  readonly try: TryLock = async () => {
    const holder: Holder = { id: randomUUID(), ...processTag() };
    if (await this.#create(holder)) return this.#hold(holder);
    if (!(await this.#isStale())) return null;
    return (await this.#create(holder)) ? this.#hold(holder) : null;
  };

  async #create(holder: Holder): Promise<boolean> {
    try {
      const file = await open(this.#path, "wx", 0o666);
      try {
        await file.writeFile(JSON.stringify(holder));
        await file.chmod(0o666).catch(() => {}); // others must be able to clean it up
      } finally {
        await file.close();
      }
      return true;
    } catch (error) {
      if (errnoOf(error) === "EEXIST") return false;
      throw ioError(error, this.#path, `${this.#path} can't be created`);
    }
  }

  #hold({ id }: Holder): () => Promise<void> {
    const touch = () => {
      const now = new Date();
      utimes(this.#path, now, now).catch(() => {});
    };
    const timer = setInterval(touch, TOUCH_MS).unref();
    return async () => {
      clearInterval(timer);
      if ((await readHolder(this.#path))?.id === id) await unlink(this.#path).catch(() => {});
    };
  }

  /** Removes the file if its holder has ended. @returns whether the lock is free now */
  async #isStale(): Promise<boolean> {
    const identity = await fileIdentity(this.#path);
    if (identity === null) return true;
    if (this.#seen?.identity !== identity) this.#seen = { identity, since: performance.now() };
    const holder = await readHolder(this.#path);
    const isOld = performance.now() - this.#seen.since > STALE_MS;
    if (!isOld && !(holder && hasEnded(holder))) return false;
    return this.#remove(holder);
  }

  /** Another process may replace the stale file first: its new file is put back. */
  async #remove(stale: Holder | null): Promise<boolean> {
    const aside = `${this.#path}-${randomUUID()}`;
    try {
      await rename(this.#path, aside);
    } catch (error) {
      if (errnoOf(error) === "ENOENT") return true;
      throw ioError(error, this.#path, `${this.#path} can't be removed`);
    }
    const isStale = (await readHolder(aside))?.id === stale?.id;
    if (!isStale) await link(aside, this.#path).catch(() => {});
    await unlink(aside).catch(() => {});
    return isStale;
  }
}

/** @returns null: there is no such file, or its holder has not written it yet */
async function readHolder(path: string): Promise<Holder | null> {
  try {
    const found: unknown = JSON.parse(await readFile(path, "utf8"));
    return typeof found === "object" && found !== null ? (found as Holder) : null;
  } catch {
    return null;
  }
}
