/** Where uploads are until they are whole: never in a models folder, which shows what is finished and nothing else. */
import { mkdirSync, mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";

const PREFIX = `sda-upload-${hostname().replace(/[^\w.-]/g, "_")}-`;

/** This process's folder for uploads; made when first asked for, after those of dead processes have been removed. */
export class UploadFolder {
  #path: string | null = null;

  get path(): string {
    this.#path ??= mkdtempSync(join(tmpdir(), `${PREFIX}${process.pid}-`));
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

/** Removes what processes of this machine, and of this user, left when they were killed. */
export function removeStaleUploads(): void {
  for (const name of readdirSync(tmpdir())) {
    const pid = name.startsWith(PREFIX) ? Number(name.slice(PREFIX.length).split("-")[0]) : 0;
    const path = join(tmpdir(), name);
    if (!Number.isSafeInteger(pid) || pid <= 0 || live.has(path) || isRunning(pid)) continue;
    try {
      if (statSync(path).uid === (process.getuid?.() ?? 0)) rmSync(path, { recursive: true });
    } catch {
      // Another process is removing it, too.
    }
  }
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
