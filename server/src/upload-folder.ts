/** The folder of incomplete uploads. A models folder never contains incomplete files. */
import { mkdirSync, mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import { statfs } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import { Problem } from "./problem.js";

const PREFIX = `sda-upload-${hostname().replace(/[^\w.-]/g, "_")}-`;

const UNUSABLE = ["ENOENT", "ENOTDIR", "EROFS", "EACCES", "EPERM"];

/** This process's upload folder, created on first use. */
export class UploadFolder {
  readonly #parent: string;
  #path: string | null = null;

  constructor(parent: string) {
    this.#parent = parent;
  }

  /** @throws Problem 503: the parent folder is missing or read-only */
  get path(): string {
    try {
      this.#path ??= mkdtempSync(join(this.#parent, `${PREFIX}${process.pid}-`));
      live.add(this.#path);
      // The system may have removed it: it clears its temporary folder from time to time.
      mkdirSync(this.#path, { recursive: true, mode: 0o700 });
      return this.#path;
    } catch (cause) {
      const { code = "ERR_UPLOAD_FOLDER" } = cause as NodeJS.ErrnoException;
      if (!UNUSABLE.includes(code)) throw cause;
      const detail =
        "The server's folder for incomplete uploads is missing or read-only. Its operator can set " +
        "TMPDIR or the option uploadDir.";
      throw new Problem(503, code, detail, { cause });
    }
  }

  remove(): void {
    if (this.#path === null) return;
    live.delete(this.#path);
    rmSync(this.#path, { recursive: true, force: true });
    this.#path = null;
  }
}

/** Upload folders of this process. An earlier process may have had the same id. */
const live = new Set<string>();

/** Removes upload folders that killed processes of this machine and this user left. */
export function removeStaleUploads(parent: string): void {
  for (const name of namesIn(parent)) {
    const pid = name.startsWith(PREFIX) ? Number(name.slice(PREFIX.length).split("-")[0]) : 0;
    const path = join(parent, name);
    if (!Number.isSafeInteger(pid) || pid <= 0 || live.has(path) || isRunning(pid)) continue;
    try {
      if (statSync(path).uid === (process.getuid?.() ?? 0)) rmSync(path, { recursive: true });
    } catch {
      // Another process removes it at the same time.
    }
  }
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return []; // everything but uploads works
  }
}

/**
 * Refuses an upload that does not fit on the disk, before its body is read. Some network file
 * systems do not tell their size: 0 blocks are unknown, not full.
 *
 * @throws Problem 507
 */
export async function checkRoom(folder: string, bytes: number): Promise<void> {
  const { bavail, blocks, bsize } = await statfs(folder);
  if (blocks === 0 || bytes <= bavail * bsize) return;
  throw new Problem(507, "ENOSPC", "The server's disk has no room for a file of this size.");
}

function isRunning(pid: number): boolean {
  if (pid === process.pid) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}
