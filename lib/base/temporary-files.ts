/** The temporary files that an interrupted `writeOutput` leaves. */
import { randomBytes } from "node:crypto";
import { readdir, stat, unlink } from "node:fs/promises";
import { join } from "node:path";
import { hasEnded, processTag } from "./process-tag.js";

/** Machine, process id, start time and random digits. The files of `save` have no machine. */
const NAME = /^\.sda-([0-9a-f]{8})-(\d+)-(\d+)-[0-9a-f]{12}\.tmp$/;
/** A file of another machine, of which nobody can tell if its writer lives, is kept this long. */
const FOREIGN_MS = 24 * 3600_000;
/** A limit on the memory for folders' names. */
const MOST_FOLDERS = 1000;

const cleared = new Set<string>();

export function temporaryName(): string {
  const { machine, pid, start } = processTag();
  return `.sda-${machine}-${pid}-${start}-${randomBytes(6).toString("hex")}.tmp`;
}

/**
 * Removes temporary files whose writer has ended. A process looks once into each folder. Errors are
 * ignored: the files do no harm.
 */
export async function clearTemporaryFiles(folder: string, again = false): Promise<void> {
  if (cleared.has(folder) && !again) return;
  if (cleared.size >= MOST_FOLDERS) cleared.clear();
  cleared.add(folder);
  for (const name of await readdir(folder).catch(() => [])) {
    const match = NAME.exec(name);
    if (match === null) continue;
    const [machine, pid, start] = match.slice(1) as [string, string, string];
    const path = join(folder, name);
    const ended = hasEnded({ machine, pid: Number(pid), start: Number(start) });
    if (ended ?? (await isOld(path))) await unlink(path).catch(() => {});
  }
}

async function isOld(path: string): Promise<boolean> {
  return stat(path).then(
    ({ mtimeMs }) => Date.now() - mtimeMs > FOREIGN_MS,
    () => false,
  );
}
