/** Where uploads are until they are whole: never in a models folder, which shows what is finished and nothing else. */
import { mkdirSync, mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import { statfs } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import { refuse } from "./options.js";
import { Problem } from "./problem.js";

const PREFIX = `sda-upload-${hostname().replace(/[^\w.-]/g, "_")}-`;

/** This process's folder for uploads; made when first asked for, after those of dead processes have been removed. */
export class UploadFolder {
  readonly #parent: string;
  #path: string | null = null;

  constructor(parent: string) {
    this.#parent = parent;
  }

  get path(): string {
    this.#path ??= mkdtempSync(join(this.#parent, `${PREFIX}${process.pid}-`));
    live.add(this.#path);
    // Systems clear their temporary folders now and then.
    mkdirSync(this.#path, { recursive: true, mode: 0o700 });
    return this.#path;
  }

  remove(): void {
    if (this.#path === null) return;
    live.delete(this.#path);
    rmSync(this.#path, { recursive: true, force: true });
    this.#path = null;
  }
}

/** Folders of this process: another one had its number before, perhaps. */
const live = new Set<string>();

/**
 * Removes what processes of this machine, and of this user, left when they were killed.
 *
 * @throws SdaError ERR_SDA_ARGUMENT: there is no such folder
 */
export function removeStaleUploads(parent: string): void {
  for (const name of namesIn(parent)) {
    const pid = name.startsWith(PREFIX) ? Number(name.slice(PREFIX.length).split("-")[0]) : 0;
    const path = join(parent, name);
    if (!Number.isSafeInteger(pid) || pid <= 0 || live.has(path) || isRunning(pid)) continue;
    try {
      if (statSync(path).uid === (process.getuid?.() ?? 0)) rmSync(path, { recursive: true });
    } catch {
      // Another process is removing it, too.
    }
  }
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    throw refuse("uploadDir", "a folder that is there");
  }
}

/**
 * Refuses what will not fit before any of it is read.
 *
 * @throws Problem 507
 */
export async function checkRoom(folder: string, bytes: number): Promise<void> {
  const { bavail, bsize } = await statfs(folder);
  if (bytes <= bavail * bsize) return;
  throw new Problem(507, "ENOSPC", "The server's disk has no room for a file of that size.");
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
