/** Names this process in files that other processes read, on this machine and on others. */
import { createHash } from "node:crypto";
import { readFileSync, readlinkSync } from "node:fs";
import { hostname } from "node:os";

/** Identifies one process: process ids repeat, on other machines and after a while on this one. */
export interface ProcessTag {
  /** 8 hexadecimal digits: the machine, its boot and the namespace of its process ids */
  machine: string;
  pid: number;
  /** In clock ticks since the machine started; 0 where the system does not tell */
  start: number;
}

let own: ProcessTag | undefined;

/** The tag of this process. */
export function processTag(): ProcessTag {
  own ??= { machine: machineTag(), pid: process.pid, start: startOf(process.pid) ?? 0 };
  return own;
}

/**
 * Whether a process has ended.
 *
 * @returns undefined: it is of another machine or container, so this process can't tell
 */
export function hasEnded({ machine, pid, start }: ProcessTag): boolean | undefined {
  if (machine !== processTag().machine) return undefined;
  try {
    process.kill(pid, 0);
  } catch (error) {
    // EPERM: the process of another user
    if ((error as NodeJS.ErrnoException).code === "ESRCH") return true;
  }
  const found = startOf(pid);
  return found !== undefined && start !== 0 && found !== start;
}

function machineTag(): string {
  const parts = [
    hostname(),
    textOf(() => readFileSync("/proc/sys/kernel/random/boot_id", "utf8")),
    textOf(() => readlinkSync("/proc/self/ns/pid")),
  ];
  return createHash("sha256").update(parts.join("\n")).digest("hex").slice(0, 8);
}

/** The start time of a process: field 22 of its line in /proc. Its name, in parentheses, is 2. */
function startOf(pid: number): number | undefined {
  const line = textOf(() => readFileSync(`/proc/${pid}/stat`, "utf8"));
  const start = Number(line.slice(line.lastIndexOf(")") + 2).split(" ")[19]);
  return line !== "" && Number.isSafeInteger(start) ? start : undefined;
}

function textOf(read: () => string): string {
  try {
    return read();
  } catch {
    return ""; // not Linux, or /proc is hidden
  }
}
